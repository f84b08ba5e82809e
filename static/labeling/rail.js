// The classes: a button each, and above forty a field that finds them by name.

import { word } from "./words.js";

const LIST = 10; // up to here one column where there is room, above it a grid
const FLASH_MS = 100;
const MANY = 40; // above it the field
// Okabe and Ito's colours, for a choice that brings none that the browser can read.
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#8A8A8A"];

export class Rail {
  #box;
  #field;
  #words;
  #pick;
  #buttons = []; // {choice, button, name}: in the campaign's order
  #marked = null;
  #known = "";

  // pick(choice) is called for a click, a tap or Enter in the field.
  constructor({ box, field, words, pick }) {
    this.#box = box;
    this.#field = field;
    this.#words = words;
    this.#pick = pick;
    box.addEventListener("click", (event) => {
      const found = this.#of(event.target.closest("[data-choice]"));
      if (found) this.#picked(found.choice, false);
    });
    field.addEventListener("input", () => this.#filter());
    field.addEventListener("keydown", (event) => this.#key(event));
  }

  // The field while there is one, else null.
  get search() {
    return this.#buttons.length > MANY ? this.#field : null;
  }

  // Returns whether the choices are others than before.
  build(choices) {
    const known = JSON.stringify(choices);
    if (known === this.#known) return false;
    this.#known = known;
    this.#buttons = choices.map((choice, at) => ({
      choice: { ...choice, color: colorOf(choice, at) },
      name: plain(choice.name),
    }));
    for (const entry of this.#buttons) entry.button = choiceButton(entry.choice);
    this.#box.replaceChildren(...this.#buttons.map(({ button }) => button));
    const { length } = choices;
    const longest = Math.max(0, ...choices.map(({ name }) => name.length));
    const page = this.#box.closest(".labeler").dataset; // the style sheet decides by these
    page.shape = length > MANY ? "many" : length > LIST ? "grid" : "list";
    page.names = longest > 20 ? "long" : longest > 7 ? "usual" : longest > 2 ? "short" : "tiny";
    this.#box.closest(".labeler").toggleAttribute("data-swipe", length === 2);
    page.few = String(length <= (longest > 20 ? 6 : 3));
    this.#field.parentElement.hidden = !this.search;
    this.#filter();
    return true;
  }

  get choices() {
    return this.#buttons.map(({ choice }) => choice);
  }

  find(id) {
    return this.#buttons.find(({ choice }) => choice.choice === id)?.choice;
  }

  // Shows for a moment which class a key meant.
  flash(choice) {
    const { button } = this.#buttons.find((entry) => entry.choice.choice === choice.choice);
    button.dataset.pressed = "true";
    setTimeout(() => delete button.dataset.pressed, FLASH_MS);
  }

  #picked(choice, stay) {
    if (!this.#pick(choice)) return;
    if (!this.#field.value) return;
    this.#field.value = "";
    this.#filter();
    if (!stay) this.#field.blur();
  }

  #of(button) {
    return this.#buttons.find((entry) => entry.button === button);
  }

  #filter() {
    const wanted = plain(this.#field.value.trim());
    let best = null;
    let bestRank = 3;
    let matches = 0;
    for (const entry of this.#buttons) {
      const rank = wanted ? rankOf(entry.name, wanted) : 2;
      entry.button.hidden = rank === 3;
      matches += rank < 3;
      if (wanted && rank < bestRank) [best, bestRank] = [entry, rank];
    }
    this.#mark(best);
    const n = this.#buttons.length;
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
    const shown = this.#buttons.filter(({ button }) => !button.hidden);
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
      this.#filter();
      this.#field.blur();
    }
  }
}

export function choiceButton(choice, tag = "button") {
  const button = document.createElement(tag);
  if (tag === "button") button.type = "button";
  button.className = "choice";
  button.dataset.choice = choice.choice;
  button.style.setProperty("--choice", choice.color);
  const name = document.createElement("span");
  name.className = "choice-name";
  name.dir = "auto";
  name.textContent = choice.name;
  name.title = choice.name;
  button.append(name);
  if (choice.hotkey) {
    const cap = document.createElement("kbd");
    if (tag === "button") {
      cap.setAttribute("aria-hidden", "true"); // said by the attribute, not as a part of the name
      button.setAttribute("aria-keyshortcuts", choice.hotkey === " " ? "Space" : choice.hotkey);
    }
    cap.textContent = choice.hotkey === " " ? word("space") : choice.hotkey.toUpperCase();
    button.append(cap);
  }
  return button;
}

function colorOf(choice, at) {
  return CSS.supports("color", choice.color) ? choice.color : PALETTE[at % PALETTE.length];
}

// Lower case without accents, so that `eclair` finds `Éclair`.
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

// 0: the name begins so, 1: a word of it does, 2: it is in there, 3: it is not.
function rankOf(name, wanted) {
  const at = name.indexOf(wanted);
  if (at <= 0) return at === 0 ? 0 : 3;
  return name.split(/[\s_/.,()-]+/).some((word) => word.startsWith(wanted)) ? 1 : 2;
}
