// The instructions: a sheet that slides in, with examples of each class. While it is open, no key
// answers.

import { choiceButton } from "./rail.js";
import { SMALL } from "./stage.js";
import { word } from "./words.js";

const part = (id) => document.getElementById(id);

export class Help {
  #sheet = part("help");
  #address;
  #rail;
  #examples = null; // their promise, once requested: {choice → [image]}

  // covered(boolean) is called when the sheet opens and when it has closed. address: of the
  // examples, or empty. rail: has the classes.
  constructor({ covered, address, rail }) {
    const sheet = this.#sheet;
    this.#address = address;
    this.#rail = rail;
    part("help-close").addEventListener("click", () => sheet.close());
    sheet.addEventListener("close", () => covered(false));
    // A click beside the sheet falls on the dialog itself, which has no padding.
    sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
    this.covered = covered;
    this.fill();
  }

  toggle() {
    if (this.#sheet.open) this.close();
    else this.show();
  }

  close() {
    this.#sheet.close();
  }

  show() {
    delete part("help-open").dataset.news;
    this.#sheet.showModal();
    this.covered(true);
    this.#examples ??= fetchExamples(this.#address);
    this.#illustrate();
  }

  // Shows it the first time; resolves when the person has closed it.
  introduce() {
    const label = part("help-close").firstElementChild;
    const usual = label.textContent;
    label.textContent = word("begin");
    this.show();
    return new Promise((done) => {
      const closed = () => {
        label.textContent = usual;
        done();
      };
      this.#sheet.addEventListener("close", closed, { once: true });
    });
  }

  // The classes are known or changed; their examples may have changed too.
  fill() {
    const { choices, search } = this.#rail;
    part("help-choices").replaceChildren(...choices.map((choice) => choiceButton(choice, "li")));
    for (const row of this.#sheet.querySelectorAll(".for-search")) row.hidden = search === null;
    if (!this.#examples) return;
    this.#examples = fetchExamples(this.#address);
    this.#illustrate();
  }

  async #illustrate() {
    const asked = this.#examples;
    const examples = await asked;
    if (asked !== this.#examples) return;
    for (const row of part("help-choices").children) {
      const images = examples.get(Number(row.dataset.choice));
      if (!images || row.querySelector(".examples")) continue;
      const group = document.createElement("span");
      group.className = "examples";
      group.setAttribute("role", "img");
      const { textContent: name } = row.querySelector(".choice-name");
      group.setAttribute("aria-label", word("examples_of", { name }));
      group.append(...images.map(exampleOf));
      row.append(group);
    }
    this.#sheet.dataset.examples = String(examples.size);
  }
}

async function fetchExamples(address) {
  const examples = new Map();
  if (!address) return examples;
  try {
    const answer = await (await fetch(address)).json();
    for (const image of answer.examples) {
      examples.set(image.choice, [...(examples.get(image.choice) ?? []), image]);
    }
  } catch {
    // Offline: without examples.
  }
  return examples;
}

function exampleOf({ url, width, height }) {
  const image = new Image(width, height);
  image.loading = "lazy";
  image.alt = "";
  if (Math.max(width, height) <= SMALL) image.className = "small";
  image.src = url;
  return image;
}
