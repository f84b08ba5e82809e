// Whether saving takes long although the link is live, by the server's word or by this page's clock,
// and the words for it. The person goes on: what they answered is kept.

import { word } from "./words.js";

const DELAYED_MS = 4000; // without a receipt for so long, it is worth saying that nothing is lost

export class Delay {
  now = false;
  #outbox;
  #notice;

  // notice(text, level) shows words for a while.
  constructor(outbox, notice) {
    this.#outbox = outbox;
    this.#notice = notice;
  }

  // The server has what was sent, and cannot save it yet.
  told() {
    this.#outbox.reassure();
    this.#begin();
  }

  end() {
    if (this.now) this.#notice(word("saved_again"), "info");
    this.now = false;
  }

  // The link is lost, which has words of its own.
  forget() {
    this.now = false;
  }

  // Looks at the clock.
  look() {
    const { waiting } = this.#outbox;
    if (waiting > DELAYED_MS) this.#begin();
    else if (!waiting) this.end();
  }

  #begin() {
    if (!this.now) this.#notice(word("delayed"), "warning");
    this.now = true;
  }
}
