// Starting a run: a double click or a bounced key starts one run, the focus leaves
// the field that started it, and the chosen pace is remembered.
(() => {
  const $ = (id) => document.getElementById(id);
  const pause = 700; // milliseconds in which the same form is not sent again

  let sent = { by: null, at: 0 };
  document.addEventListener("submit", (e) => {
    if (e.target.id !== "request-form") return;
    const by = e.submitter?.value ?? "";
    if (by === sent.by && e.timeStamp - sent.at < pause) { e.preventDefault(); e.stopImmediatePropagation(); return; }
    sent = { by, at: e.timeStamp };
  }, true);
  document.addEventListener("htmx:error", () => { sent.by = null; });

  // The keys of a run that has just started ("n" for the next step) must not type
  // into the request. A reader who returns to the field stays there.
  let shown = $("run")?.dataset.run;
  document.addEventListener("htmx:after:swap", () => {
    const run = $("run")?.dataset.run;
    if (run === shown) return;
    shown = run;
    if (run && document.activeElement?.closest("#request-form .field")) $("main").focus({ preventScroll: true });
  });

  // A suggested patient is taken over, and the focus goes on to the request.
  document.addEventListener("click", (e) => {
    const id = e.target.closest("[data-suggest]")?.dataset.suggest;
    if (!id) return;
    $("patient").value = id;
    $("patient").removeAttribute("aria-invalid");
    e.target.closest(".field-error").remove();
    $("request").focus();
  });

  const store = {
    get pace() { try { return sessionStorage.getItem("pace"); } catch { return null; } },
    set pace(value) { try { sessionStorage.setItem("pace", value); } catch { /* private browsing */ } },
  };
  document.addEventListener("change", (e) => { if (e.target.id === "pace") store.pace = e.target.value; });
  const restore = () => {
    const choice = $("pace");
    if (choice && store.pace && [...choice.options].some((o) => o.value === store.pace)) choice.value = store.pace;
  };
  restore();
})();
