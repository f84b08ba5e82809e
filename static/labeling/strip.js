// The film strip: the last answers, newest first, each a way back to its image.

import { newTurn } from "./buffer.js";

const LONGEST = 12;

export class Strip {
  #list;
  #items = []; // {label, turn, choice, entry}, newest first; label null for a skip
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
    const entry = document.createElement("li");
    turn.element.alt = "";
    const frame = document.createElement(choice ? "button" : "span");
    frame.className = "past";
    frame.append(turn.element);
    const name = document.createElement("span");
    name.className = "past-name";
    name.dir = "auto";
    name.textContent = choice ? choice.name : "Skipped";
    frame.append(name);
    if (choice) {
      frame.type = "button";
      frame.dataset.label = label;
      frame.title = `${choice.name}: label this image again`;
      frame.setAttribute("aria-label", `Undo ${choice.name} and label its image again`);
      frame.style.setProperty("--choice", choice.color);
    }
    entry.dataset.saved = String(saved);
    entry.append(frame);
    this.#items.unshift({ label, turn, choice, entry });
    this.#list.prepend(entry);
    while (this.#items.length > LONGEST) this.#items.pop().entry.remove();
  }

  saved(label) {
    const item = this.find(label);
    if (item) item.entry.dataset.saved = "true";
  }

  // Takes an answer out of the strip; returns its item.
  take(label) {
    const item = this.find(label);
    if (!item) return undefined;
    this.#items.splice(this.#items.indexOf(item), 1);
    item.entry.remove();
    return item;
  }

  // A reload must not take the ways back away.
  #keep() {
    const kept = this.#items
      .filter((item) => item.label)
      .map(({ label, turn, choice }) => ({ label, query: turn.query, image: turn.image, choice }));
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(kept));
    } catch {
      // Storage is switched off: the strip then starts empty.
    }
  }

  // isSaved(label) tells what the server has confirmed.
  restore(isSaved) {
    let kept = [];
    try {
      kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "[]");
      sessionStorage.removeItem(this.#key);
    } catch {
      // As above.
    }
    for (const { label, query, image, choice } of kept.reverse()) {
      this.add({ label, turn: newTurn({ query, image }), choice, saved: isSaved(label) });
    }
  }
}
