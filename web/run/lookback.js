// Looking back: goes through the steps of a run and shows the run as it stood
// then. The stream of the run continues to update the hidden current parts, so
// nothing moves and nothing is missed.
(() => {
  const $ = (id) => document.getElementById(id);
  const steps = () => $("trace")?.children ?? [];
  let looked = null; // the step that is shown; null is the latest
  let asking = null;

  const show = () => {
    const bar = $("scrubber");
    if (!bar) return;
    const all = steps();
    if (looked && !looked.isConnected) leave(); // another run is shown
    const at = looked ? [...all].indexOf(looked) + 1 : all.length;
    bar.hidden = all.length === 0;
    $("scrub").max = Math.max(1, all.length);
    $("scrub").value = at;
    const words = looked ? `looking back: step ${at} of ${all.length}${$("stream") ? ` · the ${$("run").dataset.replay ? "replay" : "run"} continues` : ""}` : `step ${at}`;
    if ($("looking").textContent !== words) $("looking").textContent = words;
    for (const [to, off] of [["first", at <= 1], ["back", at <= 1], ["forward", !looked], ["now", !looked]]) {
      bar.querySelector(`[data-look=${to}]`).setAttribute("aria-disabled", off);
    }
  };

  const leave = () => {
    asking?.abort();
    looked?.classList.remove("looked-at");
    looked = null;
    $("run")?.removeAttribute("data-past");
  };

  const look = async (index) => {
    const all = steps();
    leave();
    if (index >= all.length - 1) { show(); return; }
    looked = all[Math.max(0, index)];
    looked.classList.add("looked-at");
    const list = $("trace");
    const top = looked.offsetTop - list.clientHeight / 2;
    show();
    asking = new AbortController();
    try {
      const answer = await fetch(`/runs/${$("run").dataset.run}/at/${looked.id.slice(5)}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts.querySelectorAll("[data-into]")) $(part.dataset.into).replaceChildren(...part.childNodes);
      $("run").dataset.past = "";
      list.scrollTop = top;
    } catch (e) {
      if (e.name !== "AbortError") { leave(); show(); }
    }
  };

  const now = () => (looked ? [...steps()].indexOf(looked) : steps().length - 1);
  const go = { first: () => look(0), back: () => look(now() - 1), forward: () => looked && look(now() + 1), now: () => { leave(); show(); } };
  document.addEventListener("click", (e) => go[e.target.closest("[data-look]")?.dataset.look]?.());
  // A replay's links continue from the step that is shown.
  document.addEventListener("click", (e) => {
    const link = e.target.closest("a[data-continue]");
    const last = [...steps()].at(-1);
    if (!link || !last) return;
    const address = new URL(link.href);
    address.searchParams.set("after", last.id.slice(5));
    link.href = address;
  });
  document.addEventListener("input", (e) => { if (e.target.id === "scrub") look(Number(e.target.value) - 1); });
  new MutationObserver((all) => {
    if (all.some((m) => m.target.id === "trace" || [...m.addedNodes].some((n) => n.id === "run") || [...m.removedNodes].some((n) => n.id === "stream"))) show();
  }).observe(document.body, { childList: true, subtree: true });
  show();
})();
