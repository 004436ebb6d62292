// Before the first paint: the theme and size that this reader chose.
(() => {
  const root = document.documentElement;
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const theme = stored("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  if (stored("projector") === "on") root.dataset.projector = "";
})();
