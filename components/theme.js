// Light or dark: follows the system until the person chooses, and remembers the choice in this browser.
// A classic script in <head>, so that the right colours are there at the first paint; it knows nothing of NiceGUI's elements.
(() => {
  const KEY = "livemon:theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  /** @returns {"light" | "dark" | "system"} */
  function choice() {
    try {
      const stored = localStorage.getItem(KEY);
      return stored === "light" || stored === "dark" ? stored : "system";
    } catch {
      return "system"; // storage is forbidden: the system's choice it is
    }
  }

  function apply() {
    const chosen = choice();
    const dark = chosen === "dark" || (chosen === "system" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.documentElement.dataset.themeChoice = chosen;
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", dark ? "#151a21" : "#ffffff");
    window.Quasar?.Dark?.set(dark);
  }

  /** @param {"light" | "dark" | "system"} chosen */
  function choose(chosen) {
    try {
      if (chosen === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, chosen);
    } catch {
      // not remembered, but still applied below for as long as the page stands
    }
    apply();
    window.dispatchEvent(new CustomEvent("livemon:theme", { detail: { choice: chosen } }));
  }

  system.addEventListener("change", apply);
  window.addEventListener("storage", (event) => event.key === KEY && apply());
  window.addEventListener("load", apply); // Quasar is there by now
  window.livemonTheme = { choice, choose };
  document.documentElement.dataset.secure = String(window.isSecureContext); // whether there can be a microphone: shell.css
  apply();
})();
