// Light, dark or the system's choice. A classic script in the head, so that the first paint already
// has the right colors; the switch appears once the page is parsed.
(() => {
  const KEY = "nowait.theme";
  const root = document.documentElement;

  function remembered() {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system"; // storage is switched off in this browser
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
  }

  function choose(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage is off: this page alone changes.
    }
    apply(theme);
  }

  apply(remembered());

  addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll("[data-theme-switch]")) place.hidden = false;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.addEventListener("click", () => choose(button.dataset.themeChoice));
    }
    apply(remembered());
  });

  // Another tab switched.
  addEventListener("storage", (event) => {
    if (event.key === KEY) apply(event.newValue ?? "system");
  });
})();
