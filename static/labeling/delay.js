// Tells the person that saving takes long although the link is live, by the server's notice or by
// this page's clock. The person can go on: answers are kept.

import { word } from "./words.js";

const DELAYED_MS = 4000; // without a receipt for this long, say that nothing is lost

export class Delay {
  now = false;
  #outbox;
  #notice;

  // notice(text, level) shows a toast.
  constructor(outbox, notice) {
    this.#outbox = outbox;
    this.#notice = notice;
  }

  // The server has the messages, but cannot save them yet.
  told() {
    this.#outbox.reassure();
    this.#begin();
  }

  end() {
    if (this.now) this.#notice(word("saved_again"), "info");
    this.now = false;
  }

  // The link is lost, which has its own words.
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
