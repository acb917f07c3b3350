// What a screen reader hears: one polite region that speaks at about quarters of the work.

import { progressOf, totalsSentence } from "./format.js";

const PAUSE_MS = 300;

export class Announcer {
  #region;
  #quarter = null;
  #doneBefore = 0;
  #documents = null;
  #totals = null; // heard and not weighed yet

  /** @param region an element inside the page's only live region */
  constructor(region) {
    this.#region = region;
  }

  /** Says something at once: the answer to what a person has just done. */
  say(text) {
    // The same words twice are no change, and would not be spoken.
    this.#region.textContent = this.#region.textContent === text ? `${text}\u00a0` : text;
  }

  /** Hears of every change; weighs them together a moment later. */
  follow(totals) {
    if (this.#totals === null) setTimeout(() => this.#weigh(), PAUSE_MS);
    this.#totals = totals;
  }

  /** Speaks when a quarter of the present work is passed. */
  #weigh() {
    const totals = this.#totals;
    this.#totals = null;
    const { done, open } = progressOf(totals);
    if (this.#quarter === null && open) this.#begin(done);
    const fewer = this.#documents !== null && totals.documents < this.#documents;
    this.#documents = totals.documents;
    if (fewer) this.#doneBefore = Math.min(this.#doneBefore, done);
    if (this.#quarter === null) {
      if (fewer || this.#region.textContent === "") this.say(totalsSentence(totals));
      return;
    }
    const work = done - this.#doneBefore + open;
    const quarter = work ? Math.floor((4 * (done - this.#doneBefore)) / work) : 4;
    if (quarter > this.#quarter || !open) this.say(totalsSentence(totals));
    this.#quarter = open ? Math.max(quarter, this.#quarter) : null;
  }

  #begin(done) {
    this.#quarter = -1;
    this.#doneBefore = done;
  }
}
