// Shows the state of the connection, and the answers that wait in this browser.

const SLOW_MS = 2000; // say so if an answer is under way this long
const UNREACHABLE_MS = 4000;
const KEPT = { 4401: "kept_out", stranger: "kept_owner" }; // words, by the refusal

export class Link {
  unreachable = false;
  #labeler;
  #timer = 0;

  constructor(labeler) {
    this.#labeler = labeler;
  }

  show() {
    const { outbox, refusal, connection, view, who, delay } = this.#labeler;
    const slow = outbox.waiting > SLOW_MS;
    const kept = outbox.kept ? (KEPT[refusal] ?? "kept") : "held";
    const { status } = connection;
    const delayed = delay.now;
    view.link({ status, pending: outbox.size, slow, delayed, kept, name: who.name });
  }

  // The connection's status changed.
  changed() {
    const { connection, buffer, delay } = this.#labeler;
    clearTimeout(this.#timer);
    this.unreachable = false;
    if (connection.status === "connecting" || connection.status === "reconnecting") {
      delay.forget();
      buffer.expectNothing();
      this.#timer = setTimeout(() => {
        this.unreachable = true;
        this.#labeler.settle();
      }, UNREACHABLE_MS);
    }
    this.show();
    this.#labeler.settle();
  }
}
