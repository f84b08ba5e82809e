// The classes: a button each, and above forty also a field that finds them.

import { MANY, answering } from "./keys.js";
import { word } from "./words.js";

const LIST = 10; // up to this many one column if it fits, else a grid
const FLASH_MS = 100;
// Okabe and Ito's colors, for a class without a color that the browser can read.
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#8A8A8A"];

export class Rail {
  #box;
  #field;
  #words;
  #pick;
  #buttons = []; // {choice, button}: in the campaign's order
  #search = null; // the promise of the ClassSearch, once there were many
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
  }

  // The field while there is one, else null.
  get search() {
    return this.#buttons.length > MANY ? this.#field : null;
  }

  // Returns whether the choices changed.
  build(all) {
    const choices = answering(all);
    const known = JSON.stringify(choices);
    if (known === this.#known) return false;
    this.#known = known;
    this.#buttons = choices.map((choice, at) => ({
      choice: { ...choice, color: colorOf(choice, at) },
    }));
    for (const entry of this.#buttons) entry.button = choiceButton(entry.choice);
    this.#box.replaceChildren(...this.#buttons.map(({ button }) => button));
    const { length } = choices;
    const longest = Math.max(0, ...choices.map(({ name }) => name.length));
    const page = this.#box.closest(".labeler").dataset; // read by the style sheet
    page.shape = length > MANY ? "many" : length > LIST ? "grid" : "list";
    page.names = longest > 20 ? "long" : longest > 7 ? "usual" : longest > 2 ? "short" : "tiny";
    this.#box.closest(".labeler").toggleAttribute("data-swipe", length === 2);
    page.few = String(length <= (longest > 20 ? 6 : 3));
    this.#field.parentElement.hidden = !this.search;
    if (this.search || this.#search) this.#fill();
    return true;
  }

  get choices() {
    return this.#buttons.map(({ choice }) => choice);
  }

  find(id) {
    return this.#buttons.find(({ choice }) => choice.choice === id)?.choice;
  }

  // Briefly shows which class a key meant.
  flash(choice) {
    const { button } = this.#buttons.find((entry) => entry.choice.choice === choice.choice);
    button.dataset.pressed = "true";
    setTimeout(() => delete button.dataset.pressed, FLASH_MS);
  }

  #picked(choice, stay) {
    if (!this.#pick(choice)) return;
    if (!this.#field.value) return;
    this.#field.value = "";
    this.#search?.then((search) => search.filter());
    if (!stay) this.#field.blur();
  }

  #of(button) {
    return this.#buttons.find((entry) => entry.button === button);
  }

  async #fill() {
    this.#search ??= import("./class_search.js").then(({ ClassSearch }) => {
      const picked = (choice, stay) => this.#picked(choice, stay);
      return new ClassSearch({ field: this.#field, words: this.#words, picked });
    });
    (await this.#search).fill(this.#buttons);
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
      cap.setAttribute("aria-hidden", "true"); // aria-keyshortcuts says it
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
