// What the page says in each state, and what comes next. One place, so that the tone is one.

const HOME = { text: "All campaigns", href: "/" };

export const STATES = {
  connecting: {
    title: "Connecting",
    text: "Your first images are on their way.",
  },
  waiting: {
    title: "Fetching the next image",
    text: "It is on its way.",
  },
  unreachable: {
    title: "No connection to the server",
    text: "This page tries again by itself and goes on as soon as it gets through.",
  },
  pool_empty: {
    title: "The next images are being chosen",
    text: "You need do nothing: they come by themselves.",
  },
  paused: {
    title: "This campaign is paused",
    text: "Everything you answered is safe. When it goes on, images come by themselves.",
    link: HOME,
  },
  finished: {
    title: "This campaign is finished",
    text: "Every image has its label. Thank you for your part in it.",
    link: HOME,
  },
  away: {
    title: "You were away",
    text: "Your images went to others, so that nobody waits. Press any key to go on.",
    button: "Go on",
  },
  4401: {
    title: "You are logged out",
    text: "Log in again, and you come back to this page.",
    link: { text: "Log in", href: "login" },
  },
  4403: {
    title: "You are not in this campaign",
    text: "Ask whoever runs it to add you, or to let you in again. Then open this page afresh.",
    link: HOME,
  },
  4404: {
    title: "This campaign does not exist any more",
    text: "It may have been removed or renamed.",
    link: HOME,
  },
  4409: {
    title: "Labeling is open in too many places",
    text: "Close it in another tab or on another device, then go on here.",
    button: "Go on here",
  },
  4429: {
    title: "That was faster than this campaign allows",
    text: "Nothing is lost. Wait a few seconds, then go on.",
    button: "Go on",
  },
};

export const BROKEN = "An image could not be opened. It was reported and passed over.";
export const UNREACHED = "An image could not be fetched and was passed over.";
export const REVOKED = "That image went to somebody else. Here is the next.";

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

// The words beside the dot.
export function linkWords({ status, online, pending, slow }) {
  if (status === "live") return slow ? `Saving ${count(pending, "answer")}` : "Live";
  if (status === "refused") return "Not connected";
  const word = status === "connecting" ? "Connecting" : online ? "Reconnecting" : "Offline";
  return pending ? `${word} · ${count(pending, "answer")} unsent` : word;
}

export function keptWords(pending) {
  if (!pending) return "";
  const them = pending === 1 ? "it is" : "they are";
  return `${count(pending, "answer")} kept in this browser; ${them} sent as soon as there is a connection.`;
}
