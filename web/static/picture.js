// Lets the tokens in the authority picture run out of time. What it goes by is
// said at Authority in web/picture.
(() => {
  // How far the server's clock is ahead. The page may state the server's time
  // when it was written (data-now on the root element); a picture drawn later
  // than that can only show that the server is further ahead.
  const stated = Number(document.documentElement.dataset.now);
  let ahead = stated ? stated - Date.now() : 0;

  const minutes = (ms) => {
    const s = Math.max(0, Math.ceil(ms / 1000));
    return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
  };

  const run = (el, now) => {
    const { expires, issued, then } = el.dataset;
    const left = expires - now;
    if (left <= 0) {
      el.classList.replace("pic-alive", "pic-ended");
      if (then !== undefined) el.textContent = then;
    }
    if (issued === undefined) return;
    if (el.localName === "circle") {
      const gone = Math.min(1, Math.max(0, 1 - left / (expires - issued)));
      el.setAttribute("stroke-dashoffset", (100 * gone).toFixed(1));
    } else {
      el.textContent = left > 0 ? minutes(left) : "";
    }
  };

  const tick = () => {
    for (const figure of document.querySelectorAll("[data-picture]:not([data-clock=still])")) {
      ahead = Math.max(ahead, (Number(figure.dataset.now) || -Infinity) - Date.now());
      const now = Date.now() + ahead;
      for (const el of figure.querySelectorAll("[data-expires]")) run(el, now);
    }
  };

  tick();
  setInterval(tick, 1000);
})();
