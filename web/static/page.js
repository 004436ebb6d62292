// What a page does besides htmx: theme and projector mode, following the newest
// step, and reporting that the server is unreachable.
(() => {
  const root = document.documentElement;
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private browsing */ } };
  const $ = (id) => document.getElementById(id);

  // The trace follows its newest step unless the reader scrolled up or opened a
  // step.
  let following = true;
  const trace = () => $("trace");
  const follow = () => {
    const list = trace();
    if (!list) return;
    if (following && !list.closest("[data-past]")) list.scrollTop = list.scrollHeight;
    document.querySelector("[data-act=newest]").hidden = following;
  };
  document.addEventListener("scroll", (e) => {
    const list = e.target;
    if (list !== trace()) return;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    if (atEnd !== following) { following = atEnd; follow(); }
  }, true);
  document.addEventListener("toggle", (e) => {
    if (!e.target.open || !trace()?.contains(e.target)) return;
    following = false;
    follow();
  }, true);
  new MutationObserver((all) => {
    const isNew = ({ addedNodes }) => [...addedNodes].some((n) => n.nodeType === 1 && (n.id === "run" || n.querySelector("#trace")));
    if (all.some(isNew)) following = true;
    if (following || all.some((m) => m.target === trace())) follow();
  }).observe(document.body, { childList: true, subtree: true });

  const acts = {
    theme() {
      const dark = getComputedStyle(root).colorScheme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
      root.dataset.theme = dark ? "light" : "dark";
      store("theme", root.dataset.theme);
    },
    projector() {
      root.toggleAttribute("data-projector");
      store("projector", root.hasAttribute("data-projector") ? "on" : "off");
      showProjector();
    },
    // Without the clipboard API (an insecure page, a browser that asks first), the
    // text is copied from a hidden field.
    async copy(button) {
      const answer = await fetch(button.dataset.from, { method: "POST" });
      const text = await answer.text();
      if (!answer.ok) { say("notice", "Nothing to copy: the token is no longer valid."); return; }
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text, className: "unseen" }));
        field.select();
        document.execCommand("copy");
        field.remove();
      }
      button.textContent = "Copied";
    },
    dismiss(button) { button.closest(".revocation").remove(); },
    newest() {
      following = true;
      follow();
    },
  };
  const showProjector = () => document.querySelector("[data-act=projector]")?.setAttribute("aria-pressed", root.hasAttribute("data-projector"));
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-act]");
    acts[button?.dataset.act]?.(button);
  });

  // A request that failed is shown, with its time, until the next one.
  const say = (id, message) => {
    const place = $(id);
    if (!message) { place.replaceChildren(); return; }
    if (place.firstChild) return;
    const p = document.createElement("p");
    p.className = "notice";
    p.textContent = message;
    place.append(p);
  };
  const time = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  document.addEventListener("htmx:error", (e) => {
    say("notice", `No response from ${location.host} at ${time()}. Check that the server is running.`);
  });
  document.addEventListener("htmx:before:request", () => say("notice", ""));
  document.addEventListener("click", (e) => e.target.closest(".notice")?.remove());

  showProjector();
  follow();
})();
