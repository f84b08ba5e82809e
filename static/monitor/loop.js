// The loop of the paper as a picture: pools are vessels with levels, arrows are as thick as their
// rates, and a part that stalls stands out. Nothing is animated.

import { say, set, svg } from "./dom.js";
import { ago, count, decimal, percent, plural } from "./format.js";
import { arrowsOf, layoutFor } from "./loop_layout.js";

const VESSELS = new Set(["unlabeled", "queries", "labeled"]);
const NAMES = {
  unlabeled: "Unlabeled · D",
  workers: "Workers",
  queries: "Queries · S",
  annotators: "Annotators",
  labeled: "Labeled · L",
  servers: "Servers",
  model: "Model · g*",
};
const RANK = { info: 0, warn: 1, bad: 2 };
const CHARACTER_PX = 6.9; // width of a character of the words; longer lines are cut

export class Loop {
  #place;
  #layout = null;
  #picture = null;
  #last = null;

  constructor(place) {
    this.#place = place;
    new ResizeObserver(() => this.#arrange()).observe(place);
  }

  draw(state, age, drawnPerMinute) {
    this.#last = [state, age, drawnPerMinute];
    this.#arrange();
  }

  #arrange() {
    const layout = layoutFor(this.#place.clientWidth);
    if (layout !== this.#layout) {
      this.#layout = layout;
      this.#picture = build(layout);
      this.#place.replaceChildren(this.#picture);
    }
    if (this.#last) update(this.#picture, layout, ...this.#last);
  }
}

function build(layout) {
  const picture = svg("svg", {
    viewBox: `0 0 ${layout.width} ${layout.height}`,
    role: "img",
    "aria-label": "The loop of labeling and learning",
  });
  for (const arrow of arrowsOf(layout)) {
    const [x, y, anchor] = arrow.label;
    picture.append(svg("g", { "data-arrow": arrow.id },
      svg("path", { class: "loop-arrow", d: arrow.path }),
      svg("polygon", { class: "loop-head", points: arrow.head }),
      svg("text", { class: "loop-rate", x, y, "text-anchor": anchor })));
  }
  for (const [id, box] of Object.entries(layout.parts)) picture.append(part(id, box));
  return picture;
}

function part(id, [x, y, width, height]) {
  const vessel = VESSELS.has(id);
  const rectangle = { x, y, width, height, rx: 8 };
  const group = svg("g", { "data-part": id, class: vessel ? "loop-vessel" : "loop-agent" });
  group.append(svg("rect", { class: "loop-box", ...rectangle }));
  if (vessel) {
    const clip = `loop-${id}`;
    group.append(
      svg("clipPath", { id: clip }, svg("rect", rectangle)),
      svg("rect", { class: "loop-level", x, width, "clip-path": `url(#${clip})` }),
      // At the two walls only: a line across would strike through the words.
      svg("path", { class: "loop-target" }),
      svg("rect", { class: "loop-outline", ...rectangle }));
  }
  const middle = x + width / 2;
  const top = y + height / 2 - 34;
  group.append(
    svg("text", { class: "loop-name", x: middle, y: top + 10, "text-anchor": "middle" }, NAMES[id]),
    svg("text", { class: "loop-number", x: middle, y: top + 40, "text-anchor": "middle" }),
    svg("text", { class: "loop-words", x: middle, y: top + 60, "text-anchor": "middle" }),
    svg("text", { class: "loop-words", x: middle, y: top + 76, "text-anchor": "middle" }));
  return group;
}

function update(picture, layout, state, age, drawnPerMinute) {
  const worst = new Map();
  for (const finding of state.findings) {
    const known = worst.get(finding.part);
    if (!known || RANK[finding.level] > RANK[known.level]) worst.set(finding.part, finding);
  }
  for (const [id, [number, words, level, target]] of Object.entries(partsOf(state, age))) {
    const group = picture.querySelector(`[data-part="${id}"]`);
    set(group, "data-level", worst.get(id)?.level ?? null);
    say(group.querySelector(".loop-number"), number);
    const lines = wrap(words, layout.parts[id][2]);
    group.querySelectorAll(".loop-words").forEach((text, place) => say(text, lines[place] ?? ""));
    if (VESSELS.has(id)) fill(group, layout.parts[id], level, target);
  }
  for (const [id, [rate, unit]] of Object.entries(ratesOf(state, drawnPerMinute))) {
    const group = picture.querySelector(`[data-arrow="${id}"]`);
    const still = !(rate > 0);
    set(group.children[0], "stroke-width", still ? 2 : Math.min(2 + 2.4 * Math.log10(1 + rate), 11));
    set(group.children[0], "data-still", still ? "" : null);
    set(group.children[1], "data-still", still ? "" : null);
    say(group.children[2], still ? "" : `${decimal(rate)}${unit}`);
  }
  set(picture, "aria-label", describe(state));
}

// For each part: [number, words, level of the vessel 0–1, target 0–1 or null].
function partsOf(state, age) {
  const { pools, model } = state;
  const total = pools.unlabeled + pools.queried + pools.labeled;
  const most = Math.max(pools.target_depth * 1.4, pools.open_queries, 1);
  const paused = state.campaign.state !== "running";
  const outside = [
    pools.reserved ? `${count(pools.reserved)} reserved` : "",
    pools.excluded ? `${count(pools.excluded)} excluded` : "",
  ].filter(Boolean).join(", ");
  return {
    unlabeled: [count(pools.unlabeled), outside ? `images; ${outside}` : "images", total ? pools.unlabeled / total : 0, null],
    workers: roleOf(state, "worker"),
    queries: [count(pools.open_queries), `${pools.target_depth ? `open of ${count(pools.target_depth)} aimed at` : "open"}; ${count(pools.queried)} images in S`,
      pools.open_queries / most, pools.target_depth ? pools.target_depth / most : null],
    annotators: [count(state.connected), paused ? `connected; ${state.campaign.state}` : "connected now"],
    labeled: [count(pools.labeled), total ? `${percent(pools.labeled / total)} of ${plural(total, "image")}` : "images",
      total ? pools.labeled / total : 0, null],
    servers: roleOf(state, "server"),
    model: model ? [`v${count(model.version)}`, `${ago(age(model.published_at))}, knew ${plural(model.labels_seen, "label")}`]
      : ["none", "not published yet"],
  };
}

function roleOf(state, role) {
  const rows = state.processes.filter((row) => row.role === role);
  const alive = rows.filter((row) => row.alive);
  const rests = state.processes.some((row) => row.role === "engine" && row.alive && row.idle);
  if (!alive.length && rests) return ["0", "at rest"];
  if (!alive.length) return ["0", rows.length ? `of ${count(rows.length)} heard lately` : "none has run yet"];
  const doing = new Map();
  for (const row of alive) {
    const words = row.doing.split(/[ ,]/, 1)[0] || "idle";
    doing.set(words, (doing.get(words) ?? 0) + 1);
  }
  const words = [...doing].sort((a, b) => b[1] - a[1]).map(([what, times]) => `${times} ${what}`).join(", ");
  const expected = rows.filter((row) => !row.stopped).length;
  return [alive.length === expected ? count(expected) : `${count(alive.length)} of ${count(expected)}`, words];
}

function ratesOf(state, drawnPerMinute) {
  const labels = state.labels_last_minute;
  const versions = state.rates.versions_per_minute;
  return {
    ask: [drawnPerMinute, ""],
    put: [drawnPerMinute, ""],
    claim: [labels, ""],
    answer: [labels, ""],
    follow: [labels, ""],
    publish: [versions, " versions"],
    take: [versions, ""],
  };
}

function fill(group, [x, y, width, height], level, target) {
  const share = Math.min(Math.max(level, 0), 1);
  const box = group.querySelector(".loop-level");
  set(box, "y", y + height * (1 - share));
  set(box, "height", height * share);
  const line = group.querySelector(".loop-target");
  const at = target === null ? null : y + height * (1 - Math.min(target, 1));
  set(line, "d", at === null ? null : `M${x} ${at}h18M${x + width} ${at}h-18`);
}

// Two lines at most; the table below has the full text.
function wrap(words, width) {
  const most = Math.floor((width - 12) / CHARACTER_PX);
  const lines = [""];
  for (const word of words.split(" ")) {
    const line = lines.at(-1);
    if (line && line.length + 1 + word.length > most) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  if (lines.length > 2) lines[1] = `${lines[1].slice(0, most - 1)}…`;
  return lines.slice(0, 2);
}

function describe(state) {
  const { pools } = state;
  const stalled = state.findings.map((finding) => finding.words).join(" ");
  return `The loop: ${count(pools.unlabeled)} unlabeled images, ${count(pools.open_queries)} open queries, `
    + `${count(pools.labeled)} labeled images, ${plural(state.connected, "annotator")} connected. ${stalled}`;
}
