// Wheel, pinch, drag and swipe on the image. The viewer that zooms it is fetched at first use.

import { once } from "./once.js";

const SWIPE_PX = 60;
const SWIPE_MS = 600;

const within = (value, least, most) => Math.min(Math.max(value, least), most);

export class Gestures {
  #frame;
  #swiped;
  #viewer = null; // until first use
  #pointers = new Map(); // id → the last event
  #begun = null; // the event that began a swipe

  // words: the element that shows the view's changes. swiped(right): after a one-finger swipe.
  constructor({ stage, frame, words, swiped }) {
    this.#frame = frame;
    this.#swiped = swiped;
    this.load = once(async () => {
      const { Viewer } = await import("./viewer.js");
      return (this.#viewer = new Viewer(stage, frame, words));
    });
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    frame.addEventListener("pointermove", (event) => this.#drag(event));
    frame.addEventListener("pointerup", (event) => this.#up(event));
    frame.addEventListener("pointercancel", (event) => this.#pointers.delete(event.pointerId));
  }

  // The action of a key or a button.
  act(action) {
    this.#look((viewer) => viewer.act(action));
  }

  // In the order of the calls, also of those before it was loaded.
  #look(then) {
    this.load().then((viewer) => viewer && then(viewer));
  }

  #point({ clientX, clientY }) {
    const { left, top, width, height } = this.#frame.getBoundingClientRect();
    return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
  }

  #wheel(event) {
    event.preventDefault();
    const at = this.#point(event);
    this.#look((viewer) => viewer.zoom(Math.exp(within(-event.deltaY, -100, 100) / 400), at));
  }

  #down(event) {
    if (event.button) return;
    this.#frame.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    const alone = this.#pointers.size === 1 && !this.#viewer?.zoomed;
    this.#begun = alone && event.pointerType === "touch" ? event : null;
  }

  #drag(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    this.#pointers.set(event.pointerId, event);
    const other = [...this.#pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const by = { x: event.clientX - last.clientX, y: event.clientY - last.clientY };
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const [a, b] = [this.#point(event), this.#point(other)];
      const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      const factor = apart(event) / Math.max(apart(last), 1);
      this.#look((viewer) => {
        viewer.zoom(factor, middle);
        viewer.pan(by.x / 2, by.y / 2);
      });
    } else if (this.#viewer?.zoomed) {
      this.#viewer.pan(by.x, by.y);
    }
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    const begun = this.#begun;
    this.#begun = null;
    if (!begun || begun.pointerId !== event.pointerId || this.#viewer?.placed) return;
    const across = event.clientX - begun.clientX;
    const along = Math.abs(event.clientY - begun.clientY);
    const quick = event.timeStamp - begun.timeStamp < SWIPE_MS;
    if (quick && Math.abs(across) >= SWIPE_PX && Math.abs(across) > 2 * along) {
      this.#swiped(across > 0);
    }
  }
}
