// Counts down the lifetimes of tokens, in the hero picture and on the cards. It reads
// data attributes, with times in Unix milliseconds. On a figure (data-picture),
// data-now is the time as of which it was drawn, and data-clock="still", there or on
// its svg element, turns the countdown off. An element with data-expires changes its
// class from pic-alive to pic-ended at that time. It is a circle whose
// stroke-dashoffset is the elapsed share of the lifetime since data-issued, or a text
// with the remaining time as m:ss, and after that data-then.
(() => {
  // How far the server's clock is ahead. The page may state the server's time
  // when it was written (data-now on the root element); a picture drawn later
  // than that can only show that the server is further ahead.
  const stated = Number(document.documentElement.dataset.now);
  let ahead = stated ? stated - Date.now() : 0;

  const minutes = (ms) => {
    const s = Math.ceil(ms / 1000);
    return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
  };

  const run = (el, now) => {
    const { expires, issued } = el.dataset;
    const left = expires - now;
    if (left <= 0) el.classList.replace("pic-alive", "pic-ended");
    if (el.localName === "circle") {
      const gone = Math.min(1, Math.max(0, 1 - left / (expires - issued)));
      el.setAttribute("stroke-dashoffset", (100 * gone).toFixed(1));
    } else {
      el.textContent = left > 0 ? minutes(left) : el.dataset.then ?? "";
    }
  };

  const tick = () => {
    for (const figure of document.querySelectorAll("[data-picture]:not([data-clock=still])")) {
      ahead = Math.max(ahead, (Number(figure.dataset.now) || -Infinity) - Date.now());
      const now = Date.now() + ahead;
      for (const el of figure.querySelectorAll("[data-expires]")) if (!el.closest("[data-clock=still]")) run(el, now);
    }
  };

  tick();
  setInterval(tick, 1000);
  // A picture that has just come in was drawn a moment ago.
  const arrived = (m) => [...m.addedNodes].some((n) => n.nodeType === 1 && (n.matches("[data-picture]") || n.querySelector("[data-picture]")));
  new MutationObserver((all) => all.some(arrived) && tick()).observe(document, { childList: true, subtree: true });
})();
