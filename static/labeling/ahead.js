// How many queries to hold ahead: few, so that they are fresh, but enough that nobody waits. The
// simulated annotators follow the same rule (annotator_site/simulation/ahead.py).

const FIRST = 5; // until enough is measured
const LEAST = 2;
const MOST = 20;
const MEASURED = 5; // of each, before the size changes
const KEPT = 20; // the newest of each
const MARGIN = 2; // the one in view, and a spare
const SLACK = 2; // a size shrinks by this much or not at all

// delays: seconds from an answer until its successor could be shown; gaps: seconds between answers;
// the newest of each. Returns the new size, or `current` if there is no reason to change.
export function ahead(current, delays, gaps) {
  if (Math.min(delays.length, gaps.length) < MEASURED) return current;
  // The second of each: a single outlier must not count.
  const slow = delays.toSorted((one, other) => other - one)[1];
  const fast = gaps.toSorted((one, other) => one - other)[1];
  const meanwhile = fast > 0 ? Math.ceil(slow / fast) : MOST;
  const need = Math.min(Math.max(meanwhile + MARGIN, LEAST), MOST);
  return need > current || need <= current - SLACK ? need : current;
}

// The size for one person, from their measurements.
export class Ahead {
  size = FIRST;
  #delays = [];
  #gaps = [];
  #answeredAt = 0;

  // An answer was given, `now` in seconds of any clock.
  answered(now) {
    if (this.#answeredAt) this.#gaps = [...this.#gaps, now - this.#answeredAt].slice(-KEPT);
    this.#answeredAt = now;
  }

  // The successor of an answer took `delay` seconds. Returns whether the size changed.
  delayed(delay) {
    this.#delays = [...this.#delays, delay].slice(-KEPT);
    const former = this.size;
    this.size = ahead(former, this.#delays, this.#gaps);
    return this.size !== former;
  }
}
