// The list of classes that is on the screen, and the keys for it.

import { keymap } from "./keys.js";

export class Classes {
  version = 0; // of the list; an answer carries it, since a class may have another name in the next
  keys = keymap([], null);
  changed = false; // and the person has not looked at the new list yet
  #rail;
  #on;

  // on: {own(choices) → with the person's own keys, shown() when the list or the keys are others,
  //      news(reads) when the server told another list: whether it reads otherwise}
  constructor(rail, on) {
    this.#rail = rail;
    this.#on = on;
  }

  // As the server tells them, with the version of the list; without one, the person has chosen other
  // keys. A list that reads otherwise is looked at before it is answered to: fingers know the old one.
  learn(choices, version = this.version) {
    const isNews = this.version > 0 && version !== this.version;
    const former = readingOf(this.#rail.choices);
    this.version = version;
    if (!this.#rail.build(this.#on.own(choices))) return;
    this.keys = keymap(this.#rail.choices, this.#rail.search);
    this.#on.shown();
    if (!isNews) return;
    const reads = readingOf(this.#rail.choices) !== former;
    this.changed ||= reads;
    this.#on.news(reads);
  }
}

// What a list reads like: names, keys and order, whatever the colors.
function readingOf(choices) {
  return JSON.stringify(choices.map(({ choice, name, hotkey }) => [choice, name, hotkey]));
}
