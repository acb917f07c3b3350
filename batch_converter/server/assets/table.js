// A table of any length of which only the rows in sight are drawn.
//
// Rows keep their elements while they are in sight, so that focus and selection stay where they
// are when rows change, come or go. Roles are written out: without them browsers drop a table's
// semantics where a style sheet lays its rows out as blocks.

import { AskedEnd, isAtEnd, scrollToEnd } from "./ends.js";

// A short list is drawn whole: the browser's own search finds everything in it.
const DRAWN_WHOLE = 100;
const OVERSCAN_PX = 700;
const MOST_ROUNDS = 3;
const FIRST_GUESS_PX = 84;

/**
 * A column: `key`, `label`, `header` (the row is named by it), `fill(cell, item)`.
 * A source: `count`, `at(index)` (null: not here yet), `indexOf(key)`, `want(first, last)`.
 */
export class VirtualTable {
  #table;
  #columns;
  #source;
  #keyOf;
  #onEmptied;
  #body;
  #rows = new Map(); // key → { element, cells, item, index }
  #heights = [];
  #count = 0;
  #guess = FIRST_GUESS_PX;
  #guessed = false;
  #width = 0;
  #frame = 0;
  #afresh = false;
  #asked = new AskedEnd(() => this.draw());

  /**
   * @param table an empty table element
   * @param keyOf names an item over all its changes
   * @param onEmptied called where the focus was in a row and no row is left
   */
  constructor(table, { columns, source, keyOf, onEmptied = () => {} }) {
    this.#table = table;
    this.#columns = columns;
    this.#source = source;
    this.#keyOf = keyOf;
    this.#onEmptied = onEmptied;
    this.#buildHead();
    this.#body = table.createTBody();
    this.#body.setAttribute("role", "rowgroup");
    addEventListener("scroll", () => this.draw(), { passive: true });
    addEventListener("resize", () => this.draw());
  }

  /**
   * Draws what is in sight, once a frame however often it is called.
   *
   * @param afresh fills also the rows whose items are the same as before
   */
  draw({ afresh = false } = {}) {
    this.#afresh ||= afresh;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawNow();
    });
  }

  /** Scrolls a row into sight without taking the focus there. */
  reveal(index) {
    this.#asked.forget();
    const top = this.#body.getBoundingClientRect().top + this.#offsetOf(index);
    if (top > 0 && top < innerHeight - this.#guess) return;
    scrollBy({ top: top - innerHeight / 3 });
  }

  #buildHead() {
    this.#table.setAttribute("role", "table");
    const head = this.#table.createTHead();
    head.setAttribute("role", "rowgroup");
    const row = head.insertRow();
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", "1");
    for (const { key, label } of this.#columns) {
      const cell = document.createElement("th");
      cell.setAttribute("role", "columnheader");
      cell.scope = "col";
      cell.className = key;
      cell.textContent = label;
      row.append(cell);
    }
  }

  #drawNow() {
    if (this.#width !== this.#table.clientWidth) {
      this.#width = this.#table.clientWidth;
      this.#heights = [];
      this.#guessed = false;
    }
    const { count } = this.#source;
    this.#table.setAttribute("aria-rowcount", String(count + 1));
    this.#heights.length = count;
    const hold = this.#asked.scroll ??
      (count === this.#count && isAtEnd() ? scrollToEnd : this.#anchor());
    this.#count = count;
    // A second round at once where rows came out higher or lower than they were thought to be.
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const [first, last] = this.#drawRound(count);
      hold();
      if (this.#measure()) continue;
      if (this.#allHere(first, last)) this.#asked.reached({ start: first === 0, end: last === count });
      break;
    }
    this.#afresh = false;
  }

  /** Whether these rows have come: nothing of them can turn out higher any more. */
  #allHere(first, last) {
    return Array.from({ length: last - first }, (_, place) => first + place)
      .every((index) => this.#source.at(index));
  }

  #drawRound(count) {
    const [first, last] = this.#inSight(count);
    this.#source.want(first, last);
    const focus = this.#focused();
    this.#place(this.#wanted(focus, first, last, count), count);
    if (focus) this.#keepFocus(focus);
    return [first, last];
  }

  /** Gives what puts the first row in sight back to where it is now, whatever changes above it. */
  #anchor() {
    if (this.#body.getBoundingClientRect().top >= 0) return () => {};
    for (const row of this.#rows.values()) {
      const { top, bottom } = row.element.getBoundingClientRect();
      if (bottom < 0 || top > innerHeight) continue;
      const { key, index } = row;
      return () => {
        const now = this.#rows.get(key) ?? [...this.#rows.values()].find((one) => one.index === index);
        const moved = now ? now.element.getBoundingClientRect().top - top : 0;
        if (Math.abs(moved) >= 1) scrollBy({ top: moved }); // it ends a scroll that is under way
      };
    }
    return () => {};
  }

  /** The half-open range of rows in sight or nearly so. */
  #inSight(count) {
    if (count <= DRAWN_WHOLE) return [0, count];
    const top = -this.#body.getBoundingClientRect().top;
    let index = 0;
    let y = 0;
    while (index < count && y + this.#height(index) < top - OVERSCAN_PX) {
      y += this.#height(index);
      index += 1;
    }
    const first = index;
    while (index < count && y < top + innerHeight + OVERSCAN_PX) {
      y += this.#height(index);
      index += 1;
    }
    return [first, index];
  }

  /** The rows in sight, and the one with the focus: without its element the focus is lost. */
  #wanted(focus, first, last, count) {
    const rows = Array.from({ length: last - first }, (_, place) => this.#rowAt(first + place));
    const held = focus && this.#heldRow(focus, count);
    if (!held || rows.includes(held)) return rows;
    return held.index < first ? [held, ...rows] : [...rows, held];
  }

  #heldRow({ key, index }, count) {
    const now = this.#source.indexOf(key);
    if (now >= 0 && now < count) return this.#rowAt(now);
    // Scrolled so far away that the source has let go of it: it stays as it was.
    const unknown = index < count && !this.#source.at(index);
    return unknown ? this.#rows.get(key) : null;
  }

  #place(wanted, count) {
    const kept = new Set(wanted);
    for (const [key, row] of this.#rows) {
      if (kept.has(row)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    for (const gap of this.#body.querySelectorAll("tr.gap")) gap.remove();
    let next = 0;
    let at = this.#body.firstChild;
    for (const row of wanted) {
      if (row.index > next) this.#body.insertBefore(this.#gap(next, row.index), at);
      if (row.element === at) at = at.nextSibling;
      else this.#body.insertBefore(row.element, at);
      next = row.index + 1;
    }
    if (next < count) this.#body.append(this.#gap(next, count));
  }

  #rowAt(index) {
    const item = this.#source.at(index);
    const key = item ? this.#keyOf(item) : `missing ${index}`;
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#newRow();
      this.#rows.set(key, row);
    }
    row.key = key;
    row.index = index;
    row.element.setAttribute("aria-rowindex", String(index + 2));
    row.element.classList.toggle("missing", !item);
    // As high as it is thought to be: the page keeps its length while one scrolls through it.
    row.element.style.height = item ? "" : `${this.#height(index)}px`;
    if (item && (this.#afresh || item !== row.item)) this.#fill(row, item);
    return row;
  }

  #newRow() {
    const element = document.createElement("tr");
    element.setAttribute("role", "row");
    const cells = this.#columns.map(({ key, label, header }) => {
      const cell = document.createElement(header ? "th" : "td");
      cell.setAttribute("role", header ? "rowheader" : "cell");
      if (header) cell.scope = "row";
      cell.className = key;
      cell.dataset.label = label;
      element.append(cell);
      return cell;
    });
    return { element, cells, item: null, index: -1, key: "" };
  }

  #fill(row, item) {
    row.item = item;
    row.element.dataset.state = item.state;
    this.#columns.forEach(({ fill }, place) => fill(row.cells[place], item));
  }

  #gap(from, to) {
    const row = document.createElement("tr");
    row.className = "gap";
    row.setAttribute("aria-hidden", "true");
    row.style.height = `${this.#offsetOf(to) - this.#offsetOf(from)}px`;
    return row;
  }

  #height(index) {
    return this.#heights[index] ?? this.#guess;
  }

  #offsetOf(index) {
    let y = 0;
    for (let before = 0; before < index; before += 1) y += this.#height(before);
    return y;
  }

  /**
   * Remembers how high rows came out; true where that is not as it was thought to be.
   *
   * The guess for all others is made once: if it followed what is in sight, the length of the
   * page would change with every scroll.
   */
  #measure() {
    let off = 0;
    let sum = 0;
    const measured = [...this.#rows.values()].filter(({ item }) => item);
    for (const { element, index } of measured) {
      const height = element.getBoundingClientRect().height;
      off += Math.abs(this.#height(index) - height);
      this.#heights[index] = height;
      sum += height;
    }
    if (!this.#guessed && measured.length) {
      this.#guess = sum / measured.length;
      this.#guessed = true;
    }
    return off > 1;
  }

  /** Which row and which of its controls has the focus, if one has. */
  #focused() {
    const target = document.activeElement;
    if (!this.#body.contains(target)) return null;
    for (const { element, key, index } of this.#rows.values()) {
      if (element.contains(target)) return { key, index, control: target.dataset.control ?? "" };
    }
    return null;
  }

  /** Puts a focus whose control or row has gone to the nearest thing that is left. */
  #keepFocus({ key, index, control }) {
    if (this.#body.contains(document.activeElement)) return;
    const row = this.#rows.get(key) ?? this.#nearest(index);
    if (!row) {
      this.#onEmptied();
      return;
    }
    const target = row.element.querySelector(`[data-control="${control}"]`) ??
      row.element.querySelector("[data-control]") ?? row.element;
    if (target === row.element) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  #nearest(index) {
    const rows = [...this.#rows.values()].filter(({ item }) => item);
    rows.sort((one, other) => Math.abs(one.index - index) - Math.abs(other.index - index));
    return rows[0] ?? null;
  }
}
