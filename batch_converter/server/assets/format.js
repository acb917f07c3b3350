// Words and numbers as people read them. Pure; English, in the reader's time zone.

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const COUNT = new Intl.NumberFormat("en");

/** The six states, in the order in which a document passes through them. */
export const STATES = ["uploading", "waiting", "converting", "ready", "failed", "cancelled"];

/** States in which nothing more happens to a document. */
export const ENDED = new Set(["ready", "failed", "cancelled"]);

/** `1234567` as `1,234,567`. */
export function count(number) {
  return COUNT.format(number);
}

/** A count with its noun: `1 page`, `12 pages`. */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Bytes with three digits at most: `980 B`, `1.2 MB`, `34 GB`. */
export function bytes(number) {
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds as `0.4 s`, `12 s`, `3 min`, `2 h 5 min`. */
export function duration(seconds) {
  if (seconds < 0.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

/** `2` as `2nd`. */
export function ordinal(number) {
  const teen = number % 100 > 10 && number % 100 < 14;
  const ending = teen ? "th" : { 1: "st", 2: "nd", 3: "rd" }[number % 10] || "th";
  return `${count(number)}${ending}`;
}

/** The time of day: `14:05`. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** A moment without counting hours: `Sunday 14:05`; with the date where a weekday is ambiguous. */
export function moment(date, now = new Date()) {
  const weekday = date.toLocaleDateString("en-GB", { weekday: "long" });
  if (Math.abs(date - now) < 6 * 24 * 3600 * 1000) return `${weekday} ${clock(date)}`;
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "long" });
  return `${weekday} ${day}, ${clock(date)}`;
}

/** The time of day of today, else with its weekday. */
export function shortMoment(date, now = new Date()) {
  return date.toDateString() === now.toDateString() ? clock(date) : moment(date, now);
}

/** How many documents have ended, and how many have not. */
export function progressOf(totals) {
  const ended = STATES.filter((state) => ENDED.has(state));
  const done = ended.reduce((sum, state) => sum + totals[state], 0);
  return { done, open: totals.documents - done };
}

/** The totals in a sentence: `12 documents: 3 ready, 9 waiting.` */
export function totalsSentence(totals) {
  if (!totals.documents) return "No documents.";
  const parts = STATES.filter((state) => totals[state]).map(
    (state) => `${count(totals[state])} ${state}`,
  );
  return `${plural(totals.documents, "document")}: ${parts.join(", ")}.`;
}
