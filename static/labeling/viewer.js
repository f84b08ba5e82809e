// Zoom, position and rotation of the image in view, which the next image resets; brightness and
// contrast, which stay until they are reset.

import { number, word } from "./words.js";

const STEP = 1.25;
const MOST = 16;
const PAN = 0.15; // of the stage, per key press
const TONE = 0.1;
const DARKEST = 0.2;
const BRIGHTEST = 3;

const within = (value, least, most) => Math.min(Math.max(value, least), most);
const percent = (share) => number(Math.round(100 * share));

export class Viewer {
  #frame;
  #words;
  #place = { zoom: 1, x: 0, y: 0, turn: 0 };
  #tone = { light: 1, contrast: 1 };

  // words: the element that shows the changes.
  constructor(stage, frame, words) {
    this.#frame = frame;
    this.#words = words;
    const next = () => this.placed && this.#move({ zoom: 1, x: 0, y: 0, turn: 0 });
    new MutationObserver(next).observe(stage, { attributeFilter: ["data-query"] });
  }

  act(action) {
    const { turn } = this.#place;
    const { light, contrast } = this.#tone;
    const step = PAN * this.#frame.clientHeight;
    if (action === "zoom_in") this.zoom(STEP);
    else if (action === "zoom_out") this.zoom(1 / STEP);
    else if (action === "rotate") this.#move({ turn: (turn + 90) % 360 });
    else if (action === "pan_left") this.pan(step, 0);
    else if (action === "pan_right") this.pan(-step, 0);
    else if (action === "pan_up") this.pan(0, step);
    else if (action === "pan_down") this.pan(0, -step);
    else if (action === "brighter") this.#shade({ light: light + TONE });
    else if (action === "darker") this.#shade({ light: light - TONE });
    else if (action === "more_contrast") this.#shade({ contrast: contrast + TONE });
    else if (action === "less_contrast") this.#shade({ contrast: contrast - TONE });
    else if (action === "reset_view") this.#reset();
  }

  get zoomed() {
    return this.#place.zoom > 1;
  }

  get placed() {
    return this.#place.zoom !== 1 || this.#place.turn !== 0;
  }

  get #toned() {
    return this.#tone.light !== 1 || this.#tone.contrast !== 1;
  }

  #reset() {
    this.#move({ zoom: 1, x: 0, y: 0, turn: 0 });
    this.#shade({ light: 1, contrast: 1 });
  }

  // Larger by a factor; the point `at`, in pixels from the middle, stays in place.
  zoom(factor, at = { x: 0, y: 0 }) {
    const { x, y } = this.#place;
    const zoom = within(this.#place.zoom * factor, 1, MOST);
    const by = zoom / this.#place.zoom;
    this.#move({ zoom, x: at.x + (x - at.x) * by, y: at.y + (y - at.y) * by });
  }

  pan(x, y) {
    this.#move({ x: this.#place.x + x, y: this.#place.y + y });
  }

  #move(change) {
    const place = { ...this.#place, ...change };
    const room = (size) => ((place.zoom - 1) * size) / 2;
    const { clientWidth, clientHeight, style } = this.#frame;
    const far = place.turn % 180 ? Math.max(clientWidth, clientHeight) : 0;
    place.x = within(place.x, -room(far || clientWidth), room(far || clientWidth));
    place.y = within(place.y, -room(far || clientHeight), room(far || clientHeight));
    this.#place = place;
    this.#frame.toggleAttribute("data-placed", this.placed);
    style.setProperty("--zoom", place.zoom);
    style.setProperty("--turn", `${place.turn}deg`);
    style.setProperty("--x", `${place.x}px`);
    style.setProperty("--y", `${place.y}px`);
    this.#say();
  }

  #shade(change) {
    const { light, contrast } = { ...this.#tone, ...change };
    const rounded = (value) => Math.round(100 * within(value, DARKEST, BRIGHTEST)) / 100;
    this.#tone = { light: rounded(light), contrast: rounded(contrast) };
    this.#frame.toggleAttribute("data-toned", this.#toned);
    this.#frame.style.setProperty("--light", this.#tone.light);
    this.#frame.style.setProperty("--contrast", this.#tone.contrast);
    this.#say();
  }

  #say() {
    const { zoom, turn } = this.#place;
    const { light, contrast } = this.#tone;
    const said = [
      zoom !== 1 && word("zoom", { percent: percent(zoom) }),
      turn !== 0 && word("turned", { degrees: number(turn) }),
      light !== 1 && word("brightness", { percent: percent(light) }),
      contrast !== 1 && word("contrast", { percent: percent(contrast) }),
    ];
    this.#words.textContent = said.filter(Boolean).join(" · ");
  }
}
