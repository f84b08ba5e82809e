// The row of similar images on an image's page in the admin: loaded after the page, so that the page
// never waits for it.

import { html, say } from "./dom.js";

const SIDE_PX = 96;
const place = document.getElementById("similar");
const state = document.getElementById("similar-state");
const row = document.getElementById("similar-row");

async function load() {
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(place.dataset.address, { credentials: "same-origin" });
    if (answer.redirected) say(state, "You are logged out: reload this page to log in.");
    else if (answer.ok) show(await answer.json());
    else offer(`Similar images could not be loaded (${answer.status}).`);
  } catch {
    offer("Similar images could not be loaded: the site does not answer.");
  }
  place.removeAttribute("aria-busy");
}

function show({ words, images }) {
  say(state, words);
  row.replaceChildren(...images.map((image) => html("li", {}, link(image))));
}

function link({ id, address, url, name, words, cosine, near_copy, width, height }) {
  const small = width < SIDE_PX && height < SIDE_PX;
  const closeness = html("span", { class: "nw-similar-cosine" }, cosine.toFixed(3));
  if (near_copy) closeness.append(" ", html("b", {}, "nearly the same picture"));
  return html(
    "a",
    { href: address },
    html("img", {
      src: url,
      alt: `image #${id}`,
      width: SIDE_PX,
      height: SIDE_PX,
      decoding: "async",
      class: small ? "nw-pixels" : null,
    }),
    html("span", { class: "nw-similar-words" }, words),
    html("span", { class: "nw-similar-name" }, name),
    closeness,
  );
}

function offer(words) {
  const again = html("button", { type: "button", class: "nw-link" }, "Try again");
  again.addEventListener("click", load);
  state.replaceChildren(`${words} `, again);
}

if (place) {
  if (document.readyState === "complete") load();
  else addEventListener("load", load, { once: true });
}
