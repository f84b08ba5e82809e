// The list of classes on the screen, and its keys.

import { keymap } from "./keys.js";

export class Classes {
  version = 0; // of the list; answers carry it, since a class may have another name in the next
  keys = keymap([], null);
  changed = false; // the person has not seen the new list yet
  #rail;
  #on;

  // on: {own(choices) → with the person's own keys, shown() when the list or the keys changed,
  //      news(reads) when the server sent a new list; reads: whether it looks different}
  constructor(rail, on) {
    this.#rail = rail;
    this.#on = on;
  }

  // Takes the classes of the server, with the list's version; without one, the person chose other
  // keys. A list that looks different must be seen before the next answer: keys may have moved.
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

// What a list looks like: names, keys and order, but not colors.
function readingOf(choices) {
  return JSON.stringify(choices.map(({ choice, name, hotkey }) => [choice, name, hotkey]));
}
