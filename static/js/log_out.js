// A log-out clears what this tab stores of a person: the last answers and the pace. Unsent answers
// are elsewhere (labeling/shelf.js) and are kept for the person who gave them.

addEventListener("submit", ({ target }) => {
  if (target.id !== "log-out") return;
  // Added only now, so that it runs after the listeners that store something for a reload.
  addEventListener("pagehide", () => {
    try {
      sessionStorage.clear();
    } catch {
      // Storage is switched off: nothing was stored.
    }
  });
});
