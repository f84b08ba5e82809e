// A practice on images whose class is known. The page says at once whether an answer was right;
// answers are no labels and do not leave this page.

import { newTurn } from "./buffer.js";
import { isOurs, keymap } from "./keys.js";
import { whyNot } from "./pictures.js";
import { Rail } from "./rail.js";
import { Stage } from "./stage.js";
import { STATES, word } from "./words.js";

const AGAIN_MS = 1000; // until a failed image is fetched again

const part = (id) => document.getElementById(id);

export class Practice {
  #dialog = part("practice");
  #address;
  #own;
  #stage;
  #rail;
  #keys = null;
  #turns = []; // still to come; their images are fetched from the beginning
  #count = 0;
  #right = 0;
  #passed = false;
  #required = false;
  #done = null; // resolves the promise of run()

  // own(choices) gives the classes the person's own keys.
  constructor(address, own) {
    this.#address = address;
    this.#own = own;
    this.#stage = new Stage({
      stage: part("practice-stage"),
      frame: part("practice-frame"),
      broken: (turn) => this.#broken(turn),
    });
    this.#rail = new Rail({
      box: part("practice-choices"),
      field: part("practice-search"),
      words: part("practice-search-words"),
      pick: (choice) => this.#answer(choice),
    });
    part("practice-next").addEventListener("click", () => this.#next());
    part("practice-again").addEventListener("click", () => this.#begin());
    part("practice-done").addEventListener("click", () => this.#dialog.close());
    part("practice-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("cancel", (event) => this.#required && event.preventDefault());
    this.#dialog.addEventListener("close", () => {
      // Browsers let a second Escape close any dialog.
      if (this.#required && !this.#passed) this.#dialog.showModal();
      else this.#done?.(this.#passed);
    });
    addEventListener("keydown", (event) => this.#key(event));
  }

  // Opens the practice; a required one stays open to its end. Once it is closed, the promise
  // resolves to whether it was done.
  run({ required }) {
    this.#passed = false;
    this.#required = required;
    part("practice-close").hidden = required;
    this.#dialog.showModal();
    this.#begin();
    return new Promise((done) => (this.#done = done));
  }

  async #begin() {
    this.#panel(null);
    let answer;
    try {
      answer = await (await fetch(this.#address)).json();
    } catch {
      this.#panel(word("practice_failed"));
      return;
    }
    this.#rail.build(this.#own(answer.choices));
    this.#keys = keymap(this.#rail.choices, this.#rail.search);
    this.#turns = shuffled(answer.images).map((image, at) => newTurn({ query: at, image }));
    this.#count = this.#turns.length;
    this.#right = 0;
    this.#next();
  }

  #next() {
    this.#stage.clear();
    this.#stage.sweep();
    this.#mark(null, null);
    part("practice-said").textContent = "";
    delete part("practice-said").dataset.right;
    part("practice-next").hidden = true;
    const turn = this.#turns.pop();
    if (!turn) {
      this.#finish();
      return;
    }
    const at = this.#count - this.#turns.length;
    part("practice-at").textContent = word("practice_at", { at, n: this.#count });
    this.#stage.show(turn);
  }

  // An image that certainly cannot be shown does not count. Any other is fetched again.
  async #broken(turn) {
    const { problem } = await whyNot(turn.image.url);
    const goOn = () => {
      if (!this.#dialog.open || this.#stage.turn !== turn) return;
      if (problem) {
        this.#count -= 1;
        this.#next();
        return;
      }
      this.#stage.clear();
      this.#stage.sweep();
      part("practice-said").textContent = "";
      this.#stage.show(newTurn(turn));
    };
    if (problem) {
      goOn();
      return;
    }
    part("practice-said").textContent = STATES.storage_away.title;
    setTimeout(goOn, AGAIN_MS);
  }

  #answer(choice) {
    if (!this.#stage.armed || !part("practice-next").hidden) return false;
    const { choice: known } = this.#stage.turn.image;
    const right = choice.choice === known;
    const name = this.#rail.find(known).name;
    this.#right += right;
    this.#mark(known, choice.choice);
    part("practice-said").textContent = right
      ? word("right", { name })
      : word("wrong", { right: name, said: choice.name });
    part("practice-said").dataset.right = String(right);
    part("practice-next").hidden = false;
    part("practice-next").focus();
    return true;
  }

  #finish() {
    if (!this.#count) {
      this.#panel(word("practice_failed"));
      return;
    }
    this.#passed = true;
    part("practice-at").textContent = "";
    this.#panel(word("score", { right: this.#right, n: this.#count }));
    part("practice-done").focus();
  }

  // The words at the end or after a failure; null: an image is to come.
  #panel(text) {
    this.#dialog.dataset.state = text === null ? "asking" : "done";
    part("practice-panel").hidden = text === null;
    part("practice-score").textContent = text ?? "";
  }

  #mark(right, said) {
    for (const button of part("practice-choices").children) {
      const id = Number(button.dataset.choice);
      const mark = id === right ? "right" : id === said ? "wrong" : "";
      if (mark) button.dataset.mark = mark;
      else delete button.dataset.mark;
    }
  }

  #key(event) {
    if (!this.#dialog.open) return;
    if (!isOurs(event) || !part("practice-next").hidden) return;
    const means = this.#keys?.meaning(event);
    if (means?.search) {
      this.#rail.search.focus();
      if (event.key === "/") event.preventDefault();
    } else if (means?.choice) {
      event.preventDefault();
      this.#answer(means.choice);
    }
  }
}

function shuffled(images) {
  const order = images.map((image) => ({ image, at: Math.random() }));
  return order.sort((one, other) => one.at - other.at).map(({ image }) => image);
}
