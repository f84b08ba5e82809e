// What the page says of its connection, and of what waits in this browser.

const SLOW_MS = 2000; // an answer on its way for so long is worth a word
const UNREACHABLE_MS = 4000;
const KEPT = { 4401: "kept_out", stranger: "kept_owner" }; // words for what waits, by the refusal

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

  // The connection has another status.
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
