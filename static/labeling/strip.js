// The film strip: the last answers, newest first, each with a way back to its image. It is drawn
// after the next image, so as not to delay it.

import { newTurn } from "./buffer.js";
import { SMALL } from "./stage.js";
import { word } from "./words.js";

const LONGEST = 20;
const THUMB = 128; // pixels: a small copy of a large image is redrawn quickly

export class Strip {
  #list;
  // {label, turn, choice, saved, entry}, newest first; label null for a skip, entry null until drawn
  #items = [];
  #changed = false;
  #key;

  // back(label) is called when an answer is clicked.
  constructor({ list, place, back }) {
    this.#list = list;
    this.#key = `nowait.strip/${place}`;
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-label]");
      if (button) back(button.dataset.label);
    });
    addEventListener("pagehide", () => this.#keep());
  }

  // The newest answer that can be taken back, or undefined.
  get newest() {
    return this.#items.find((item) => item.label)?.label;
  }

  find(label) {
    return this.#items.find((item) => item.label === label);
  }

  // choice null: the turn was skipped, which cannot be taken back.
  add({ label, turn, choice, saved = false }) {
    this.#items.unshift({ label, turn, choice, saved, entry: null });
    this.#items.length = Math.min(this.#items.length, LONGEST);
    this.#changed = true;
  }

  // Updates the display.
  draw() {
    if (!this.#changed) return;
    this.#changed = false;
    for (const item of this.#items) {
      item.entry ??= this.#entry(item);
      const saved = String(item.saved);
      if (item.entry.dataset.saved !== saved) item.entry.dataset.saved = saved;
    }
    const entries = this.#items.map(({ entry }) => entry);
    for (const old of [...this.#list.children]) if (!entries.includes(old)) old.remove();
    for (const entry of entries.filter((one) => !one.isConnected).reverse()) {
      this.#list.prepend(entry);
    }
  }

  #entry({ label, turn, choice }) {
    const entry = document.createElement("li");
    const frame = document.createElement(choice ? "button" : "span");
    frame.className = "past";
    frame.append(thumb(turn.element));
    const name = document.createElement("span");
    name.className = "past-name";
    name.dir = "auto";
    name.textContent = choice ? choice.name : word("skipped");
    frame.append(name);
    if (choice) {
      frame.type = "button";
      frame.dataset.label = label;
      frame.title = word("again", choice);
      frame.setAttribute("aria-label", word("undo", choice));
      frame.style.setProperty("--choice", choice.color);
    }
    entry.append(frame);
    return entry;
  }

  // The classes changed names or colors: find(id) returns a class as it is now.
  rename(find) {
    for (const item of this.#items) {
      if (item.choice) item.choice = find(item.choice.choice) ?? item.choice;
      item.entry = null;
    }
    this.#changed = true;
  }

  saved(label) {
    const item = this.find(label);
    if (!item) return;
    item.saved = true;
    this.#changed = true;
  }

  // Takes an answer out of the strip; returns its item.
  take(label) {
    const item = this.find(label);
    if (!item) return undefined;
    this.#items.splice(this.#items.indexOf(item), 1);
    this.#changed = true;
    return item;
  }

  // Keeps the ways back for a reload.
  #keep() {
    const kept = this.#items
      .filter((item) => item.label)
      .map(({ label, turn: { query, image, proof }, choice }) => ({ label, query, image, proof, choice }));
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(kept));
    } catch {
      // Storage is off: the strip starts empty.
    }
  }

  // isSaved(label): whether the server confirmed it.
  restore(isSaved) {
    let kept = [];
    try {
      kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "[]");
      sessionStorage.removeItem(this.#key);
    } catch {
      // As above.
    }
    for (const { label, query, image, proof, choice } of kept.reverse()) {
      this.add({ label, turn: newTurn({ query, image, proof }), choice, saved: isSaved(label) });
    }
  }
}

// Drawn once the image is loaded; a missing image stays blank.
function thumb(element) {
  const canvas = document.createElement("canvas");
  const draw = () => {
    const { naturalWidth: width, naturalHeight: height } = element;
    if (!width) return;
    const scale = Math.min(1, THUMB / Math.max(width, height));
    canvas.className = Math.max(width, height) <= SMALL ? "small" : "";
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "medium";
    context.drawImage(element, 0, 0, canvas.width, canvas.height);
  };
  if (element.complete) draw();
  else element.addEventListener("load", draw, { once: true });
  return canvas;
}
