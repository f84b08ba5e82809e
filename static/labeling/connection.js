// The WebSocket: opens it, reopens it when it is lost, and notices when it is half dead or another
// person's. It knows nothing of images or answers.

import { whyRefused } from "../js/handshake.js";

const PROTOCOL = "nowait.v1";
const REFUSALS = new Set([4401, 4403, 4404, 4409, 4429]);
// The log-in and its rights can change in another tab at any time.
const STRANGER = "stranger";
const PERSONAL = new Set([4401, 4403, STRANGER]);
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
const STEADY_MS = 1000; // a link that lived this long resets the back-off
const PATIENCE_MS = 10000; // for the handshake and the welcome together
const SOON_MS = 5000; // a failure later than this is no refusal: no place was free
const DONE = 1000; // the close code for leaving on purpose

export class Connection {
  #url;
  #on;
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #status = "connecting"; // connecting → live → reconnecting → live …, or refused, or resting
  #annotator;
  #refusal = null; // the last code

  // annotator: the id of the page's person; on: {hello() → the first message of each connection,
  // message(object), status(word), refused(code, name of who is logged in)}; the code is "stranger"
  // if another person is logged in.
  constructor(path, annotator, on) {
    this.#annotator = annotator;
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#url = url;
    this.#on = on;
    addEventListener("online", () => this.#status === "reconnecting" && this.restart());
    // The browser knows before TCP does. Keep trying: the server may be on this machine.
    addEventListener("offline", () => this.live && this.#lost(0));
    // Somebody may have logged in in another tab.
    addEventListener("focus", () => {
      if (this.#status === "refused" && PERSONAL.has(this.#refusal)) this.restart();
    });
  }

  get live() {
    return this.#status === "live";
  }

  get status() {
    return this.#status;
  }

  // Opens a connection now, in place of any former one.
  restart() {
    this.#drop();
    if (this.live) this.#setStatus("reconnecting");
    this.#open();
  }

  // After a refusal or a rest, when the person asks.
  retry() {
    this.#attempt = 0;
    this.#setStatus("connecting");
    this.restart();
  }

  // Closes the connection until `retry`, which hands back all turns held here.
  rest() {
    this.#drop(DONE);
    this.#setStatus("resting");
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open() {
    const socket = new WebSocket(this.#url, PROTOCOL);
    const began = performance.now();
    let opened = false;
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(0), PATIENCE_MS);
    // After a refusal, ask for nothing until the welcome says who is logged in.
    socket.onopen = () => {
      opened = true;
      if (this.#status !== "refused") this.send(this.#on.hello());
    };
    socket.onclose = (event) => {
      const soon = performance.now() - began < SOON_MS;
      if (opened || !soon || !navigator.onLine) this.#lost(event.code);
      else this.#ask(socket);
    };
    socket.onmessage = (event) => this.#receive(event.data);
  }

  // It did not open: the server may say why.
  async #ask(socket) {
    const { code, name } = await whyRefused(this.#url);
    if (this.#socket === socket) this.#lost(code, name); // else another was opened meanwhile
  }

  #receive(text) {
    const message = JSON.parse(text);
    if (message.type === "welcome") {
      const { id, name } = message.annotator;
      if (id !== this.#annotator) {
        this.#drop(DONE); // hands back what was claimed for them
        this.#refuse(STRANGER, name);
        return;
      }
      if (this.#status === "refused") this.send(this.#on.hello());
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => (this.#attempt = 0), STEADY_MS);
      this.#setStatus("live");
    }
    this.#on.message(message);
  }

  // name: who is logged in, if the server refused them.
  #lost(code, name = null) {
    this.#drop();
    if (this.live && PERSONAL.has(code)) {
      // Ask again: a new log-in may have replaced the old one.
      this.#setStatus("reconnecting");
      this.#open();
      return;
    }
    if (REFUSALS.has(code)) {
      this.#refuse(code, name);
      return;
    }
    if (this.#status === "live") this.#setStatus("reconnecting");
    // Full jitter, so that a thousand people do not come back in the same instant.
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), Math.random() * longest);
  }

  #refuse(code, name) {
    this.#refusal = code;
    this.#setStatus("refused");
    this.#on.refused(code, name);
  }

  // Lets go of the socket at once: the closing handshake of a dead link can take minutes.
  #drop(code) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close(code);
  }

  #setStatus(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.#on.status(status);
  }
}
