// The stage's look, which the presenter sets: theme, size of text, blank screen. On
// the projector's page the presenter's clicker drives the talk as well, because the
// window that has the focus is often that one.
(() => {
  const screen = () => document.querySelector(".screen");
  const show = ({ theme, large, blank }) => {
    const s = screen();
    if (!s) return;
    s.dataset.theme = theme;
    s.toggleAttribute("data-large", large);
    s.toggleAttribute("data-blank", blank);
  };
  document.addEventListener("stream:look", (e) => show(JSON.parse(e.detail)));

  const presses = {
    PageDown: ["next"], ArrowRight: ["next"], PageUp: ["back"], ArrowLeft: ["back"], F5: ["run"],
    Period: ["look", "change=blank"], KeyB: ["look", "change=blank"], Escape: ["look", "change=unblank"],
  };
  if (document.body.matches(".page-wall:not(.audience)")) {
    document.addEventListener("keydown", (e) => {
      const press = presses[e.code];
      if (!press || e.ctrlKey || e.metaKey || e.altKey || e.repeat) return;
      e.preventDefault();
      fetch(`/present/${press[0]}`, { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true" }, body: press[1] ?? "" });
    });
  }
})();
