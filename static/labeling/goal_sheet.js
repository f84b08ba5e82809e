// The sheet of this session, on which the person sets a goal.

const MOST = 10000;

const part = (id) => document.getElementById(id);

export class GoalSheet {
  #sheet = part("session");
  #pace;
  #covered;

  // pace: has the goal (pace.js). covered(boolean) is called when the sheet opens and closes.
  constructor(pace, covered) {
    this.#pace = pace;
    this.#covered = covered;
    const sheet = this.#sheet;
    sheet.addEventListener("close", () => covered(false));
    sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
    part("goal").addEventListener("input", (event) => this.#choose(event.target));
    this.#offer();
  }

  open() {
    this.#sheet.showModal();
    this.#covered(true);
  }

  #choose(field) {
    const own = part("goal-own");
    const chosen = field === own ? "own" : field.value;
    if (field === own) part("goal").elements.goal.value = "own";
    const wanted = Number(chosen === "own" ? own.value : chosen);
    this.#pace.aim(Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, MOST) : 0);
  }

  // Marks the chosen goal, after a reload.
  #offer() {
    const { goal } = part("goal").elements;
    goal.value = String(this.#pace.goal);
    if (goal.value === String(this.#pace.goal)) return;
    goal.value = "own";
    part("goal-own").value = this.#pace.goal;
  }
}
