// The four numbers on top, each with its unit, its meaning and its recent course.

import { say, set, svg } from "./dom.js";
import { ago, count, decimal, percent, plural, wait } from "./format.js";

const SPARK_POINTS = 60;

export function drawTiles(state, series, ageSeconds) {
  const { pools, rates, waits_ms: waits, model } = state;
  const total = pools.unlabeled + pools.queried + pools.labeled;
  const share = total ? `${percent(pools.labeled / total)} of ${plural(total, "image")}` : "no images yet";
  const budget = state.campaign.budget ? ` of ${count(state.campaign.budget)} to spend` : "";
  tile("labels", count(pools.labeled), pools.labeled === 1 ? "image" : "images",
    `${share} · ${plural(pools.answers, "answer")}${budget}`,
    series.points.map((point) => point.labeled));

  tile("rate", count(state.labels_last_minute), "per minute",
    `last minute · ${decimal(rates.labels_per_minute)} per minute over the last 5 min`,
    series.points.map((point) => point.labels_per_minute));

  const [number, unit] = wait(waits.p99);
  const dry = waits.dry === 0 ? "never dry" : `dry ${waits.dry === 1 ? "once" : `${count(waits.dry)} times`}`;
  tile("wait", number, unit,
    waits.p99 === null ? "nobody asked for an image in the last 5 min"
      : `half of them at most ${wait(waits.p50).join(" ")} · ${dry} · last 5 min`,
    series.points.map((point) => point.wait_p99_ms));

  tile("accuracy", ...accuracyOf(model, ageSeconds(model?.published_at)),
    series.versions.map((version) => version.accuracy ?? version.audit));
}

function accuracyOf(model, age) {
  if (!model) return ["–", "", "no model yet"];
  const which = `version ${count(model.version)}, ${ago(age)}`;
  const audit = model.audit === null ? ""
    : ` · audits ${percent(model.audit)} (${interval(model.audit_low, model.audit_high)}, ${count(model.audit_count)} answers)`;
  if (model.accuracy !== null) {
    return [percent(model.accuracy).slice(0, -2), "%",
      `holdout, 95 %: ${interval(model.low, model.high)}${audit} · ${which}`];
  }
  if (model.audit !== null) {
    return [percent(model.audit).slice(0, -2), "%",
      `${count(model.audit_count)} audits, 95 %: ${interval(model.audit_low, model.audit_high)} · ${which}`];
  }
  return ["–", "", `no holdout and no audits to measure it on · ${which}`];
}

const interval = (low, high) =>
  low === null ? "no interval" : `${(low * 100).toFixed(1)}–${percent(high)}`;

function tile(id, value, unit, words, values) {
  const element = document.getElementById(`tile-${id}`);
  const part = (name) => element.querySelector(`[data-part="${name}"]`);
  say(part("value"), value);
  say(part("unit"), unit);
  say(part("words"), words);
  spark(part("spark"), values.filter((number) => number !== null));
}

function spark(element, all) {
  const values = thin(all, SPARK_POINTS);
  if (values.length < 2) {
    element.replaceChildren();
    return;
  }
  if (!element.firstChild) element.append(svg("path", { class: "under" }), svg("path"));
  const most = Math.max(...values), least = Math.min(...values, most * 0.8);
  const y = (value) => (most === least ? 30 : 31 - (29 * (value - least)) / (most - least));
  const line = values.map((value, place) => `${(120 * place) / (values.length - 1)} ${y(value).toFixed(2)}`);
  set(element.children[1], "d", `M${line.join("L")}`);
  set(element.children[0], "d", `M0 32L${line.join("L")}L120 32Z`);
}

function thin(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, place) => values[Math.round((place * (values.length - 1)) / (most - 1))]);
}
