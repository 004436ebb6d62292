// What the stream of a run does not send to everyone: the parts on tabs that few
// have open, and what a line of the trace opens to. They are fetched when they are
// shown.
(() => {
  const $ = (id) => document.getElementById(id);
  const stale = new Set();
  let after = ""; // the last event that a replay has shown

  const refresh = () => {
    const run = $("run");
    for (const name of stale) {
      const part = $(name);
      if (!part?.checkVisibility()) continue;
      stale.delete(name);
      const at = run.dataset.replay ? `?after=${after}` : "";
      htmx.ajax("GET", `/runs/${run.dataset.run}/parts/${name}${at}`, { target: part, source: part, swap: "innerMorph" });
    }
  };
  document.addEventListener("stream:stale", (e) => { for (const name of e.detail.split(" ")) stale.add(name); });
  document.addEventListener("change", refresh);
  setInterval(refresh, 300);

  document.addEventListener("stream:message", () => {
    const last = $("trace")?.lastElementChild;
    if (!last) return;
    after = last.id.slice(5);
    const words = last.querySelector(".what").textContent.trim();
    if ($("newest").textContent !== words) $("newest").textContent = words;
  });

  document.addEventListener("toggle", (e) => {
    const address = e.target.open && e.target.dataset.detail;
    if (!address) return;
    delete e.target.dataset.detail;
    htmx.ajax("GET", address, { target: e.target, source: e.target, swap: "beforeend" });
  }, true);
})();
