// Before anything is painted: the theme that was chosen, or the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = "auto";
    try { chosen = localStorage.getItem("chancery-theme") || "auto"; } catch { /* no storage: auto */ }
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    const root = document.documentElement;
    root.setAttribute("data-bs-theme", dark ? "dark" : "light");
    root.setAttribute("data-theme-choice", chosen);
    root.classList.add("js");
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("chancery:theme", apply);
})();
