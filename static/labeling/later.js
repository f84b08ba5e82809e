// What need not be seen at once is drawn after the next image, or a moment later when nobody
// answers: a frame of its own, at any moment, would make a key press wait for the one after it.

const SEEN_MS = 40; // by then the next image has come through to the screen
const CALM_MS = 400; // without an answer for so long, it is drawn without waiting for one

export class Later {
  #draw;
  #timer = 0;
  #at = 0; // when it is drawn next; 0: nothing is to be drawn

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
