// The image on the stage, whether it may be answered yet, and for how long it has been in view.
//
// The next images lie there, too, painted and nearly invisible: showing one only changes its
// opacity, so the frame after a key press has nothing to decode and nothing to redraw.

import { afterFrame } from "./frames.js";
import { word } from "./words.js";

export const SMALL = 100; // pixels: up to this an image is drawn as sharp squares, above smooth
const MAGNIFY = 64; // an 8-pixel image across a whole screen is harder to read, not easier

export class Stage {
  #stage;
  #frame;
  #broken;
  #armed = false;
  #frames = 0; // counts images shown, so that a late paint of an earlier one arms nothing
  #since = null; // when the image came into view, by performance.now(); null: not in view
  #seen = 0; // milliseconds in view before that
  #covered = false;
  turn = null;

  // broken(turn) is called when an image cannot be shown (any more).
  constructor({ stage, frame, broken }) {
    this.#stage = stage;
    this.#frame = frame;
    this.#broken = broken;
    document.addEventListener("visibilitychange", () => this.#tick());
  }

  // True once the image is painted: only then can it be answered.
  get armed() {
    return this.#armed && !this.#covered;
  }

  get shownMs() {
    return Math.round(this.#seen + (this.#since === null ? 0 : performance.now() - this.#since));
  }

  // While something covers the image, its time stops and it cannot be answered.
  set covered(covered) {
    this.#covered = covered;
    this.#tell();
  }

  // Paints a decoded image ahead.
  prepare(turn) {
    const { element } = turn;
    if (element.parentNode === this.#frame) return;
    this.#lay(turn, "waiting");
    const still = (act) => () => element.parentNode === this.#frame && act();
    afterFrame(still(() => afterFrame(still(() => (turn.painted = true)))));
  }

  show(turn) {
    this.#leave();
    const { element } = turn;
    this.#lay(turn, "now");
    this.turn = turn;
    this.#stage.dataset.query = turn.id;
    const number = this.#frames;
    const still = (act) => () => number === this.#frames && act();
    const arm = still(() => this.#arm());
    // An unpainted image is drawn by the next frame, which may be late; the one after is not.
    const paint = () => afterFrame(turn.painted ? arm : still(() => afterFrame(arm)));
    if (turn.ready) paint();
    else element.decode().then(still(paint), still(() => this.#broken(turn)));
  }

  // Takes the image off and returns its turn.
  clear() {
    const { turn } = this;
    this.#leave();
    this.turn = null;
    delete this.#stage.dataset.query;
    if (turn) turn.element.className = "image gone";
    if (turn) turn.painted = false;
    return turn;
  }

  // Removes gone images from the document, which need not delay the frame after a key press.
  sweep() {
    for (const element of this.#frame.querySelectorAll(".gone")) element.remove();
  }

  #lay({ element, image }, place) {
    const width = image.width || element.naturalWidth || 1;
    const height = image.height || element.naturalHeight || 1;
    const small = Math.max(width, height) <= SMALL;
    element.className = `image ${place}${small ? " small" : ""}`;
    element.alt = place === "now" ? word("image") : "";
    if (element.parentNode === this.#frame) return;
    element.style.setProperty("--ratio", width / height);
    element.style.setProperty("--most", `${width * (small ? MAGNIFY : 8)}px`);
    this.#frame.append(element);
  }

  #leave() {
    this.#frames += 1;
    this.#armed = false;
    this.#since = null;
    this.#seen = 0;
    this.#tell();
  }

  #arm() {
    this.#armed = true;
    this.#tell();
  }

  // Shows in the document whether it may be answered.
  #tell() {
    this.#stage.toggleAttribute("data-armed", this.armed);
    this.#tick();
  }

  #tick() {
    this.#seen += this.#since === null ? 0 : performance.now() - this.#since;
    const inView = this.#armed && !this.#covered && !document.hidden;
    this.#since = inView ? performance.now() : null;
  }
}
