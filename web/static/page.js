// What a page does beside htmx: keys, the ground, and following the newest step.
(() => {
  const root = document.documentElement;
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private browsing */ } };

  const acts = {
    theme() {
      root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
      store("theme", root.dataset.theme);
    },
    projector() {
      const on = !("projector" in root.dataset);
      if (on) root.dataset.projector = ""; else delete root.dataset.projector;
      store("projector", on ? "on" : "off");
      document.querySelector("[data-act=projector]")?.setAttribute("aria-pressed", on);
    },
  };

  // A scenario fills in the form and starts.
  const play = (button) => {
    const form = document.getElementById("request-form");
    if (!form) return;
    form.elements.scenario.value = button.dataset.scenario;
    form.elements.patient_id.value = button.dataset.patient;
    form.elements.request.value = button.dataset.request;
    form.requestSubmit();
  };

  document.addEventListener("click", (e) => {
    const act = e.target.closest("[data-act]");
    if (act) acts[act.dataset.act]?.();
    const scenario = e.target.closest("[data-scenario]");
    if (scenario) play(scenario);
  });

  // What is typed is no scenario any more.
  document.addEventListener("input", (e) => {
    const form = e.target.closest("#request-form");
    if (form && e.target.name !== "pace") form.elements.scenario.value = "";
  });

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea")) return;
    const press = (selector) => {
      const button = document.querySelector(selector);
      if (button) { e.preventDefault(); button.click(); }
    };
    if (/^[0-9]$/.test(e.key)) press(`[data-key="${e.key}"]`);
    else if (e.key === "n") press("[data-next]");
    else if (e.key === "x") press("[data-cancel]");
    else if (e.key === "d") acts.theme();
    else if (e.key === "p") acts.projector();
    else if (e.key === "/") press("#request") ?? document.getElementById("request")?.focus();
  });

  // Follow the newest step, unless the reader scrolled up or opened one.
  let following = true;
  document.addEventListener("scroll", (e) => {
    if (e.target.id === "trace") following = e.target.scrollHeight - e.target.scrollTop - e.target.clientHeight < 24;
  }, true);
  document.addEventListener("toggle", (e) => {
    if (e.target.closest?.("#trace") && e.target.open) following = false;
  }, true);
  const follow = () => {
    const trace = document.getElementById("trace");
    if (trace && following) trace.scrollTop = trace.scrollHeight;
  };
  new MutationObserver((all) => {
    for (const m of all) {
      if (m.target.id === "trace") follow();
      else if ([...m.addedNodes].some((n) => n.querySelector?.("#trace"))) { following = true; follow(); }
    }
  }).observe(document.body, { childList: true, subtree: true });
  document.querySelector("[data-act=projector]")?.setAttribute("aria-pressed", "projector" in root.dataset);
  follow();
})();
