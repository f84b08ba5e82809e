// The row of similar images on an image's page in the admin: loaded after the page, so that the page
// never waits for it.

const section = document.getElementById("similar");
const state = document.getElementById("similar-state");
const found = document.getElementById("similar-found");

async function load() {
  section.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(section.dataset.address, { credentials: "same-origin" });
    if (answer.redirected) say("You are logged out: reload this page to log in.");
    else if (answer.ok) show(await answer.text());
    else say(`Similar images could not be loaded (${answer.status}).`, true);
  } catch {
    say("Similar images could not be loaded: the site does not answer.", true);
  }
  section.removeAttribute("aria-busy");
}

// The first paragraph is read out; the images are come to by Tab.
function show(html) {
  found.innerHTML = html;
  const words = found.querySelector("p");
  state.textContent = words.textContent.trim();
  words.remove();
}

function say(words, again = false) {
  state.textContent = `${words} `;
  if (again) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "nw-link";
    button.textContent = "Try again";
    button.addEventListener("click", load);
    state.append(button);
  }
}

if (section) {
  if (document.readyState === "complete") load();
  else addEventListener("load", load, { once: true });
}
