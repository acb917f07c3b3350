// Which end of the page a reader has asked for and has not seen yet.

const OTHER_WISH = ["wheel", "pointerdown", "touchstart"];
const TEXT_FIELD = "input, textarea, select, [contenteditable]";

/**
 * A browser scrolls to where the end was when a key was pressed. The rows that it comes by, and
 * those that arrive, are higher or lower than they were thought to be, and the end is elsewhere.
 */
export class AskedEnd {
  #edge = null;

  /** @param onAsked called when an end has been asked for */
  constructor(onAsked) {
    addEventListener("keydown", (event) => {
      this.#edge = edgeOf(event);
      if (this.#edge) onAsked();
    });
    for (const name of OTHER_WISH) addEventListener(name, () => this.forget(), { passive: true });
  }

  /** What scrolls to the end that was asked for; null where none is awaited. */
  get scroll() {
    return { start: scrollToStart, end: scrollToEnd }[this.#edge] ?? null;
  }

  /** These of the page's ends, `start` and `end`, are in sight with all their rows. */
  reached(ends) {
    if (this.#edge && ends[this.#edge]) this.forget();
  }

  /** The reader wants something else. */
  forget() {
    this.#edge = null;
  }
}

/** Whether the page is scrolled to its end: rows that turn out higher must not hide the last. */
export function isAtEnd() {
  const { scrollHeight } = document.documentElement;
  return scrollY > 0 && scrollY + innerHeight >= scrollHeight - 2;
}

export function scrollToEnd() {
  settleAt(document.documentElement.scrollHeight - innerHeight);
}

function scrollToStart() {
  settleAt(0);
}

/** Not where it is there already: that, too, would end a scroll that is under way elsewhere. */
function settleAt(top) {
  if (Math.abs(scrollY - top) >= 1) scrollTo({ top, behavior: "instant" });
}

/** Home and End, and Command with an arrow, where they do not move the caret of a field. */
function edgeOf({ key, metaKey, shiftKey, altKey, target, defaultPrevented }) {
  if (defaultPrevented || shiftKey || altKey || target.closest?.(TEXT_FIELD)) return null;
  if (key === "Home" || (metaKey && key === "ArrowUp")) return "start";
  if (key === "End" || (metaKey && key === "ArrowDown")) return "end";
  return null;
}
