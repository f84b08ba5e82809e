// The person's own keys for the classes, kept in this browser per campaign. The sheet on which they
// are chosen is loaded at first use.

import { once } from "./once.js";

export class OwnKeys {
  #place;
  #changed;
  #sheet = null; // until first use
  #own; // {class → key}
  campaigns = []; // the classes as the campaign has them

  // covered(boolean) is called when the sheet opens and when it has closed, changed(choices) when
  // keys changed.
  constructor({ place, covered, changed }) {
    this.#place = `nowait.keys/${place}`;
    this.#changed = changed;
    this.#own = this.#read();
    const load = once(async () => {
      const { KeySheet } = await import("./key_sheet.js");
      return (this.#sheet = new KeySheet(this, covered));
    });
    const open = async () => (await load())?.open();
    document.getElementById("own-keys-open").addEventListener("click", open);
  }

  // The campaign's classes with the person's keys.
  apply(choices) {
    const isNews = this.campaigns !== choices;
    this.campaigns = choices;
    if (isNews) this.#sheet?.follow();
    const own = new Set(Object.values(this.#own));
    return choices.map((choice) => {
      const left = own.has(choice.hotkey.toLowerCase()) ? "" : choice.hotkey;
      return { ...choice, hotkey: this.#own[choice.choice] ?? left };
    });
  }

  // keys: {class → key} of the classes that change; null: back to the campaign's.
  change(keys) {
    this.#own = keys ? { ...this.#own, ...keys } : {};
    try {
      localStorage.setItem(this.#place, JSON.stringify(this.#own));
    } catch {
      // Storage is off: the keys last until the page is left.
    }
    this.#changed(this.campaigns);
  }

  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.#place)) ?? {};
    } catch {
      return {};
    }
  }
}
