// The labeling page: what each key, click and message means. The path of an answer is `answer`:
// into the outbox, the next image onto the stage, onto the wire, all in the task of the key press.

import { Buffer } from "./buffer.js";
import { Connection } from "./connection.js";
import { listen } from "./controls.js";
import { Help } from "./help.js";
import { keymap } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Rail } from "./rail.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { View } from "./view.js";
import { BROKEN, REVOKED, UNREACHED, count } from "./words.js";

const AHEAD = 5; // queries held ahead: hides the round trip, and few enough to stay fresh
const TICK_MS = 1000;
const SLOW_MS = 2000; // an answer on its way for so long is worth a word
const UNREACHABLE_MS = 4000;
const REVOKED_MS = 100;
const SKIPS = new Set(["unsure", "bad_image", "other"]);

const part = (id) => document.getElementById(id);
const { campaign, user, socket, login } = part("labeler").dataset;
const place = `${user}/${campaign}`; // whose and what this browser keeps

let refusal = null; // the close code, once the server has refused
let idle = null; // the reason the server gave for having nothing
let away = false; // all turns were revoked while nobody answered
let welcomed = false;
let unreachable = false;
let number = 0; // of images shown
let keys = keymap([], null);
let unreachableTimer = 0;
let revokedTimer = 0;

const answered = new Set(); // turns that are answered, so that no resent query shows them again
const undone = new Map(); // id of an undo → the item of the strip that it took back

const loginUrl = `${login}?next=${encodeURIComponent(location.pathname)}`;
const session = new Session(place);
const view = new View({ loginUrl, goOn });
const stage = new Stage({
  stage: part("stage"),
  frame: part("frame"),
  broken: (turn) => passOver(turn, "other"),
});
const buffer = new Buffer({
  ready: settle,
  broken: passOver,
  gone,
  linked: () => connection.live,
});
const strip = new Strip({ list: part("strip"), place, back: undo });
const rail = new Rail({
  box: part("choices"),
  field: part("search"),
  words: part("search-words"),
  pick: (choice) => answer({ choice }),
});
const help = new Help((covered) => (stage.covered = covered));
const outbox = new Outbox({
  place,
  send: (message) => connection.send(message),
  changed: showLink,
});
const connection = new Connection(socket, {
  hello: () => ready(session.id),
  message: receive,
  status: linkChanged,
  refused: (code) => {
    refusal = code;
    const turn = stage.clear();
    if (turn) buffer.putFirst(turn);
    settle();
  },
});

// --- what the person does -------------------------------------------------------------------------

// Exactly one of choice and reason. Returns false when there is nothing to answer.
function answer({ choice, reason }) {
  if (!stage.armed) return false;
  const shown_ms = stage.shownMs;
  const turn = stage.clear();
  const fields = choice
    ? { type: "label", query: turn.query, choice: choice.choice, shown_ms }
    : { type: "skip", query: turn.query, reason };
  const id = outbox.put(fields);
  answered.add(turn.id);
  strip.add({ label: choice ? id : null, turn, choice });
  settle();
  flush();
  return true;
}

function undo(label = strip.newest) {
  const item = refusal ? undefined : strip.take(label);
  if (!item) return;
  undone.set(outbox.put({ type: "undo", label }), item);
  answered.delete(item.turn.id);
  const present = stage.clear();
  if (present) buffer.putFirst(present);
  item.turn.ready = false;
  item.turn.confirmed = true;
  stage.show(item.turn);
  settle();
  view.speak(`Undone: ${item.choice.name}. Choose again.`);
  flush();
}

function act(action) {
  if (action === "help") help.toggle();
  else if (action === "undo") undo();
  else if (SKIPS.has(action)) answer({ reason: action });
}

// The button of the panel, or any key when the person was away.
function goOn() {
  if (refusal) {
    refusal = null;
    connection.retry();
  } else if (away) {
    away = false;
    connection.send(ready(null));
  }
  settle();
}

listen({
  rail,
  help,
  meaning: (event) => keys.meaning(event),
  isAway: () => away,
  goOn,
  answer,
  undo: () => undo(),
  act,
});

addEventListener("beforeunload", (event) => {
  if (outbox.size) event.preventDefault();
});

// --- what the server says -------------------------------------------------------------------------

const meanings = {
  welcome(message) {
    session.id = message.session;
    welcomed = true;
    idle = null;
    away = false;
    if (rail.build(message.choices)) learn();
    view.progress(message.progress);
    buffer.expectAgain(stage.turn);
    outbox.resend();
    settle();
  },

  query(message) {
    const id = String(message.query);
    if (answered.has(id)) return; // resent before it saw our answer
    idle = null;
    away = false;
    const held = stage.turn?.id === id ? stage.turn : buffer.find(id);
    if (held) held.confirmed = true;
    else buffer.add(message);
    settle();
  },

  ack(message) {
    outbox.settle(message.id);
    undone.delete(message.id);
    strip.saved(message.id);
    view.progress(message.progress);
    flush();
  },

  nack({ id, code, message }) {
    if (code === "rate_limited") {
      outbox.pause();
      return;
    }
    view.notice(message, "warning");
    const sent = outbox.settle(id);
    const item = undone.get(id);
    undone.delete(id);
    if (sent?.type === "undo") {
      if (!item || answered.has(item.turn.id)) return;
      take(item.turn.id);
      if (code === "paused") strip.add({ ...item, saved: true }); // the answer stands
    } else if (sent) {
      answered.delete(String(sent.query));
      strip.take(id);
    }
    settle();
    flush();
  },

  revoke({ query }) {
    const id = String(query);
    const shown = stage.turn?.id === id;
    if (!take(id)) return;
    away = !stage.turn && !buffer.size && !idle;
    settle();
    if (shown) tellRevoked();
  },

  idle({ reason }) {
    idle = reason;
    away = false;
    settle();
  },

  notice({ level, message }) {
    view.notice(message, level);
  },
};

function receive(message) {
  if (Object.hasOwn(meanings, message.type)) meanings[message.type](message);
}

function linkChanged(status) {
  clearTimeout(unreachableTimer);
  unreachable = false;
  if (status !== "live" && status !== "refused") {
    buffer.expectNothing();
    unreachableTimer = setTimeout(() => {
      unreachable = true;
      settle();
    }, UNREACHABLE_MS);
  }
  showLink();
  settle();
}

// --- what follows ---------------------------------------------------------------------------------

// Brings the page in line: an image onto an empty stage, or the words for why there is none.
function settle() {
  if (!stage.turn && !refusal) {
    const next = buffer.take();
    if (next) {
      stage.show(next);
      number += 1;
      const one = rail.choices.length === 1 ? "" : "one of ";
      view.speak(`Image ${number}. Choose ${one}${count(rail.choices.length, "class", "classes")}.`);
    }
  }
  part("undo").disabled = !strip.newest || refusal !== null;
  if (refusal) view.state("closed", String(refusal));
  else if (stage.turn) view.state("labeling", "labeling");
  else if (away) view.state("away", "away");
  else if (idle) view.state("idle", idle);
  else view.state("connecting", unreachable ? "unreachable" : welcomed ? "waiting" : "connecting");
}

// Takes a turn away, wherever it is; returns it, or undefined when it is not held.
function take(id) {
  return stage.turn?.id === id ? stage.clear() : buffer.remove(id);
}

// An image that cannot be shown.
function passOver(turn, reason) {
  take(turn.id);
  outbox.put({ type: "skip", query: turn.query, reason });
  answered.add(turn.id);
  view.notice(reason === "bad_image" ? BROKEN : UNREACHED);
  settle();
  flush();
}

// The server did not send it again after a reconnection.
function gone(turn) {
  const shown = stage.turn === turn;
  if (!take(turn.id)) return;
  settle();
  if (shown) tellRevoked();
}

// Once for a burst, and not at all when the burst took everything: the page then says more.
function tellRevoked() {
  clearTimeout(revokedTimer);
  revokedTimer = setTimeout(() => stage.turn && view.notice(REVOKED), REVOKED_MS);
}

function learn() {
  keys = keymap(rail.choices, rail.search);
  view.caps(keys.caps);
  help.fill(rail.choices, rail.search !== null);
}

function ready(resume) {
  return { type: "ready", buffer: AHEAD, resume };
}

function flush() {
  if (connection.live) outbox.pump();
}

function showLink() {
  view.link({ status: connection.status, pending: outbox.size, slow: outbox.waiting > SLOW_MS });
}

// --- begin ----------------------------------------------------------------------------------------

for (const { type, query, label } of outbox.messages) {
  if (type === "undo") answered.delete(queryOf(label));
  else answered.add(String(query));
}
strip.restore((label) => !outbox.messages.some((message) => message.id === label));

function queryOf(label) {
  return String(outbox.messages.find((message) => message.id === label)?.query);
}

setInterval(() => {
  if (connection.live && outbox.overdue) connection.restart();
  showLink();
}, TICK_MS);

linkChanged(connection.status);
connection.restart();
