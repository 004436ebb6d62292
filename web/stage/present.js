// The presenter's page: follows what happens on the stage, and counts the time.
(() => {
  if (!document.body.matches(".page-present")) return;

  // Whatever changes on the stage may change what the controls offer. They are
  // fetched at most four times a second, and once more after the last change.
  let due = 0, asked = 0;
  const fetchDesk = () => {
    due = 0;
    asked = performance.now();
    htmx.ajax("GET", "/present/desk", { source: document.getElementById("controls"), swap: "none" });
  };
  const changed = () => { due ||= setTimeout(fetchDesk, Math.max(0, 250 - (performance.now() - asked))); };
  if (!document.body.matches(".audience")) {
    for (const name of ["message", "look", "state"]) document.addEventListener(`stream:${name}`, changed);
    setInterval(changed, 20000); // phones that have joined, the broker's health
  }

  const clock = (ms) => {
    const s = Math.floor(Math.abs(ms) / 1000);
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  };
  let shown = "", began = 0;
  setInterval(() => {
    const timer = document.getElementById("timer");
    const { timer: at, due: end, length } = timer.dataset;
    const running = timer.hasAttribute("data-running");
    if (shown !== at + running) [shown, began] = [at + running, performance.now()];
    if (!running) return;
    const ms = Number(at) + performance.now() - began;
    timer.textContent = clock(ms);
    timer.classList.toggle("late", ms > end);
    document.getElementById("act-left").textContent = `${clock(end - ms)} ${ms > end ? "over" : "left"}`;
    document.querySelector("#timeline .past").setAttribute("width", Math.min(400, (400 * ms) / length));
  }, 250);
})();
