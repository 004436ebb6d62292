// The rail shows the trace while a run is live and the answer once it has ended,
// unless the reader has chosen a tab or reads an earlier step.
(() => {
  const $ = (id) => document.getElementById(id);
  let chosen = false;
  document.addEventListener("change", (e) => {
    if (e.target.name === "rail") chosen = true;
    if (e.target.id === "show-cleanup" && e.target.checked && $("tab-trace")) $("tab-trace").checked = chosen = true;
  });
  new MutationObserver((all) => {
    if (all.some((m) => [...m.addedNodes].some((n) => n.id === "run"))) chosen = false;
    const reading = () => document.querySelector("[data-act=newest]")?.hidden === false;
    if (!chosen && !reading() && all.some((m) => [...m.removedNodes].some((n) => n.id === "stream")) && $("run") && !$("stream") && $("tab-answer")) $("tab-answer").checked = true;
  }).observe(document.body, { childList: true, subtree: true });
})();
