// The turns held ahead. Each has its image element, fetched at once and decoded before it may be
// shown, so that a key press waits for neither the network nor the decoder.
//
// Decoding costs frames. So only the next few images are decoded, right after an answer, when the
// next key press is furthest away.

import { Knocking, browserName, whyNot } from "./pictures.js";

const CONFIRM_MS = 2000; // after a reconnection the server resends turns still ours
const AT_HAND = 2; // images decoded and painted ahead
// An image that fails this often and long, while others load, is passed over.
const TRIES = 6;
const GIVE_UP_MS = 60000;
const ODD = 3; // times that it is whole but cannot be shown

export class Buffer {
  #turns = []; // as newTurn makes them: oldest first
  #on;
  #timer = 0;
  #knocking = new Knocking();
  #cameAt = 0; // when an image was last fetched
  fetching = 0; // seconds from the last image's query until it was fetched

  // on: {ready(turn), unshown(turn, problem, detail), waits(), gone(turn)}; waits() is called when
  // an image cannot be fetched for now.
  constructor(on) {
    this.#on = on;
  }

  // Whether images have failed to load for long enough to say so.
  get failing() {
    return this.#knocking.lasting;
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
    this.#bring(turn);
  }

  // The server resent a turn, perhaps with a newer address: the former may have expired.
  renew(turn, image) {
    if (turn.image.url === image.url) return;
    turn.image = image;
    if (!turn.loaded) turn.again?.();
  }

  // Takes a turn from the stage whose image cannot be shown there.
  bringAgain(turn) {
    this.#turns.unshift(turn);
    this.#again(turn);
  }

  // Has the next few images decoded; each is `ready` then. Images already begun come first, or one
  // of an older query that arrives later would be one more to decode.
  ripen() {
    const here = this.#turns.filter(({ loaded }) => loaded);
    for (const turn of here.toSorted((one, other) => other.ripe - one.ripe).slice(0, AT_HAND)) {
      turn.ripe = true;
      if (turn.ready) this.#on.ready(turn);
      else turn.ripen?.();
    }
  }

  // The next turn that can be shown at once, or undefined.
  take() {
    const at = this.#turns.findIndex((turn) => turn.ready);
    return at < 0 ? undefined : this.#turns.splice(at, 1)[0];
  }

  // Takes back the turn on the stage when another replaces it there.
  putFirst(turn) {
    turn.ready = turn.loaded = turn.ripe = true;
    this.#turns.unshift(turn);
  }

  remove(id) {
    const at = this.#turns.findIndex((turn) => turn.id === String(id));
    if (at < 0) return undefined;
    const [turn] = this.#turns.splice(at, 1);
    this.#knocking.forget(turn);
    discard(turn);
    return turn;
  }

  clear() {
    for (const turn of this.#turns) {
      this.#knocking.forget(turn);
      discard(turn);
    }
    this.#turns = [];
  }

  // After a welcome: turns that the server does not resend soon have gone to others. `shown`: the
  // turn on the stage, which is not in here.
  expectAgain(shown) {
    const held = shown ? [shown, ...this.#turns] : [...this.#turns];
    for (const turn of held) turn.confirmed = false;
    this.#knocking.all(); // the network is back
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const turn of held) if (!turn.confirmed) this.#on.gone(turn);
    }, CONFIRM_MS);
  }

  // The link is lost again: nothing is known until the next welcome.
  expectNothing() {
    clearTimeout(this.#timer);
  }

  async #bring(turn) {
    const { element } = turn;
    const begun = performance.now();
    try {
      await loaded(element);
      turn.loaded = true;
      this.#cameAt = performance.now();
      this.fetching = (this.#cameAt - begun) / 1000;
      this.#knocking.came(turn);
      const ripe = new Promise((ripen) => (turn.ripen = ripen));
      this.ripen();
      await ripe;
      await element.decode();
      turn.ready = true;
    } catch {
      await this.#failed(turn);
      return;
    }
    if (this.#turns.includes(turn)) this.#on.ready(turn);
  }

  // Asks why. Only what is certain about an image is reported.
  async #failed(turn) {
    const why = await whyNot(turn.image.url);
    if (!this.#turns.includes(turn)) return;
    turn.failures += 1;
    turn.failedAt ??= performance.now();
    if (why.whole) turn.odd += 1;
    const problem = why.problem || this.#givenUp(turn);
    if (problem) {
      this.remove(turn.id);
      this.#on.unshown(turn, problem, why.detail ?? browserName());
      return;
    }
    turn.again = () => this.#again(turn);
    this.#knocking.add(turn);
    this.#on.waits();
  }

  #givenUp(turn) {
    if (turn.odd >= ODD) return "not_decodable";
    const long = performance.now() - turn.failedAt > GIVE_UP_MS;
    // If no other image came meanwhile, this one may not be at fault.
    const alone = this.#cameAt > turn.failedAt;
    return long && alone && turn.failures >= TRIES ? "not_loaded" : "";
  }

  #again(turn) {
    turn.again = null;
    if (!this.#turns.includes(turn)) return;
    turn.element = newElement(turn.image);
    turn.loaded = turn.ripe = turn.ready = false;
    this.#bring(turn);
  }
}

// loaded: its bytes are here; ripe: it may be decoded; ready: it is decoded; painted: it lies on
// the stage; confirmed: the server says that it is ours; again: fetches it once more after a
// failure; failures, failedAt, odd: how often, since when, and how often the image was whole.
// proof: that it was sent to this person, in case the server lost the lease.
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
    failures: 0,
    failedAt: null,
    odd: 0,
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
