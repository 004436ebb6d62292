// The drawer: opens the page of a token, or the explanation of a decision, over the
// run. A lane of the picture opens the token of its agent. Without scripts the links
// lead to the pages themselves.
(() => {
  const $ = (id) => document.getElementById(id);
  let dialog, shown, asking;

  const create = () => {
    dialog = document.body.appendChild(Object.assign(document.createElement("dialog"), { className: "drawer-dialog" }));
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  };
  const load = async (address) => {
    asking?.abort();
    asking = new AbortController();
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal: asking.signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const content = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".drawer");
    const at = [...dialog.querySelectorAll(".drawer-body > div")].map((part) => part.scrollTop);
    dialog.replaceChildren(content);
    dialog.setAttribute("aria-label", content.dataset.drawerTitle);
    window.htmx?.process(content);
    return at;
  };
  const open = async (address) => {
    if (!dialog) create();
    try {
      await load(address);
      shown = address;
      if (!dialog.open) dialog.showModal();
      dialog.querySelector(".drawer-close").focus();
    } catch (e) {
      if (e.name !== "AbortError") location.assign(address);
    }
  };
  // What is shown follows the run.
  const refresh = async () => {
    try {
      const at = await load(shown);
      [...dialog.querySelectorAll(".drawer-body > div")].forEach((part, i) => { part.scrollTop = at[i] ?? 0; });
    } catch { /* the next step tries again */ }
  };

  const lane = /-(clinical|prescription|billing)$/;
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-act=close-drawer]")) { dialog?.close(); return; }
    if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    const link = e.target.closest("a[data-drawer]");
    if (link) {
      e.preventDefault();
      open(link.href);
      return;
    }
    const part = e.target.closest("#run svg.hero g[id]");
    const category = part && lane.exec(part.id)?.[1];
    const past = $("run")?.hasAttribute("data-past") ? "past-" : "";
    const card = category && document.querySelector(`#${past}card-${category} a[data-drawer]`);
    if (card) open(card.href);
  });
  let soon;
  new MutationObserver((all) => {
    if (!dialog?.open || shown.includes("/why/") || !all.some((m) => m.target.id === "trace" || m.target.closest?.("#cards"))) return;
    clearTimeout(soon);
    soon = setTimeout(refresh, 300);
  }).observe(document.body, { childList: true, subtree: true });
})();
