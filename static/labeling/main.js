// The labeling page: puts its parts together. labeler.js holds what they do together, messages.js
// what the server's messages mean.

import { listen } from "./controls.js";
import { Help } from "./help.js";
import { Labeler } from "./labeler.js";
import { OwnKeys } from "./own_keys.js";
import { Pace } from "./pace.js";
import { Viewer } from "./viewer.js";

const TICK_MS = 1000;
const SKIPS = new Set(["unsure", "bad_image", "other"]);

const begin = document.getElementById("labeler").dataset;
const { campaign, user, socket, login } = begin;
const place = `${user}/${campaign}`;
const labeler = new Labeler({
  place,
  socket,
  loginUrl: `${login}?next=${encodeURIComponent(location.pathname)}`,
  own: (choices) => ownKeys.apply(choices),
  learned: () => help.fill(labeler.rail.choices, labeler.rail.search !== null),
  counted: (change) => pace.count(change),
  drawn: () => pace.draw(),
});
const covered = (whether) => (labeler.stage.covered = whether);
const help = new Help({ covered, address: begin.examples });
const ownKeys = new OwnKeys({
  place,
  covered,
  changed: (choices) => labeler.learn(choices),
});
const viewer = new Viewer({
  stage: document.getElementById("stage"),
  frame: document.getElementById("frame"),
  words: document.getElementById("view-words"),
  swiped: swipe,
});
const pace = new Pace({ place, covered, reached: (text) => labeler.view.notice(text) });
let practising = null; // the promise of the practice, which most visits need not load
const practice = {
  async run(options) {
    practising ??= import("./practice.js").then(
      ({ Practice }) => new Practice(begin.practice, (choices) => ownKeys.apply(choices)),
    );
    return (await practising).run(options);
  },
};

function act(action) {
  if (action === "help") help.toggle();
  else if (action === "undo") labeler.undo();
  else if (action === "redo") labeler.redo();
  else if (action === "pause") pause();
  else if (action === "practice") practiceAgain();
  else if (SKIPS.has(action)) labeler.answer({ reason: action });
  else viewer.act(action);
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
  help.close();
  labeler.rest();
  pace.rest();
  await practice.run({ required: false });
  labeler.goOn();
}

listen({
  rail: labeler.rail,
  help,
  meaning: (event) => labeler.keys.meaning(event),
  isAway: () => labeler.away || labeler.resting,
  goOn: () => labeler.goOn(),
  answer: (meaning) => labeler.answer(meaning),
  undo: () => labeler.undo(),
  act,
});

addEventListener("beforeunload", (event) => {
  if (labeler.outbox.size) event.preventDefault();
});

setInterval(() => labeler.tick(), TICK_MS);

if (begin.introduce || begin.required) {
  const { introduce } = await import("./introduction.js");
  await introduce(begin, { labeler, help, practice });
}
labeler.begin();
