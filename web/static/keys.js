// Keyboard shortcuts. A key presses the button or the link, or moves to the field,
// whose data-key names it; several names are separated by spaces. Escape leaves a
// field.
(() => {
  const latin = /^[ -~]$/;

  // The names of a key: what it types and, on a layout that types something else
  // there, the letter, digit or period that a US keyboard has in its place.
  const names = ({ key, code, shiftKey }) => {
    const typed = key.length === 1 ? key.toLowerCase() : key;
    const place = (/^Key(.)$/.exec(code) ?? /^(?:Digit|Numpad)(\d)$/.exec(code))?.[1].toLowerCase() ?? (code === "Period" ? "." : "");
    const other = place && !shiftKey && (!latin.test(typed) || /[\d.]/.test(place));
    return other && place !== typed ? [typed, place] : [typed];
  };
  const target = (e) => {
    for (const name of names(e)) {
      const found = document.querySelector(`[data-key~="${CSS.escape(name)}"]`);
      if (found) return found;
    }
    return null;
  };

  const typing = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=range])";
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.defaultPrevented) return;
    const field = e.target.closest(typing);
    if (field && e.key === "Escape") field.blur();
    if (e.key === "Escape" && document.querySelector("dialog[open]")) return; // it closes itself
    // A slider and a group of radio buttons use the arrows themselves.
    if (field || e.target.closest("input") && /^(Arrow|Home|End|Page)/.test(e.key)) return;
    const found = target(e);
    if (!found) return;
    e.preventDefault();
    if (found.matches(typing)) found.focus();
    else found.click();
  });
})();
