// Why a picture does not show, and when it is worth another try.
//
// What fails is nearly always a machine: a network, a disk, a server that is started again. That is
// waited for, and says nothing about the picture. Only what is certain is reported, and even that
// is no verdict: the picture is not there, or it arrived and this browser cannot decode it.

const PATIENCE_MS = 10000; // for an answer
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
const SAID_AFTER = 2; // pauses: a hiccup needs no words

const BROWSERS = [
  ["Edge", /Edg\/(\d+)/],
  ["Firefox", /Firefox\/(\d+)/],
  ["Chrome", /Chrom(?:e|ium)\/(\d+)/],
  ["Safari", /Version\/(\d+).* Safari\//],
];

// {problem, detail, whole}: the problem is "not_found", "not_decodable", or empty where nothing is
// known about the picture; the detail is for whoever runs the campaign; whole: it came and can be
// decoded.
export async function whyNot(url) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    // Past the browser's cache and into it: a file that was damaged may have been mended.
    const answer = await fetch(url, { cache: "reload", signal });
    const { ok, status } = answer;
    if (status === 404 || status === 410) return certain("not_found", `HTTP ${status}`);
    const type = answer.headers.get("content-type") ?? "";
    // Anything else that somebody answers, as a network with a log-in does, is no picture of ours.
    if (!ok || !type.startsWith("image/")) return { problem: "", whole: false };
    const data = await answer.blob();
    if (await isPicture(data)) return { problem: "", whole: true };
    return certain("not_decodable", `${type}, ${data.size} bytes`);
  } catch {
    return { problem: "", whole: false };
  }
}

// The name and version of the browser, and no more of it.
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

// Turns whose picture could not be fetched for now. One is tried after a pause, then the next after
// a longer one: however many wait on however many pages, a server that comes back is not run down.
// When one picture has come, all others are tried at once.
export class Knocking {
  #turns = []; // the longest waiting first
  #failing = new Set(); // these, and what is tried right now
  #pauses = 0;
  #timer = 0;

  // Whether it goes on for so long that it is worth a word.
  get lasting() {
    return this.#failing.size > 0 && this.#pauses > SAID_AFTER;
  }

  // turn.again() tries once more.
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

  // A picture has come.
  came(turn) {
    this.forget(turn);
    this.#pauses = 0;
    this.all();
  }

  // There is a reason to hope for all.
  all() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    for (const turn of this.#turns.splice(0)) turn.again();
  }

  #schedule() {
    if (this.#timer || !this.#turns.length) return;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#pauses);
    this.#pauses += 1;
    // With jitter, so that a thousand pages do not ask in the same instant.
    this.#timer = setTimeout(() => this.#knock(), longest * (0.5 + Math.random() / 2));
  }

  #knock() {
    this.#timer = 0;
    this.#turns.shift()?.again();
    this.#schedule();
  }
}
