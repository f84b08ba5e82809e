// The queries held ahead. Each has its image element, fetched at once and decoded before it may be
// shown, so that the key press waits for neither the network nor the decoder.
//
// Decoding costs frames of its own. So it is done for the next few alone, right after an answer,
// when the next key press is furthest away.

const CONFIRM_MS = 2000; // after a reconnection the server sends again what is still ours
const LONGEST_RETRY_MS = 5000;
const TRIES = 6;
const AT_HAND = 2; // images decoded and painted ahead

export class Buffer {
  #turns = []; // as newTurn makes them: oldest first
  #on;
  #timer = 0;
  fetching = 0; // seconds that the last image took from its query to the browser

  // on: {ready(turn), broken(turn, reason), gone(turn), linked() → whether there is a connection}
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
  add({ query, image, proof }) {
    const turn = newTurn({ query, image, proof });
    this.#turns.push(turn);
    this.#bring(turn, 0);
  }

  // Has the next few images decoded; each is `ready` then. What was begun comes first, should the
  // image of an older query arrive later: it would be one more to decode.
  ripen() {
    const here = this.#turns.filter(({ loaded }) => loaded);
    for (const turn of here.toSorted((one, other) => other.ripe - one.ripe).slice(0, AT_HAND)) {
      turn.ripe = true;
      if (turn.ready) this.#on.ready(turn);
      else turn.ripen?.();
    }
  }

  // The next that can be shown at once, or undefined.
  take() {
    const at = this.#turns.findIndex((turn) => turn.ready);
    return at < 0 ? undefined : this.#turns.splice(at, 1)[0];
  }

  // The turn that was on the stage, when another takes its place there.
  putFirst(turn) {
    turn.ready = turn.loaded = turn.ripe = true;
    this.#turns.unshift(turn);
  }

  remove(id) {
    const at = this.#turns.findIndex((turn) => turn.id === String(id));
    if (at < 0) return undefined;
    const [turn] = this.#turns.splice(at, 1);
    discard(turn);
    return turn;
  }

  clear() {
    this.#turns.forEach(discard);
    this.#turns = [];
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

  async #bring(turn, tries) {
    const { element } = turn;
    const begun = performance.now();
    try {
      await loaded(element);
      turn.loaded = true;
      this.fetching = (performance.now() - begun) / 1000;
      const ripe = new Promise((ripen) => (turn.ripen = ripen));
      this.ripen();
      await ripe;
      await element.decode();
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
    if (this.#turns.includes(turn)) this.#on.ready(turn);
  }

  #again(turn, tries) {
    clearTimeout(turn.retry);
    turn.again = null;
    if (!this.#turns.includes(turn)) return;
    turn.element = newElement(turn.image);
    turn.loaded = turn.ripe = false;
    this.#bring(turn, tries);
  }
}

// loaded: its bytes are here; ripe: it is its turn to be decoded; ready: it is decoded; painted: it
// lies on the stage; confirmed: the server says that it is ours; again: tries once more to fetch it.
// proof: that it was sent to this person, for the server that may have lost that.
export function newTurn({ query, image, proof }) {
  return {
    id: String(query),
    query,
    image,
    proof,
    element: newElement(image),
    loaded: false,
    ripe: false,
    ready: false,
    painted: false,
    confirmed: true,
    again: null,
  };
}

function discard(turn) {
  turn.element.remove();
  turn.painted = false;
}

function loaded(element) {
  if (element.complete && element.naturalWidth) return undefined;
  return new Promise((done, failed) => {
    element.addEventListener("load", done, { once: true });
    element.addEventListener("error", failed, { once: true });
  });
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
    const answer = await fetch(url, { cache: "no-store" });
    const { ok, status } = answer;
    if (ok && (await isPicture(answer))) return "network"; // it has come back meanwhile
    if (ok || status === 404 || status === 410 || status === 415) return "broken";
    return status >= 500 || status === 429 ? "network" : "refused";
  } catch {
    return "network";
  }
}

async function isPicture(answer) {
  const data = await answer.blob();
  return createImageBitmap(data).then(
    () => true,
    () => false,
  );
}
