// What each key means. A campaign's hotkeys come first; an action whose letter is taken moves to
// Shift, and its key cap shows that. With many classes, a name is typed to find one: no key that
// begins a name answers, and an action whose letter begins one is on Alt.

export const MANY = 40; // classes; above that they are found by name

const ACTIONS = [
  { name: "unsure", letter: "u" },
  { name: "bad_image", letter: "x" },
  { name: "other", letter: "s" },
  { name: "undo", letter: "z", cap: "⌫" },
  { name: "pause", letter: "p" },
  { name: "help", letter: "h", cap: "?" },
  { name: "rotate", letter: "r" },
];
// A class may take one of these signs; its action stays on the other key (SIGNS).
const VIEW = {
  "+": "zoom_in",
  "=": "zoom_in",
  "-": "zoom_out",
  PageUp: "zoom_in",
  PageDown: "zoom_out",
  ArrowUp: "brighter",
  ArrowDown: "darker",
  ".": "more_contrast",
  ",": "less_contrast",
  "shift PageUp": "more_contrast",
  "shift PageDown": "less_contrast",
  Escape: "reset_view",
  "shift ArrowLeft": "pan_left",
  "shift ArrowRight": "pan_right",
  "shift ArrowUp": "pan_up",
  "shift ArrowDown": "pan_down",
};
const SIGNS = [
  { name: "zoom_in", signs: "+=", otherwise: "PgUp" },
  { name: "zoom_out", signs: "-", otherwise: "PgDn" },
  { name: "more_contrast", signs: ".", otherwise: "⇧PgUp" },
  { name: "less_contrast", signs: ",", otherwise: "⇧PgDn" },
];

// The classes with the keys that answer: with many, no key that may begin a name.
export function answering(choices) {
  if (choices.length <= MANY) return choices;
  const begins = beginsOf(choices);
  return choices.map((choice) => {
    const { hotkey } = choice;
    return hotkey && isTyped(hotkey.toLowerCase(), begins) ? { ...choice, hotkey: "" } : choice;
  });
}

// Whether a key (in lower case) would be typed to find one of many classes.
export function findsOne(key, choices) {
  return choices.length > MANY && isTyped(key, beginsOf(choices));
}

// choices: as in the welcome, with the keys that answer. search: the field that finds a class by
// name, or null; if there is one, a letter that nothing else claims begins a search.
export function keymap(choices, search) {
  const hotkeys = new Map();
  for (const choice of choices) if (choice.hotkey) hotkeys.set(choice.hotkey.toLowerCase(), choice);
  const begins = search ? beginsOf(choices) : new Set();

  const actions = new Map(Object.entries(VIEW));
  const caps = new Map();
  for (const { name, letter, cap } of ACTIONS) {
    const taken = hotkeys.has(letter) || search !== null;
    const alt = begins.has(letter);
    actions.set((taken ? (alt ? "alt " : "shift ") : "") + letter, name);
    const own = (taken ? (alt ? "Alt " : "⇧") : "") + letter.toUpperCase();
    caps.set(name, cap && !hotkeys.has(cap) ? cap : own);
  }
  for (const { name, signs, otherwise } of SIGNS) {
    caps.set(name, [...signs].find((sign) => !hotkeys.has(sign)) ?? otherwise);
  }
  if (!hotkeys.has("?")) actions.set("?", "help");
  actions.set("Backspace", "undo");
  const rtl = getComputedStyle(document.documentElement).direction === "rtl";
  actions.set(rtl ? "ArrowRight" : "ArrowLeft", "undo");
  actions.set(rtl ? "ArrowLeft" : "ArrowRight", "redo");

  // Returns {choice}, {action}, {search: true} or null.
  function meaning(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const [, row, place] = /^(Digit|Key)(.)$/.exec(event.code)?.map(lower) ?? [];
    if (event.altKey) {
      // Some systems type signs with Alt: the key's place then gives the letter.
      const held = actions.get(`alt ${/^[a-z]$/.test(key) ? key : place}`);
      return held ? { action: held } : null;
    }
    const shifted = event.shiftKey && actions.get(`shift ${key}`);
    if (shifted) return { action: shifted };
    if (hotkeys.has(key)) return { choice: hotkeys.get(key) };
    // By the key's place, if the layout types neither a Latin letter nor a digit there: French and
    // Czech digits, Cyrillic or Greek letters. A Latin letter always means itself. On the digit row
    // this precedes what a sign does to the view.
    const elsewhere = !event.shiftKey && !/^[a-z0-9]$/.test(key);
    const placed = elsewhere && hotkeys.get(place);
    if (placed && (row === "digit" ? !begins.has(key) : !search)) return { choice: placed };
    if (actions.has(key)) return { action: actions.get(key) };
    if (search && (key === "/" || /^[\p{L}\p{N}]$/u.test(key) || begins.has(key))) {
      return { search: true };
    }
    if (elsewhere && actions.has(place)) return { action: actions.get(place) };
    return null;
  }

  return { caps, meaning };
}

const lower = (text) => text.toLowerCase();

// The first letters of the names, as typed with accents and without. A name that equals its class's
// key is left out.
function beginsOf(choices) {
  const begins = new Set();
  for (const { name, hotkey } of choices) {
    const typed = name.trim().toLowerCase();
    if (typed === hotkey.toLowerCase()) continue;
    for (const form of ["NFC", "NFD"]) begins.add([...typed.normalize(form)][0]);
  }
  return begins;
}

function isTyped(key, begins) {
  return /^\p{L}$/u.test(key) || begins.has(key);
}

// Whether a key press may be for this page, not for the browser or a field. With Alt, the caller
// must check that it means something.
export function isOurs(event) {
  if (event.repeat || event.isComposing || event.defaultPrevented) return false;
  if (event.ctrlKey || event.metaKey) return false;
  return !event.target.closest?.("input, textarea, select, [contenteditable]");
}
