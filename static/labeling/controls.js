// Turns keys and clicks into actions.

import { isOurs } from "./keys.js";

const IN_PASSING = new Set(["Tab", "Shift", "Control", "Alt", "AltGraph", "Meta"]);

export function listen({ rail, help, meaning, isAway, goOn, answer, undo, act }) {
  addEventListener("keydown", (event) => {
    const { search } = rail;
    if (event.target === search && event.key === "Backspace" && !search.value && !event.repeat) {
      undo();
      return;
    }
    if (!isOurs(event)) return;
    const means = meaning(event);
    if (event.altKey && !means) return;
    const sheet = document.querySelector("dialog[open]");
    if (sheet && !(help.open && means?.action === "help")) return;
    if (isAway() && !IN_PASSING.has(event.key)) {
      event.preventDefault();
      goOn();
      return;
    }
    if (!means) return;
    if (means.search) {
      search.focus(); // the letter itself then lands in the field
      if (event.key === "/") event.preventDefault();
      return;
    }
    event.preventDefault();
    if (means.action) act(means.action);
    else if (answer(means)) rail.flash(means.choice);
  });

  addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.action) act(button.dataset.action);
    // A button pressed by pointer loses focus, or the next space bar would press it again; except
    // one that opens a sheet, which returns the focus when it closes.
    const sheets = button?.hasAttribute("aria-haspopup");
    if (event.detail && !sheets && button?.closest(".rail, .strip, .tools")) button.blur();
  });
}
