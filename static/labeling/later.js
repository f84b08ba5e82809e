// Defers drawing that is not urgent until after the next image, or a moment later if nobody
// answers: an extra frame at any other moment would make a key press wait for the next one.

const SEEN_MS = 40; // by then the next image is on the screen
const CALM_MS = 400; // draw without waiting for an answer any longer

export class Later {
  #draw;
  #timer = 0;
  #at = 0; // when to draw next; 0: nothing to draw

  constructor(draw) {
    this.#draw = draw;
  }

  afterImage() {
    this.#within(SEEN_MS);
  }

  whenCalm() {
    this.#within(CALM_MS);
  }

  #within(wait) {
    const at = performance.now() + wait;
    if (this.#at && this.#at <= at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#at = 0;
      this.#draw();
    }, wait);
  }
}
