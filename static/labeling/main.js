// The labeling page: assembles its parts. labeler.js has their interplay, messages.js the meaning
// of the server's messages.

import { listen } from "./controls.js";
import { Gestures } from "./gestures.js";
import { Labeler } from "./labeler.js";
import { once } from "./once.js";
import { OwnKeys } from "./own_keys.js";
import { Pace } from "./pace.js";

const TICK_MS = 1000;
const CALM_MS = 3000; // then fetch the rest, so that it is there offline, too
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
let sheet = null; // of the help, once it is loaded
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

// With two classes, a swipe towards the start of the line means the first; with more, a swipe
// towards the end brings the last image back, as in a browser.
function swipe(right) {
  const { choices } = labeler.rail;
  const onward = right === (getComputedStyle(document.body).direction !== "rtl");
  if (choices.length === 2) labeler.answer({ choice: choices[onward ? 1 : 0] });
  else if (onward) labeler.undo();
}

// The pause key and button also end the pause.
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

// After a refusal, leaving is right, and kept answers stay in this browser.
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
