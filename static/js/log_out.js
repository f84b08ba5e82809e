// A log-out takes along what this tab keeps of a person: the last answers and the pace. Answers that
// were not sent yet are elsewhere (labeling/shelf.js) and stay for whoever gave them.

addEventListener("submit", ({ target }) => {
  if (target.id !== "log-out") return;
  // Listened for only now, so that it comes after those who keep something for a reload.
  addEventListener("pagehide", () => {
    try {
      sessionStorage.clear();
    } catch {
      // Storage is switched off: nothing was kept.
    }
  });
});
