// The instructions: a sheet that slides in. While it is open no key answers.

import { choiceButton } from "./rail.js";

export class Help {
  #sheet = document.getElementById("help");

  // covered(boolean) is called when the sheet opens and when it has closed.
  constructor(covered) {
    const sheet = this.#sheet;
    document.getElementById("help-open").addEventListener("click", () => this.toggle());
    sheet.addEventListener("close", () => covered(false));
    // A click beside the sheet falls on the dialog itself, which has no padding.
    sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
    this.covered = covered;
  }

  get open() {
    return this.#sheet.open;
  }

  toggle() {
    if (this.open) {
      this.#sheet.close();
      return;
    }
    this.#sheet.showModal();
    this.covered(true);
  }

  fill(choices, hasSearch) {
    const list = document.getElementById("help-choices");
    list.replaceChildren(...choices.map((choice) => choiceButton(choice, "li")));
    for (const row of this.#sheet.querySelectorAll(".for-search")) row.hidden = !hasSearch;
  }
}
