// The WebSocket: opens it, opens it again when it is lost, and finds out when it is half dead.
// It knows nothing of images or answers.

const PROTOCOL = "nowait.v1";
const REFUSALS = new Set([4401, 4403, 4404, 4409, 4429]);
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
const STEADY_MS = 1000; // a link that lived so long starts the back-off afresh
const PATIENCE_MS = 10000; // for the handshake and the welcome together
const DONE = 1000; // the close code of who goes on purpose

export class Connection {
  #url;
  #on;
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #status = "connecting"; // connecting → live → reconnecting → live …, or refused, or resting

  // on: {hello() → the first message of each connection, message(object), status(word),
  //      refused(code)}
  constructor(path, on) {
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#url = url;
    this.#on = on;
    addEventListener("online", () => this.#status === "reconnecting" && this.restart());
    // The browser says so before TCP notices. Trying goes on: a server on this machine is there.
    addEventListener("offline", () => this.live && this.#lost(0));
  }

  get live() {
    return this.#status === "live";
  }

  get status() {
    return this.#status;
  }

  // Opens a connection now, in place of one that there may be.
  restart() {
    this.#drop();
    if (this.live) this.#setStatus("reconnecting");
    this.#open();
  }

  // After a refusal, when the person asks for it.
  retry() {
    this.#attempt = 0;
    this.#setStatus("connecting");
    this.restart();
  }

  // Closes it for good, which hands everything back that is held here, until `retry`.
  rest() {
    this.#drop(DONE);
    this.#setStatus("resting");
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open() {
    const socket = new WebSocket(this.#url, PROTOCOL);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(0), PATIENCE_MS);
    socket.onopen = () => this.send(this.#on.hello());
    socket.onclose = (event) => this.#lost(event.code);
    socket.onmessage = (event) => this.#receive(event.data);
  }

  #receive(text) {
    const message = JSON.parse(text);
    if (message.type === "welcome") {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => (this.#attempt = 0), STEADY_MS);
      this.#setStatus("live");
    }
    this.#on.message(message);
  }

  #lost(code) {
    this.#drop();
    if (REFUSALS.has(code)) {
      this.#setStatus("refused");
      this.#on.refused(code);
      return;
    }
    if (this.#status === "live") this.#setStatus("reconnecting");
    // Full jitter, so that a thousand people do not come back in the same instant.
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), Math.random() * longest);
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
