// The page around the stage: the panel of each state, progress, the link's dot, notices and text
// for screen readers. It decides nothing.

import { STATES, filled, linkWords, number, word } from "./words.js";

const NOTICE_MS = 6000;
const SPOKEN_MS = 400; // faster people need no words for each image
const NOTICES = 2;

const part = (id) => document.getElementById(id);

export class View {
  #speaking = 0;
  #progress = null; // not drawn yet
  #loginUrl;

  // goOn() is called by the button of a panel.
  constructor({ loginUrl, goOn }) {
    this.#loginUrl = loginUrl;
    part("panel-button").addEventListener("click", goOn);
  }

  // state: labeling, connecting, idle, away, changed, resting or closed; scene: its look; words:
  // the key of its words, if a scene has several (labeling shows none); values: to be filled in.
  state(state, scene, words = scene, values = {}) {
    const panel = part("panel");
    const same = panel.dataset.words === words;
    if (same && document.body.dataset.state === state) return;
    document.body.dataset.state = state;
    panel.hidden = state === "labeling";
    if (same) return;
    panel.dataset.scene = scene;
    panel.dataset.words = words;
    if (panel.hidden) return;
    const { title, button, link } = STATES[words];
    const text = filled(STATES[words].text, values);
    part("panel-title").textContent = title;
    part("panel-text").textContent = text;
    part("panel-button").hidden = !button;
    part("panel-button").textContent = button;
    part("panel-link").hidden = !link;
    part("panel-link").textContent = link?.text ?? "";
    part("panel-link").classList.toggle("primary", link?.href === "login");
    if (link) part("panel-link").href = link.href === "login" ? this.#loginUrl : link.href;
    if (state !== "connecting" || words === "storage_away") this.speak(`${title}. ${text}`);
  }

  // Called for every answer and receipt: touches only what differs.
  link({ status, pending, slow, delayed, kept: how, name }) {
    document.body.dataset.pending = String(pending);
    const words = linkWords({ status, online: navigator.onLine, pending, slow, delayed });
    const link = status === "live" && (slow || delayed) ? "slow" : status;
    if (part("link").dataset.link !== link) part("link").dataset.link = link;
    const span = part("link").lastElementChild;
    if (span.textContent !== words) span.textContent = words;
    const kept = status === "live" || !pending ? "" : word(how, { n: pending, name });
    if (part("panel-kept").textContent === kept) return;
    part("panel-kept").hidden = !kept;
    part("panel-kept").textContent = kept;
  }

  progress(progress) {
    document.body.dataset.mine = String(progress.mine);
    this.#progress = progress;
  }

  // Updates the counts.
  draw() {
    if (!this.#progress) return;
    const { labeled, total, mine } = this.#progress;
    this.#progress = null;
    const share = (some) => (total ? Math.min(some / total, 1) : 0);
    const bar = part("progress");
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share(labeled))));
    bar.setAttribute("aria-valuetext", word("progress", { labeled, total, mine }));
    bar.style.setProperty("--labeled", share(labeled));
    bar.style.setProperty("--mine", Math.min(share(mine), share(labeled)));
    part("labeled").textContent = number(labeled);
    part("total").textContent = number(total);
    part("mine").textContent = number(mine);
    part("counts").hidden = false;
  }

  // The campaign's words, which may differ from those in the page.
  describe({ title, instructions_html }) {
    const heading = part("title");
    if (heading.textContent !== title) {
      heading.textContent = heading.title = title;
      document.title = `${title} · Nowait`;
    }
    const told = document.createElement("template");
    told.innerHTML = instructions_html;
    if (told.innerHTML === part("instructions").innerHTML) return;
    part("instructions").replaceChildren(told.content);
    part("no-instructions").hidden = instructions_html !== "";
    part("help-open").dataset.news = "true";
    this.notice(word("instructions_changed"));
  }

  caps(caps) {
    for (const place of document.querySelectorAll("[data-cap]")) {
      place.textContent = caps.get(place.dataset.cap);
    }
  }

  notice(text, level = "info") {
    const notice = document.createElement("p");
    notice.className = "toast";
    notice.dataset.level = level;
    notice.textContent = text;
    const list = part("toasts");
    for (const other of list.children) if (other.textContent === text) other.remove();
    list.append(notice);
    while (list.children.length > NOTICES) list.firstElementChild.remove();
    setTimeout(() => notice.remove(), NOTICE_MS);
  }

  speak(text) {
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => (part("spoken").textContent = text), SPOKEN_MS);
  }
}
