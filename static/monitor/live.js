// The live page of a campaign: draws what the server pushes, and requests nothing.

import { Charts } from "./charts.js";
import { Connection } from "./connection.js";
import { html, keep, say, set } from "./dom.js";
import { span, timeOfDay } from "./format.js";
import { drawGallery, drawLearners, drawPeople, drawProcesses, drawStrategies } from "./lists.js";
import { Loop } from "./loop.js";
import { Series } from "./series.js";
import { StateButton } from "./state_button.js";
import { drawTiles } from "./tiles.js";

const RATE_WINDOW_S = 60;
const byId = (id) => document.getElementById(id);

const page = byId("live");
const series = new Series();
const loop = new Loop(byId("loop"));
const charts = new Charts();
const button = byId("state-form") ? new StateButton(byId("state-form"), byId("state-button")) : null;

let state = null;
let readAt = null; // the database's time when `state` was read …
let readHere = 0; // … and this page's, in ms
let unreachableSince = null;
let link = { kind: "connecting", until: 0, words: "" };
const seen = []; // [read_at, unlabeled] of the last minute

new Connection(page.dataset.socket, {
  message(message) {
    link = { kind: "live" };
    if (message.type === "history") series.load(message.history);
    else if (message.type === "version") series.addVersion(message.version);
    else if (message.type === "state") receive(message);
    drawLink();
  },
  lost(delay) {
    link = { kind: "reconnecting", until: performance.now() + delay };
    drawLink();
  },
  refused(words) {
    link = { kind: "refused", words };
    drawLink();
  },
});
setInterval(drawLink, 1000);

function receive(message) {
  unreachableSince = message.unreachable_since;
  if (!message.state) return;
  state = message.state;
  if (state.read_at !== readAt) {
    readAt = state.read_at;
    readHere = performance.now();
    series.addPoint(state.point);
    seen.push([state.read_at, state.pools.unlabeled]);
    while (seen[0][0] < state.read_at - RATE_WINDOW_S) seen.shift();
  }
  draw();
}

// The age of the numbers shown, and the age of a time of the database, both in seconds.
const age = () => (performance.now() - readHere) / 1000;
const since = (time) => (time === undefined ? 0 : Math.max(readAt - time, 0) + age());

function draw() {
  set(byId("campaign-state"), "data-state", state.campaign.state);
  say(byId("campaign-state"), state.campaign.state);
  button?.show(state.campaign.state);
  say(byId("network"), `Network: ${state.campaign.network}`);
  drawTiles(state, series, since);
  loop.draw(state, since, drawnPerMinute());
  charts.draw(state, series);
  keep(byId("findings"), state.findings, (row) => row.part + row.level + row.words,
    (row) => html("li", { "data-level": row.level }, html("span", {}, row.words)));
  drawProcesses(byId("processes"), byId("processes-words"), state, age());
  drawLearners(byId("learners"), state.learners);
  drawStrategies(byId("strategies"), state.strategies);
  drawGallery(byId("asking"), state.asking);
  drawPeople(byId("people"), state.people, age());
}

// Images that left D for S, less those that came back; labels until there is enough data.
function drawnPerMinute() {
  const [first, last] = [seen[0], seen.at(-1)];
  if (last[0] - first[0] < 10) return state.labels_last_minute;
  return (60 * Math.max(first[1] - last[1], 0)) / (last[0] - first[0]);
}

function drawLink() {
  const old = state === null ? null : age();
  const stale = unreachableSince !== null || (old !== null && old > 5);
  set(byId("link"), "data-link", link.kind === "live" && stale ? "stale" : link.kind);
  say(byId("link-words"), linkWords(old));
  const trouble = link.kind === "refused" ? link.words
    : unreachableSince !== null
      ? `The database has not been reachable since ${timeOfDay(unreachableSince)}. `
        + (state ? "The numbers are the last ones read." : "There is nothing to show yet.")
      : "";
  say(byId("alert"), trouble);
  byId("alert").hidden = !trouble;
}

function linkWords(old) {
  const numbers = old === null ? "" : ` Numbers ${old < 2 ? "less than 2 s" : span(old)} old.`;
  if (link.kind === "live") return unreachableSince === null && old !== null ? `Live.${numbers}` : `Connected.${numbers}`;
  if (link.kind === "refused") return "Not connected.";
  if (link.kind === "connecting") return "Connecting…";
  const left = Math.max(link.until - performance.now(), 0) / 1000;
  return `Connection lost; trying again ${left < 1 ? "now" : `in ${span(left)}`}.${numbers}`;
}
