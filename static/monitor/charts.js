// The charts, drawn by uPlot (vendor/uplot, a classic script loaded before this module).

import { html, say, svg } from "./dom.js";
import { count, decimal, percent, plural } from "./format.js";

const share = (_, values) => values.map((value) => `${Math.round(value * 1000) / 10} %`);
const whole = (_, values) => values.map((value) => (Number.isInteger(value) ? count(value) : decimal(value)));

export class Charts {
  #charts;

  constructor() {
    this.#charts = {
      "by-labels": new Chart("by-labels", { x: "labels", y: share, bands: true, points: true }),
      "by-time": new Chart("by-time", { x: "time", y: share, bands: true, points: true }),
      depth: new Chart("depth", { x: "time", y: whole, zero: true, second: true }),
      speed: new Chart("speed", { x: "time", y: whole, zero: true }),
      staleness: new Chart("staleness", { x: "time", y: whole, zero: true }),
    };
    // The admin switches between light and dark by a class on the root element.
    const redraw = () => Object.values(this.#charts).forEach((chart) => chart.rebuild());
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["class"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  draw(state, series) {
    const charts = this.#charts;
    const { versions } = series;
    const sorted = [...versions].sort((a, b) => a.labels_seen - b.labels_seen);
    const newest = versions.at(-1);
    const words = accuracyWords(newest);
    charts["by-labels"].draw(accuracy(sorted, (row) => row.labels_seen), words);
    charts["by-time"].draw(accuracy(versions, (row) => row.published_at), words);
    charts.depth.draw(series.over([(point) => point.open_queries, (point) => point.target_depth]), [
      ["", `${plural(state.pools.open_queries, "open query", "open queries")} now`],
      ["second", `${count(state.pools.target_depth)} aimed at`],
    ]);
    charts.speed.draw(series.over([(point) => point.labels_per_minute]),
      [["", `${plural(state.labels_last_minute, "label")} in the last minute`]]);
    const { mean, p99 } = state.staleness;
    charts.staleness.draw([series.staleness.map(([t]) => t), series.staleness.map(([, value]) => value)],
      mean === null ? [] : [["", `mean ${decimal(mean)} labels unseen by the model, p99 ${decimal(p99)}, newest 1,000 answers`]]);
  }
}

function accuracy(versions, x) {
  const column = (name) => versions.map((row) => row[name]);
  return [versions.map(x), column("accuracy"), column("low"), column("high"),
    column("audit"), column("audit_low"), column("audit_high")];
}

function accuracyWords(newest) {
  if (!newest) return [];
  const words = [];
  if (newest.accuracy !== null) words.push(["", `holdout ${percent(newest.accuracy)}`]);
  if (newest.audit !== null) words.push(["second", `audits ${percent(newest.audit)}`]);
  return words.length ? [...words, [null, "shaded: 95 % intervals"]] : words;
}

class Chart {
  #options;
  #plot;
  #words;
  #chart = null;
  #data = null;
  #width = 0;

  constructor(id, options) {
    const figure = document.getElementById(`chart-${id}`);
    this.#options = options;
    this.#plot = figure.querySelector('[data-part="plot"]');
    this.#words = figure.querySelector('[data-part="words"]');
    new ResizeObserver(() => this.#fit()).observe(this.#plot);
  }

  draw(data, words) {
    const measured = data.slice(1).some((column) => column.some((value) => value !== null));
    this.#data = data[0].length > 1 && measured ? data : null;
    this.#say(words);
    if (!this.#data) {
      this.#chart?.destroy();
      this.#chart = null;
    } else if (this.#chart) {
      this.#chart.setData(this.#data);
    } else {
      this.rebuild();
    }
  }

  rebuild() {
    this.#chart?.destroy();
    this.#chart = null;
    if (!this.#data || !this.#plot.clientWidth) return;
    const size = { width: this.#plot.clientWidth, height: this.#plot.clientHeight };
    this.#width = size.width;
    this.#chart = new globalThis.uPlot(optionsOf(this.#options, size, this.#plot), this.#data, this.#plot);
  }

  #fit() {
    const width = this.#plot.clientWidth;
    if (!this.#chart) this.rebuild();
    else if (width && width !== this.#width) {
      this.#width = width;
      this.#chart.setSize({ width, height: this.#plot.clientHeight });
    }
  }

  #say(words) {
    const text = words.map(([, words]) => words).join("|");
    if (this.#words.dataset.text === text) return;
    this.#words.dataset.text = text;
    if (!words.length) {
      say(this.#words, "Nothing to draw yet.");
      return;
    }
    this.#words.replaceChildren(...words.map(([kind, text]) => kind === null ? html("span", {}, text)
      : html("span", { class: `live-key ${kind}` },
        svg("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { d: "M0 5H28" })), text)));
  }
}

function optionsOf({ x, y, zero, second, bands, points }, size, place) {
  const ink = (name) => tokenColor(place, name);
  const [first, other, soft, line] = ["--series-1", "--series-2", "--ink-soft", "--line"].map(ink);
  const mark = { show: Boolean(points), size: 4 };
  const main = { stroke: first, width: 2, points: { ...mark, fill: first } };
  const dashed = { stroke: other, width: 2, dash: [6, 4], points: { ...mark, fill: other } };
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  const series = bands ? [{}, main, edge, edge, dashed, edge, edge] : [{}, main, ...(second ? [dashed] : [])];
  const axis = { stroke: soft, font: "12px system-ui, sans-serif", grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    ...size,
    series,
    bands: bands ? [{ series: [3, 2], fill: see(first, 0.18) }, { series: [6, 5], fill: see(other, 0.16) }] : [],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: x === "time" },
      y: bands ? { range: (_, least, most) => [Math.max(0, least - 0.03), Math.min(1, most + 0.02)] }
        : { range: (_, least, most) => [zero ? 0 : least, Math.max(most * 1.1, 1)] },
    },
    axes: [
      { ...axis, values: x === "time" ? clock : whole, space: 70, size: 32 },
      { ...axis, values: y, size: 56 },
    ],
  };
}

// Labels of a time axis: times of day, and the date at midnight.
function clock(_, splits) {
  const two = (number) => String(number).padStart(2, "0");
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    const isMidnight = at.getHours() + at.getMinutes() + at.getSeconds() === 0;
    if (isMidnight) return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const rest = at.getSeconds() ? `:${two(at.getSeconds())}` : "";
    return `${two(at.getHours())}:${two(at.getMinutes())}${rest}`;
  });
}

// The current color of a design token, which a canvas needs resolved.
function tokenColor(place, name) {
  const probe = html("span");
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const see = (rgb, alpha) => rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
