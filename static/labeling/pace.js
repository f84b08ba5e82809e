// This session's answers: how many, how fast, and how far to the goal that the person set. A
// session is the life of a tab; a reload continues it.

import { once } from "./once.js";
import { word } from "./words.js";

const WINDOW_MS = 5 * 60 * 1000; // the time that the pace is measured over
const LEAST = 5; // answers before the pace is shown
const CALM_MS = 10 * 1000; // between two updates of it

const part = (id) => document.getElementById(id);

export class Pace {
  #key;
  #reached;
  #times = []; // of the answers within the window, by performance.now()
  #done = 0;
  goal = 0; // 0: none
  #from = 0; // answers when the goal was set
  #told = false;
  #changed = false; // the display is out of date

  // covered(boolean) is called when the sheet opens and when it has closed; reached(words) when the
  // goal is.
  constructor({ place, covered, reached }) {
    this.#key = `nowait.pace/${place}`;
    this.#reached = reached;
    this.#restore();
    this.load = once(async () => {
      const { GoalSheet } = await import("./goal_sheet.js");
      return new GoalSheet(this, covered);
    });
    part("session-open").addEventListener("click", async () => (await this.load())?.open());
    addEventListener("pagehide", () => this.#keep());
    setInterval(() => this.#showPace(), CALM_MS);
    this.#show();
  }

  // An answer was saved (1) or retracted (-1).
  count(change) {
    this.#done = Math.max(this.#done + change, 0);
    if (change > 0) this.#times.push(performance.now());
    else this.#times.pop();
    this.#changed = true;
  }

  // Updates the display.
  draw() {
    if (!this.#changed) return;
    this.#changed = false;
    this.#show();
    if (!this.goal || this.#told || this.#done - this.#from < this.goal) return;
    this.#told = true;
    this.#reached(word("goal_reached", { n: this.goal }));
  }

  // A pause must not lower the pace.
  rest() {
    this.#times = [];
    this.#showPace();
  }

  // 0: no goal.
  aim(goal) {
    this.goal = goal;
    this.#from = this.#done;
    this.#told = false;
    this.#show();
  }

  #show() {
    const n = this.#done - this.#from;
    const goal = this.goal;
    part("session-done").textContent = goal
      ? word("done_of", { n, goal })
      : word("done", { n: this.#done });
    part("session-words").textContent = word("done_long", { n: this.#done });
    part("session-open").style.setProperty("--goal", goal ? Math.min(n / goal, 1) : 0);
    part("goal-progress").hidden = !goal;
    part("goal-progress").max = goal || 1;
    part("goal-progress").value = Math.min(n, goal);
    if (this.#times.length <= LEAST) this.#showPace();
  }

  #showPace() {
    const now = performance.now();
    this.#times = this.#times.filter((time) => now - time < WINDOW_MS);
    const minutes = (now - this.#times[0]) / 60000;
    // The first answer of the window only begins it.
    const n = Math.round((this.#times.length - 1) / minutes);
    const known = this.#times.length >= LEAST && Number.isFinite(n);
    part("pace").textContent = known ? word("pace", { n }) : word("no_pace");
  }

  #keep() {
    const kept = { done: this.#done, goal: this.goal, from: this.#from, told: this.#told };
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(kept));
    } catch {
      // Storage is off: a reload begins a new session.
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "{}");
      this.#done = kept.done ?? 0;
      this.goal = kept.goal ?? 0;
      this.#from = kept.from ?? 0;
      this.#told = kept.told ?? false;
    } catch {
      // As above.
    }
  }
}
