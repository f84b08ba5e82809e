// The queries held ahead. Each has its image element, decoded before it may be shown, so that the
// key press waits for neither the network nor the decoder.

const CONFIRM_MS = 2000; // after a reconnection the server sends again what is still ours
const LONGEST_RETRY_MS = 5000;
const TRIES = 6;

export class Buffer {
  #turns = []; // {id, query, image, element, ready, confirmed, again}: oldest first
  #on;
  #timer = 0;

  // on: {ready(), broken(turn, reason), gone(turn), linked() → whether there is a connection}
  constructor(on) {
    this.#on = on;
  }

  get size() {
    return this.#turns.length;
  }

  find(id) {
    return this.#turns.find((turn) => turn.id === String(id));
  }

  // A query from the server: its turn waits until the image is decoded.
  add({ query, image }) {
    const turn = newTurn({ query, image });
    this.#turns.push(turn);
    this.#decode(turn, 0);
  }

  // The next that can be shown at once, or undefined.
  take() {
    const at = this.#turns.findIndex((turn) => turn.ready);
    return at < 0 ? undefined : this.#turns.splice(at, 1)[0];
  }

  // The turn that was on the stage, when another takes its place there.
  putFirst(turn) {
    turn.ready = true;
    this.#turns.unshift(turn);
  }

  remove(id) {
    const at = this.#turns.findIndex((turn) => turn.id === String(id));
    return at < 0 ? undefined : this.#turns.splice(at, 1)[0];
  }

  // After a welcome: what the server does not send again soon has gone to others. `shown` is the
  // turn on the stage, which is not in here.
  expectAgain(shown) {
    const held = shown ? [shown, ...this.#turns] : [...this.#turns];
    for (const turn of held) {
      turn.confirmed = false;
      turn.again?.(); // there is a network again
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const turn of held) if (!turn.confirmed) this.#on.gone(turn);
    }, CONFIRM_MS);
  }

  // The link is lost again: nothing can be said until the next welcome.
  expectNothing() {
    clearTimeout(this.#timer);
  }

  async #decode(turn, tries) {
    try {
      await turn.element.decode();
      turn.ready = true;
    } catch {
      const reason = await reasonOf(turn.image.url);
      if (!this.#turns.includes(turn)) return;
      // Without a link it is the network's fault, however often it is tried.
      if (reason === "network" && (tries < TRIES || !this.#on.linked())) {
        const wait = Math.min(LONGEST_RETRY_MS, 250 * 2 ** tries);
        turn.again = () => this.#again(turn, tries + 1);
        turn.retry = setTimeout(turn.again, wait);
        return;
      }
      this.remove(turn.id);
      this.#on.broken(turn, reason === "broken" ? "bad_image" : "other");
      return;
    }
    this.#on.ready();
  }

  #again(turn, tries) {
    clearTimeout(turn.retry);
    turn.again = null;
    if (!this.#turns.includes(turn)) return;
    turn.element = newElement(turn.image);
    this.#decode(turn, tries);
  }
}

export function newTurn({ query, image }) {
  const element = newElement(image);
  return { id: String(query), query, image, element, ready: false, confirmed: true, again: null };
}

function newElement({ url, width, height }) {
  const element = new Image();
  element.decoding = "async";
  element.draggable = false;
  element.alt = "";
  if (width && height) {
    element.width = width;
    element.height = height;
  }
  element.src = url;
  return element;
}

// Only an image that arrives and cannot be read, or that is not there, is a bad image: a lost
// network or a link that is no longer valid says nothing about it.
async function reasonOf(url) {
  try {
    const { ok, status } = await fetch(url, { cache: "no-store" });
    if (ok || status === 404 || status === 410 || status === 415) return "broken";
    return status >= 500 || status === 429 ? "network" : "refused";
  } catch {
    return "network";
  }
}
