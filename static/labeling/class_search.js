// The field that finds a class by name; fetched if there are many classes.

import { word } from "./words.js";

export class ClassSearch {
  #field;
  #words;
  #picked;
  #entries = []; // {choice, button, name}: in the campaign's order
  #marked = null;

  // words: the element that shows how many are found. picked(choice, stay) is called for Enter.
  constructor({ field, words, picked }) {
    this.#field = field;
    this.#words = words;
    this.#picked = picked;
    field.addEventListener("input", () => this.filter());
    field.addEventListener("keydown", (event) => this.#key(event));
  }

  // Sets the classes.
  fill(entries) {
    this.#entries = entries.map((entry) => ({ ...entry, name: plain(entry.choice.name) }));
    this.filter();
  }

  filter() {
    const wanted = plain(this.#field.value.trim());
    let best = null;
    let bestRank = 3;
    let matches = 0;
    for (const entry of this.#entries) {
      const rank = wanted ? rankOf(entry.name, wanted) : 2;
      entry.button.hidden = rank === 3;
      matches += rank < 3;
      if (wanted && rank < bestRank) [best, bestRank] = [entry, rank];
    }
    this.#mark(best);
    const n = this.#entries.length;
    const none = () => word("no_class", { text: this.#field.value.trim() });
    const some = () => (matches ? word("found", { found: matches, n }) : none());
    this.#words.textContent = wanted ? some() : word("classes", { n });
  }

  #mark(entry) {
    if (this.#marked) delete this.#marked.button.dataset.marked;
    this.#marked = entry;
    if (!entry) return;
    entry.button.dataset.marked = "true";
    entry.button.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.isComposing) return;
    const shown = this.#entries.filter(({ button }) => !button.hidden);
    const at = shown.indexOf(this.#marked);
    if (event.key === "Enter") {
      event.preventDefault();
      if (this.#marked && !event.repeat) this.#picked(this.#marked.choice, true);
    } else if (event.key === "ArrowDown" && shown.length) {
      event.preventDefault();
      this.#mark(shown[Math.min(at + 1, shown.length - 1)]);
    } else if (event.key === "ArrowUp" && shown.length) {
      event.preventDefault();
      this.#mark(shown[Math.max(at - 1, 0)]);
    } else if (event.key === "Escape") {
      this.#field.value = "";
      this.filter();
      this.#field.blur();
    }
  }
}

// Lower case without accents, so that `eclair` finds `Éclair`.
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

// 0: the name begins with it, 1: a word does, 2: it is inside, 3: it is not.
function rankOf(name, wanted) {
  const at = name.indexOf(wanted);
  if (at <= 0) return at === 0 ? 0 : 3;
  return name.split(/[\s_/.,()-]+/).some((word) => word.startsWith(wanted)) ? 1 : 2;
}
