// The sheet on which a person chooses keys: a class, then its key.

import { answering, findsOne } from "./keys.js";
import { choiceButton } from "./rail.js";
import { word } from "./words.js";

const USABLE = /^[^\s/?]$/u; // the others are the page's own; keys of the view give way

const part = (id) => document.getElementById(id);

export class KeySheet {
  #sheet = part("own-keys");
  #keys;
  #covered;
  #chosen = null; // the class that waits for its key

  // keys: the person's (own_keys.js). covered(boolean): when the sheet opens and closes.
  constructor(keys, covered) {
    this.#keys = keys;
    this.#covered = covered;
    part("own-keys-close").addEventListener("click", () => this.#sheet.close());
    part("own-keys-reset").addEventListener("click", () => this.#change(null, word("keys_reset")));
    part("own-keys-list").addEventListener("click", (event) => {
      const id = Number(event.target.closest("[data-choice]")?.dataset.choice);
      const choice = this.#choices.find((one) => one.choice === id);
      if (choice) this.#show(choice, word("press_key", choice));
    });
    this.#sheet.addEventListener("close", () => this.#covered(false));
    this.#sheet.addEventListener("keydown", (event) => this.#press(event));
  }

  open() {
    this.#show(null, word("choose_class"));
    this.#sheet.showModal();
    this.#covered(true);
  }

  // The classes changed.
  follow() {
    if (this.#sheet.open) this.#show(null, word("choose_class"));
  }

  get #choices() {
    return answering(this.#keys.apply(this.#keys.campaigns));
  }

  #press(event) {
    const { key, repeat, ctrlKey, metaKey, altKey } = event;
    if (!this.#chosen || key.length !== 1 || key === " ") return;
    if (repeat || ctrlKey || metaKey || altKey) return;
    event.preventDefault();
    const wanted = key.toLowerCase();
    if (!USABLE.test(wanted)) {
      this.#show(this.#chosen, word("key_taken", { key }));
      return;
    }
    if (findsOne(wanted, this.#choices)) {
      this.#show(this.#chosen, word("key_finds", { key: key.toUpperCase() }));
      return;
    }
    const { choice, name, hotkey } = this.#chosen;
    const other = this.#choices.find((one) => one.hotkey.toLowerCase() === wanted);
    const values = { name, key: key.toUpperCase(), former: hotkey.toUpperCase() };
    if (!other || other.choice === choice) {
      this.#change({ [choice]: wanted }, word("key_set", values));
      return;
    }
    values.other = other.name;
    const words = word(hotkey ? "keys_swapped" : "key_moved", values);
    this.#change({ [choice]: wanted, [other.choice]: hotkey }, words);
  }

  #change(keys, words) {
    this.#keys.change(keys);
    this.#show(null, words);
  }

  #show(chosen, words) {
    this.#chosen = chosen;
    part("own-keys-words").textContent = words;
    const focused = document.activeElement?.dataset.choice;
    const buttons = this.#choices.map((choice) => choiceButton(choice));
    for (const button of buttons) {
      const isChosen = Number(button.dataset.choice) === chosen?.choice;
      button.setAttribute("aria-pressed", String(isChosen));
    }
    part("own-keys-list").replaceChildren(...buttons);
    buttons.find(({ dataset }) => dataset.choice === focused)?.focus();
  }
}
