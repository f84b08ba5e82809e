// The table of servers and workers, the shares of strategies, the gallery and the people.

import { html, keep, say, set, svg } from "./dom.js";
import { ago, count, percent, plural } from "./format.js";

const COLUMNS = ["Name", "Does now", "Device", "Strategy", "Cells of D", "Wants in S", "Last heard"];

export function drawProcesses(place, words, state, extraSeconds) {
  const rows = state.processes;
  const alive = rows.filter((row) => row.alive).length;
  say(words, rows.length ? `${count(alive)} of ${plural(rows.length, "process", "processes")} heard lately` : "");
  if (!rows.length) {
    if (!place.querySelector("p")) {
      place.replaceChildren(html("p", { class: "soft" }, "None has ever run. Start them: ",
        html("span", { class: "mono" }, `manage.py run_engine ${state.campaign.slug}`)));
    }
    return;
  }
  if (!place.querySelector("table")) {
    const head = html("tr", {}, ...COLUMNS.map((name) => html("th", { scope: "col" }, name)));
    place.replaceChildren(html("table", {}, html("thead", {}, head), html("tbody")));
  }
  keep(place.querySelector("tbody"), rows, (row) => row.id, makeProcess,
    (element, row) => updateProcess(element, row, extraSeconds));
}

function makeProcess() {
  const cells = COLUMNS.map((name) => html("td", { "data-name": name }, html("span")));
  cells[1].append(html("p", { class: "fault" }));
  cells[0].append(" ", html("span", { class: "soft" }));
  cells.at(-1).firstChild.className = "heard";
  return html("tr", {}, ...cells);
}

function updateProcess(element, row, extraSeconds) {
  const worker = row.role === "worker";
  const texts = [
    row.name,
    row.doing || "–",
    row.device || "–",
    worker ? row.strategy || "–" : "–",
    worker ? count(row.cells) : "–",
    worker ? plural(row.depth, "query", "queries") : "–",
    row.stopped ? "stopped" : ago(row.heard_s + extraSeconds),
  ];
  texts.forEach((text, column) => say(element.children[column].firstChild, text));
  say(element.children[0].lastChild, row.host ? `on ${row.host}` : "");
  const fault = element.children[1].lastChild;
  say(fault, row.last_error ? `Last error: ${row.last_error}` : "");
  fault.hidden = !row.last_error;
  set(element, "data-alive", row.stopped ? "stopped" : row.alive ? "yes" : "no");
}

export function drawStrategies(list, strategies) {
  const total = Object.values(strategies).reduce((sum, number) => sum + number, 0);
  const rows = Object.entries(strategies);
  if (!rows.length) return nothing(list, "No answers yet.");
  keep(list, rows, ([name]) => name, ([name]) => {
    const bar = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { height: 1 }));
    return html("li", {}, html("span", {}, name), html("span"), bar);
  }, (element, [, number]) => {
    say(element.children[1], percent(number / total, 0));
    set(element.querySelector("rect"), "width", (100 * number) / total);
  });
}

export function drawLearners(list, learners) {
  if (!learners.length) return nothing(list, "No model yet.");
  keep(list, learners, (row) => `${row.role} ${row.architecture}`,
    () => html("li", {}, html("strong"), html("span", { class: "soft" }), html("p", { class: "soft" })),
    (element, row) => {
      say(element.children[0], row.architecture);
      say(element.children[1], row.best ? "best on audits" : "");
      say(element.children[2], row.words);
    });
}

export function drawGallery(list, asking) {
  if (!asking.length) return nothing(list, "Nobody has an image in front of them now.");
  // In the order of the turns, so that a renewed lease does not move its image.
  const rows = [...asking].sort((a, b) => b.turn - a.turn);
  keep(list, rows, (row) => `${row.turn} ${row.url !== null}`, (row) => {
    const why = row.purpose === "active"
      ? row.strategy + (row.score === null ? "" : ` ${row.score.toFixed(2)}`) : row.purpose;
    const words = [html("span", { class: "soft", title: why }, why),
      html("span", { class: "soft mono", title: `with ${row.person}` }, row.person)];
    // People who may not see images are sent no addresses.
    if (row.url === null) {
      return html("li", { class: "veiled" }, html("p", { class: "soft" }, "not shown"), ...words);
    }
    return html("li", {}, html("a", { href: `../../../image/${row.image}/change/` }, pictureOf(row), ...words));
  });
}

function pictureOf(row) {
  const image = html("img", { src: row.url, alt: row.name, width: row.width, height: row.height });
  if (Math.max(row.width, row.height) <= 100) image.className = "small";
  return image;
}

export function drawPeople(list, people, extraSeconds) {
  if (!people.length) return nothing(list, "Nobody has answered yet.");
  keep(list, people, (row) => row.name,
    (row) => html("li", {}, html("span", { class: "mono" }, row.name), html("span"), html("span", { class: "soft" })),
    (element, row) => {
      say(element.children[1], plural(row.answers, "answer"));
      say(element.children[2], `last answer ${ago(row.last_s + extraSeconds)}`);
    });
}

function nothing(list, words) {
  keep(list, [words], (text) => text, (text) => html("li", { class: "soft" }, text));
}
