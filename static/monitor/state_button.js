// Pause and run. The page shows the new state only once the database has it.

import { say } from "./dom.js";

export class StateButton {
  #form;
  #button;
  #asked = null;

  constructor(form, button) {
    this.#form = form;
    this.#button = button;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  show(state) {
    if (this.#asked !== null && this.#asked !== state) return;
    this.#asked = null;
    this.#button.disabled = false;
    this.#button.value = state === "running" ? "paused" : "running";
    say(this.#button, { running: "Pause", paused: "Run", finished: "Run again" }[state]);
  }

  async #send() {
    const body = new FormData(this.#form);
    body.set("state", this.#button.value);
    this.#asked = this.#button.value;
    this.#button.disabled = true;
    say(this.#button, this.#asked === "paused" ? "Pausing…" : "Starting…");
    try {
      const answer = await fetch(this.#form.action, { method: "POST", body });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    } catch {
      this.#asked = null;
      this.#button.disabled = false;
      say(this.#button, "Did not work. Try again");
    }
  }
}
