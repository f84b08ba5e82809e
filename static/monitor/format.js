// Formats numbers, durations and shares, each with its unit.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

export const count = (number) => whole.format(number);

export function decimal(number) {
  if (number === null) return "–";
  return number >= 100 ? whole.format(number) : String(Math.round(number * 10) / 10);
}

export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;

export function span(seconds) {
  if (seconds < 1) return "less than 1 s";
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

export const ago = (seconds) => (seconds < 1 ? "just now" : `${span(seconds)} ago`);

// A wait in milliseconds as [number, unit].
export function wait(ms) {
  if (ms === null) return ["–", ""];
  if (ms < 1) return ["0", "ms"];
  if (ms < 1000) return [whole.format(ms), "ms"];
  return [(ms / 1000).toFixed(1), "s"];
}

export const timeOfDay = (seconds) => clock.format(new Date(seconds * 1000));

export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;
