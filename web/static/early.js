// Before the first paint: the ground and the size that this reader chose.
(() => {
  const root = document.documentElement;
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const dark = !matchMedia("(prefers-color-scheme: light)").matches;
  root.dataset.theme = stored("theme") ?? (dark ? "dark" : "light");
  if (stored("projector") === "on") root.dataset.projector = "";
})();
