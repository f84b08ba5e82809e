// The page around the stage: the panel of each state, progress, the link's dot, notices and what
// is spoken to screen readers. It shows what it is told and decides nothing.

import { STATES, keptWords, linkWords } from "./words.js";

const NOTICE_MS = 6000;
const SPOKEN_MS = 400; // who goes faster than this needs no words for each image
const NOTICES = 2;

const part = (id) => document.getElementById(id);

export class View {
  #speaking = 0;
  #loginUrl;

  // goOn() is called by the button of a panel.
  constructor({ loginUrl, goOn }) {
    this.#loginUrl = loginUrl;
    part("panel-button").addEventListener("click", goOn);
  }

  // state: labeling, connecting, idle, away or closed; scene: the key of its words (of
  // labeling none are shown).
  state(state, scene) {
    document.body.dataset.state = state;
    const panel = part("panel");
    panel.hidden = state === "labeling";
    if (panel.dataset.scene === scene) return;
    panel.dataset.scene = scene;
    if (panel.hidden) return;
    const { title, text, button, link } = STATES[scene];
    part("panel-title").textContent = title;
    part("panel-text").textContent = text;
    part("panel-button").hidden = !button;
    part("panel-button").textContent = button ?? "";
    part("panel-link").hidden = !link;
    part("panel-link").textContent = link?.text ?? "";
    part("panel-link").classList.toggle("primary", link?.href === "login");
    if (link) part("panel-link").href = link.href === "login" ? this.#loginUrl : link.href;
    if (state !== "connecting") this.speak(`${title}. ${text}`);
  }

  link({ status, pending, slow }) {
    document.body.dataset.pending = String(pending);
    const words = linkWords({ status, online: navigator.onLine, pending, slow });
    part("link").dataset.link = status === "live" && slow ? "slow" : status;
    const span = part("link").lastElementChild;
    if (span.textContent !== words) span.textContent = words;
    const kept = status === "live" ? "" : keptWords(pending);
    part("panel-kept").hidden = !kept;
    part("panel-kept").textContent = kept;
  }

  progress({ labeled, total, mine }) {
    document.body.dataset.mine = String(mine);
    const share = (some) => (total ? Math.min(some / total, 1) : 0);
    const bar = part("progress");
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share(labeled))));
    bar.setAttribute("aria-valuetext", `${labeled} of ${total} images, ${mine} answers yours`);
    bar.style.setProperty("--labeled", share(labeled));
    bar.style.setProperty("--mine", Math.min(share(mine), share(labeled)));
    part("labeled").textContent = labeled.toLocaleString();
    part("total").textContent = total.toLocaleString();
    part("mine").textContent = mine.toLocaleString();
    part("counts").hidden = false;
  }

  caps(caps) {
    for (const place of document.querySelectorAll("[data-cap]")) {
      place.textContent = caps.get(place.dataset.cap);
    }
  }

  notice(text, level = "info") {
    const notice = document.createElement("li");
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
