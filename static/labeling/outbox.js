// Messages that the server has not confirmed: each has its own id, is kept in this browser until it
// is answered, and is resent with the same id after a lost connection. An answer that the server
// asks for again is also kept, until the person has answered anew.

import { Shelf } from "./shelf.js";

const WINDOW = 10; // most messages under way: the server limits them
const PATIENCE_MS = 10000; // without an answer for this long, the link counts as dead
const PAUSE_MS = 1000; // after `rate_limited`

export class Outbox {
  #shelf;
  #send;
  #entries = new Map(); // id → {message, at, sent, overtaken}, oldest first
  #last = 0;
  #reassured = 0; // when the server last said that it has our messages
  #pausedUntil = 0;

  // send(message) is called for each message when its turn comes, changed() after each change,
  // unkept() when this browser stores nothing: messages are then in the page's memory only, and
  // leaving warns.
  constructor({ place, send, changed, unkept }) {
    this.#shelf = new Shelf(place, unkept);
    this.#send = send;
    this.changed = changed;
  }

  // Loads what earlier pages left. Call it before the first `put`.
  async load() {
    for (const { message, at } of await this.#shelf.open()) {
      // An older page did not send a version: no list has this one.
      if (message.type === "label") message.choices_version ??= 0;
      this.#entries.set(message.id, { message, at, sent: 0 });
      this.#last = at;
    }
  }

  // Messages still to be confirmed.
  get size() {
    return this.#open.length;
  }

  get messages() {
    return this.#open.map((entry) => entry.message);
  }

  // Whether this browser keeps them beyond the life of the page.
  get kept() {
    return this.#shelf.works;
  }

  get #open() {
    return [...this.#entries.values()].filter((entry) => !entry.overtaken);
  }

  // Keeps the message, then sends it if the link is up. Returns its id.
  put(fields) {
    const id = newId();
    if (fields.query) this.forget(fields.query);
    this.#last = Math.max(this.#last + 1, Date.now()); // order survives a reload
    const entry = { message: { ...fields, id }, at: this.#last, sent: 0 };
    this.#entries.set(id, entry);
    this.#shelf.keep(entry);
    this.changed();
    return id;
  }

  // The server answered: returns the message, or undefined if it is not (or no longer) ours.
  settle(id) {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    this.#shelf.drop(id);
    this.changed();
    return entry.message;
  }

  // The classes changed before this answer came: ask again. Returns the message as above.
  overtake(id) {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    entry.overtaken = true;
    this.changed();
    return entry.message;
  }

  // This query is answered anew, or somebody else's.
  forget(query) {
    for (const { message, overtaken } of [...this.#entries.values()]) {
      if (overtaken && String(message.query) === String(query)) this.settle(message.id);
    }
  }

  // Seconds since a message was sent; 0 if it is not ours or not sent on this connection.
  onTheWay(id) {
    const sent = this.#entries.get(id)?.sent;
    return sent ? (performance.now() - sent) / 1000 : 0;
  }

  // Sends messages not under way yet, oldest first.
  pump() {
    const now = performance.now();
    if (now < this.#pausedUntil) return;
    let onTheWay = 0;
    for (const entry of this.#open) {
      if (!entry.sent) {
        entry.sent = now;
        this.#send(entry.message);
      }
      onTheWay += 1;
      if (onTheWay === WINDOW) break;
    }
  }

  // A new connection: nothing is under way any more.
  resend() {
    for (const entry of this.#entries.values()) entry.sent = 0;
    this.#pausedUntil = 0;
    this.pump();
  }

  // Too fast: resend everything, in order, in a moment.
  pause() {
    if (performance.now() < this.#pausedUntil) return;
    this.#pausedUntil = performance.now() + PAUSE_MS;
    setTimeout(() => this.resend(), PAUSE_MS);
  }

  // Milliseconds that the oldest message has been under way; 0: none is.
  get waiting() {
    const [oldest] = this.#open;
    return oldest?.sent ? performance.now() - oldest.sent : 0;
  }

  // The server has our messages but cannot save them yet: the link is alive.
  reassure() {
    this.#reassured = performance.now();
  }

  get overdue() {
    return this.waiting > PATIENCE_MS && performance.now() - this.#reassured > PATIENCE_MS;
  }
}

// A version 4 UUID. crypto.randomUUID exists in secure contexts only, and a site in a local
// network may be reached by plain http.
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
