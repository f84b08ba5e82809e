// The labeling page: puts its parts together. labeler.js holds what they do together, messages.js
// what the server's messages mean.

import { listen } from "./controls.js";
import { Gestures } from "./gestures.js";
import { Labeler } from "./labeler.js";
import { once } from "./once.js";
import { OwnKeys } from "./own_keys.js";
import { Pace } from "./pace.js";

const TICK_MS = 1000;
const CALM_MS = 3000; // then the rest is fetched, so that it is there without a network, too
const SKIPS = new Set(["unsure", "bad_image", "other"]);

const begin = document.getElementById("labeler").dataset;
const { campaign, user, annotator, name, socket, login } = begin;
const place = `${user}/${campaign}`;
const labeler = new Labeler({
  who: { id: Number(annotator), name },
  place,
  socket,
  loginUrl: `${login}?next=${encodeURIComponent(location.pathname)}`,
  own: (choices) => ownKeys.apply(choices),
  learned: () => sheet?.fill(),
  counted: (change) => pace.count(change),
  drawn: () => pace.draw(),
});
const covered = (whether) => (labeler.stage.covered = whether);
let sheet = null; // of the help, once it was asked for
const loadHelp = once(async () => {
  const { Help } = await import("./help.js");
  return (sheet = new Help({ covered, address: begin.examples, rail: labeler.rail }));
});
const help = {
  get open() {
    return document.getElementById("help").open;
  },
  async toggle() {
    (await loadHelp())?.toggle();
  },
  async introduce() {
    await (await loadHelp())?.introduce();
  },
};
const ownKeys = new OwnKeys({
  place,
  covered,
  changed: (choices) => labeler.classes.learn(choices),
});
const gestures = new Gestures({
  stage: document.getElementById("stage"),
  frame: document.getElementById("frame"),
  words: document.getElementById("view-words"),
  swiped: swipe,
});
const pace = new Pace({ place, covered, reached: (text) => labeler.view.notice(text) });
const loadPractice = once(async () => {
  const { Practice } = await import("./practice.js");
  return new Practice(begin.practice, (choices) => ownKeys.apply(choices));
});
const practice = { run: async (options) => (await loadPractice())?.run(options) };
setTimeout(() => {
  loadHelp();
  gestures.load();
  pace.load();
}, CALM_MS);

function act(action) {
  if (action === "help") help.toggle();
  else if (action === "undo") labeler.undo();
  else if (action === "redo") labeler.redo();
  else if (action === "pause") pause();
  else if (action === "practice") practiceAgain();
  else if (SKIPS.has(action)) labeler.answer({ reason: action });
  else gestures.act(action);
}

// Of two classes the first lies at the start of the line and is swiped towards it; with more, a
// swipe towards the end brings the last image back, as it does in a browser.
function swipe(right) {
  const { choices } = labeler.rail;
  const onward = right === (getComputedStyle(document.body).direction !== "rtl");
  if (choices.length === 2) labeler.answer({ choice: choices[onward ? 1 : 0] });
  else if (onward) labeler.undo();
}

// The key and the button of the pause also end it.
function pause() {
  if (labeler.resting) {
    labeler.goOn();
    return;
  }
  labeler.rest();
  pace.rest();
}

// Meanwhile others get the images.
async function practiceAgain() {
  sheet?.close();
  labeler.rest();
  pace.rest();
  await practice.run({ required: false });
  labeler.goOn();
}

listen({
  rail: labeler.rail,
  help,
  meaning: (event) => labeler.classes.keys.meaning(event),
  isAway: () => labeler.away || labeler.resting || labeler.classes.changed,
  goOn: () => labeler.goOn(),
  answer: (meaning) => labeler.answer(meaning),
  undo: () => labeler.undo(),
  act,
});

// Where the server refuses, leaving is the way on, and what this browser keeps stays.
addEventListener("beforeunload", (event) => {
  const { outbox, refusal } = labeler;
  if (outbox.size && !(refusal && outbox.kept)) event.preventDefault();
});

setInterval(() => labeler.tick(), TICK_MS);

if (begin.introduce || begin.required) {
  const { introduce } = await import("./introduction.js");
  await introduce(begin, { labeler, help, practice });
}
labeler.begin();
