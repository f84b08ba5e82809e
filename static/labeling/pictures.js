// Why an image does not show, and when to try again.
//
// The cause is nearly always a machine: a network, a disk, a server that restarts. The page waits
// for it to recover; it proves nothing about the image. Only certain facts are reported, and even
// they are no verdict: the image does not exist, or it arrived and this browser cannot decode it.

const PATIENCE_MS = 10000; // for an answer
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
const SAID_AFTER = 2; // pauses: say nothing of a hiccup

const BROWSERS = [
  ["Edge", /Edg\/(\d+)/],
  ["Firefox", /Firefox\/(\d+)/],
  ["Chrome", /Chrom(?:e|ium)\/(\d+)/],
  ["Safari", /Version\/(\d+).* Safari\//],
];

// {problem, detail, whole}: the problem is "not_found", "not_decodable", or empty if nothing is
// known about the image; the detail is for the campaign's owners; whole: it came and can be
// decoded.
export async function whyNot(url) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    // Refresh the browser's cache: a damaged file may have been repaired.
    const answer = await fetch(url, { cache: "reload", signal });
    const { ok, status } = answer;
    if (status === 404 || status === 410) return certain("not_found", `HTTP ${status}`);
    const type = answer.headers.get("content-type") ?? "";
    // Any other answer, such as a network's log-in page, is not our image.
    if (!ok || !type.startsWith("image/")) return { problem: "", whole: false };
    const data = await answer.blob();
    if (await isPicture(data)) return { problem: "", whole: true };
    return certain("not_decodable", `${type}, ${data.size} bytes`);
  } catch {
    return { problem: "", whole: false };
  }
}

// The browser's name and version only.
export function browserName(agent = navigator.userAgent) {
  for (const [name, pattern] of BROWSERS) {
    const found = pattern.exec(agent);
    if (found) return `${name} ${found[1]}`;
  }
  return "another browser";
}

function certain(problem, what) {
  return { problem, whole: false, detail: `${what}; ${browserName()}` };
}

function isPicture(data) {
  return createImageBitmap(data).then(
    (bitmap) => {
      bitmap.close();
      return true;
    },
    () => false,
  );
}

// Turns whose image could not be fetched for now. One is tried after a pause, then the next after a
// longer one, so that many waiting pages do not overrun a server that comes back. Once one image
// has come, all others are tried at once.
export class Knocking {
  #turns = []; // the longest waiting first
  #failing = new Set(); // #turns and those being tried now
  #pauses = 0;
  #timer = 0;

  // Whether it lasts long enough to tell the person.
  get lasting() {
    return this.#failing.size > 0 && this.#pauses > SAID_AFTER;
  }

  // turn.again() tries again.
  add(turn) {
    this.forget(turn);
    this.#turns.push(turn);
    this.#failing.add(turn);
    this.#schedule();
  }

  forget(turn) {
    this.#failing.delete(turn);
    this.#turns = this.#turns.filter((other) => other !== turn);
  }

  // An image came.
  came(turn) {
    this.forget(turn);
    this.#pauses = 0;
    this.all();
  }

  // Tries all now.
  all() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    for (const turn of this.#turns.splice(0)) turn.again();
  }

  #schedule() {
    if (this.#timer || !this.#turns.length) return;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#pauses);
    this.#pauses += 1;
    // Jitter, so that a thousand pages do not ask at once.
    this.#timer = setTimeout(() => this.#knock(), longest * (0.5 + Math.random() / 2));
  }

  #knock() {
    this.#timer = 0;
    this.#turns.shift()?.again();
    this.#schedule();
  }
}
