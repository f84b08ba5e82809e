// Which key means what. A campaign's own hotkeys come first; an action whose letter is taken moves
// to Shift and its key cap says so.

const ACTIONS = [
  { name: "unsure", letter: "u" },
  { name: "bad_image", letter: "x" },
  { name: "other", letter: "s" },
  { name: "undo", letter: "z", cap: "⌫" },
  { name: "pause", letter: "p" },
  { name: "help", letter: "h", cap: "?" },
  { name: "rotate", letter: "r" },
];
const VIEW = {
  "+": "zoom_in",
  "=": "zoom_in",
  "-": "zoom_out",
  ArrowUp: "brighter",
  ArrowDown: "darker",
  ".": "more_contrast",
  ",": "less_contrast",
  Escape: "reset_view",
  "shift ArrowLeft": "pan_left",
  "shift ArrowRight": "pan_right",
  "shift ArrowUp": "pan_up",
  "shift ArrowDown": "pan_down",
};

// choices: as in the welcome. search: the field that finds a class by its name, or null; while
// there is one, a letter that nothing else claims begins a search.
export function keymap(choices, search) {
  const hotkeys = new Map();
  for (const choice of choices) if (choice.hotkey) hotkeys.set(choice.hotkey.toLowerCase(), choice);

  const actions = new Map(Object.entries(VIEW));
  const caps = new Map();
  for (const { name, letter, cap } of ACTIONS) {
    const taken = hotkeys.has(letter) || search !== null;
    actions.set(taken ? `shift ${letter}` : letter, name);
    caps.set(name, cap ?? (taken ? `⇧${letter.toUpperCase()}` : letter.toUpperCase()));
  }
  if (hotkeys.has("?")) caps.set("help", actions.has("h") ? "H" : "⇧H");
  else actions.set("?", "help");
  actions.set("Backspace", "undo");
  const rtl = getComputedStyle(document.documentElement).direction === "rtl";
  actions.set(rtl ? "ArrowRight" : "ArrowLeft", "undo");
  actions.set(rtl ? "ArrowLeft" : "ArrowRight", "redo");

  // Returns {choice}, {action}, {search: true} or null.
  function meaning(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const shifted = event.shiftKey && actions.get(`shift ${key}`);
    if (shifted) return { action: shifted };
    if (hotkeys.has(key)) return { choice: hotkeys.get(key) };
    if (actions.has(key)) return { action: actions.get(key) };
    if (search && (key === "/" || /^[\p{L}\p{N}]$/u.test(key))) return { search: true };
    // By the key's place, where the layout types neither a Latin letter nor a digit there: French
    // digits, Cyrillic or Greek letters. A Latin letter always means itself.
    if (event.shiftKey || /^[a-z0-9]$/.test(key)) return null;
    const place = /^(?:Digit|Key)(.)$/.exec(event.code)?.[1].toLowerCase();
    if (hotkeys.has(place)) return { choice: hotkeys.get(place) };
    if (actions.has(place)) return { action: actions.get(place) };
    return null;
  }

  return { caps, meaning };
}

// Whether a key press is for this page at all, and not for the browser or a field.
export function isOurs(event) {
  if (event.repeat || event.isComposing || event.defaultPrevented) return false;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  return !event.target.closest?.("input, textarea, select, [contenteditable]");
}
