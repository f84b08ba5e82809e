// The WebSocket of the live page: opens it, acknowledges each state, reopens it when it is lost.

import { whyRefused } from "../js/handshake.js";

// Rights can change at any time: after an open connection is refused, it is tried once more.
const REFUSALS = {
  4401: "You are logged out. Reload the page to log in.",
  4403: "Your account may not watch this campaign any more.",
  4404: "This campaign does not exist any more.",
  4409: "You have too many pages open. Close some, then reload this one.",
};
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
const PATIENCE_MS = 10000; // states come once a second, even while the database is away

export class Connection {
  #url;
  #on;
  #socket = null;
  #timer = 0;
  #attempt = 0;
  #admitted = false;

  // on: {message(object), lost(milliseconds until the next attempt), refused(words)}
  constructor(path, on) {
    this.#url = new URL(path, location.href);
    this.#url.protocol = this.#url.protocol === "https:" ? "wss:" : "ws:";
    this.#on = on;
    addEventListener("online", () => !this.#socket && this.open());
    this.open();
  }

  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#admitted = false;
    let opened = false;
    socket.onopen = () => (opened = true);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => (opened ? this.#lost(event.code) : this.#ask(socket));
    this.#expect();
  }

  // It did not open: the server may have said why.
  async #ask(socket) {
    const { code } = await whyRefused(this.#url);
    if (this.#socket === socket) this.#lost(code); // else this socket was given up meanwhile
  }

  #receive(message) {
    this.#attempt = 0;
    this.#admitted = true;
    this.#expect();
    if (message.type === "state") this.#socket.send('{"type":"seen"}');
    this.#on.message(message);
  }

  #expect() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(0), PATIENCE_MS);
  }

  #lost(code) {
    clearTimeout(this.#timer);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
    if (code in REFUSALS && this.#admitted) {
      this.open();
      return;
    }
    if (code in REFUSALS) {
      this.#on.refused(REFUSALS[code]);
      return;
    }
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    // Jitter, so that not all pages reconnect to a restarted server at once.
    const delay = longest * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.open(), delay);
    this.#on.lost(delay);
  }
}
