// The presenter's timer: starts at the server's value and counts on.
(() => {
  const two = (n) => String(n).padStart(2, "0");
  let shown, began;
  setInterval(() => {
    const timer = document.querySelector("[data-timer]");
    if (!timer) return;
    if (timer !== shown) [shown, began] = [timer, performance.now()];
    if (!timer.hasAttribute("data-running")) return;
    const ms = Number(timer.dataset.timer) + performance.now() - began;
    const s = Math.floor(ms / 1000);
    timer.textContent = `${Math.floor(s / 60)}:${two(s % 60)}`;
    timer.classList.toggle("late", ms > Number(timer.dataset.due));
  }, 250);
})();
