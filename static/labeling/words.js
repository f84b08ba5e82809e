// The page's texts. They come with the page, in the person's language, as a block of JSON
// (annotator_site/labeling/page/words.py); numbers are formatted for that language.

const said = JSON.parse(document.getElementById("words").textContent);
const { lang } = document.documentElement;
const numbers = new Intl.NumberFormat(lang);
const kinds = new Intl.PluralRules(lang);

export const STATES = said.states; // {title, text, button, link} by the state's name

export function number(value) {
  return numbers.format(value);
}

// The text of this name with its {places} filled in; `n` selects singular or plural.
export function word(name, values = {}) {
  const found = said[name];
  return filled(typeof found === "string" ? found : found[kinds.select(values.n)], values);
}

export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, place) => {
    const value = values[place];
    return typeof value === "number" ? number(value) : value;
  });
}

// The key of the words for why there is nothing: the detail, if the server gives one that this page
// knows, else the reason.
export function wordsOf(reason, detail) {
  return Object.hasOwn(STATES, detail ?? "") ? detail : reason;
}

// Why the server refused a message; the server's words if this page has none for the code.
export function refusalWords(code, message) {
  return said.refusals[code] ?? message;
}

// The words beside the dot.
export function linkWords({ status, online, pending, slow, delayed }) {
  if (status === "live" && delayed) return word("saving_delayed", { n: pending });
  if (status === "live") return slow ? word("saving", { n: pending }) : word("live");
  if (status === "refused") return word("not_connected");
  if (status === "resting") return word("on_break");
  const trying = online ? "reconnecting" : "offline";
  const state = word(status === "connecting" ? "connecting" : trying);
  return pending ? word("unsent", { word: state, n: pending }) : state;
}
