// The list as the service has it: a window of it, kept current by changes, by sequence.

const WINDOW = 120;
const MAX_ROWS = 500;
const SPARE = 40;
const PACE_MS = 400;
const PACE_IN_TROUBLE_MS = 3000;

/** No document at all, for a page that has heard nothing yet. */
export const NO_TOTALS = Object.freeze({
  uploading: 0, waiting: 0, converting: 0, ready: 0, failed: 0, cancelled: 0,
  documents: 0, bytes_in: 0, bytes_out: 0,
});

export class Documents {
  /**
   * @param api asks the service
   * @param onChange called when rows or totals are other than before
   * @param onTrouble called with the error where the service could not be asked
   */
  constructor(api, onChange, onTrouble) {
    this.api = api;
    this.onChange = onChange;
    this.onTrouble = onTrouble;
    this.filter = "";
    this.state = "";
    this.asked = 0; // number of the last fetch that has begun
    this.answered = 0; // number of the fetch that the rows are from
    this.clear();
  }

  /** Forgets everything: nobody is signed in, or somebody else is. */
  clear() {
    this.total = 0;
    this.totals = NO_TOTALS;
    this.listed = 0; // rows without a filter: a run lists the latest of its many documents alone
    this.sequence = 0;
    this.loaded = false;
    this.rows = new Map(); // index in the list → document
    this.places = new Map(); // id → index
    this.seen = [0, WINDOW];
    this.generation = (this.generation ?? 0) + 1;
    this.stale = false;
    this.anew = false;
    this.refreshing = null;
  }

  get count() {
    return this.total;
  }

  /** The document at a place of the list; null where it has not come yet. */
  at(index) {
    return this.rows.get(index) ?? null;
  }

  find(id) {
    return this.rows.get(this.places.get(id)) ?? null;
  }

  indexOf(id) {
    return this.places.get(id) ?? -1;
  }

  /** Shows only names with this text in them, and only this state; both may be empty. */
  narrow(filter, state) {
    this.filter = filter;
    this.state = state;
    this.seen = [0, WINDOW];
    this.generation += 1;
    this.refreshing = null;
    return this.refresh();
  }

  /** Whether a file of this name is among the rows as being uploaded. */
  isUploading(name) {
    for (const row of this.rows.values()) {
      if (row.state === "uploading" && row.name === name) return true;
    }
    return false;
  }

  /** Whether the filters would show it. */
  matches({ name, state }) {
    return (!this.state || state === this.state) &&
      name.toLowerCase().includes(this.filter.toLowerCase());
  }

  /** The rows that are drawn: what is missing of them is fetched. */
  want(first, last) {
    this.seen = [first, last];
    for (let index = first; index < last; index += 1) {
      if (!this.rows.has(index)) {
        this.markStale();
        return;
      }
    }
  }

  /** Asks again for what is drawn, at once or a moment after the last time. */
  markStale() {
    this.stale = true;
    if (!this.refreshing) this.refresh();
  }

  /** Asks the service for the rows around those that are drawn; resolves when they are here. */
  refresh() {
    this.stale = false;
    const running = this.#fetchWindow(this.generation).then((answered) => {
      if (this.refreshing !== running) return;
      setTimeout(() => this.#settle(running), answered ? PACE_MS : PACE_IN_TROUBLE_MS);
    });
    this.refreshing = running;
    return running;
  }

  /** The same for a service that may have begun anew: it counts from another number then. */
  reload() {
    this.anew = true;
    return this.refresh();
  }

  #settle(running) {
    if (this.refreshing !== running) return;
    this.refreshing = null;
    if (this.stale) this.refresh();
  }

  async #fetchWindow(generation) {
    const offset = Math.max(0, this.seen[0] - SPARE);
    const limit = Math.min(MAX_ROWS, Math.max(WINDOW, this.seen[1] + SPARE - offset));
    const { filter, state } = this;
    this.asked += 1;
    const number = this.asked;
    try {
      const answer = await this.api.documents({ offset, limit, filter, state });
      if (generation === this.generation) {
        this.answered = number;
        this.#replace(offset, answer);
      }
      return true;
    } catch (error) {
      if (generation === this.generation) this.stale = true;
      this.onTrouble(error);
      return false;
    }
  }

  /** Takes a fetched window, but keeps what a change has told since. */
  #replace(offset, answer) {
    const { anew } = this;
    const known = new Map([...this.rows.values()].map((document) => [document.id, document]));
    this.rows.clear();
    this.places.clear();
    answer.documents.forEach((document, place) => {
      const had = anew ? null : known.get(document.id);
      this.#put(offset + place, had && had.sequence > document.sequence ? had : document);
    });
    this.total = answer.total;
    this.totals = answer.totals;
    this.listed = listedOf(answer);
    this.sequence = anew ? answer.sequence : Math.max(this.sequence, answer.sequence);
    this.anew = false;
    this.loaded = true;
    this.onChange();
  }

  #put(index, document) {
    this.rows.set(index, document);
    this.places.set(document.id, index);
  }

  /** Takes what has changed since; the rest of the list stands. */
  apply(change) {
    const unfiltered = !this.filter && !this.state;
    let stale = change.removed.some((id) => !unfiltered || this.places.has(id)) ||
      (unfiltered && listedOf(change) !== this.total);
    for (const document of change.documents) {
      if (!this.#update(document) && !unfiltered) stale ||= this.matches(document);
      stale ||= this.places.has(document.id) && !this.matches(document);
    }
    stale ||= change.totals.waiting !== this.totals.waiting && this.#anyWaits();
    if (change.sequence >= this.sequence) {
      this.sequence = change.sequence;
      this.totals = change.totals;
      this.listed = listedOf(change);
    }
    this.onChange();
    if (stale) this.markStale();
  }

  /** Whether a row shows a place in the queue: it moves up without a change of its own. */
  #anyWaits() {
    return [...this.rows.values()].some(({ state }) => state === "waiting");
  }

  #update(document) {
    const index = this.places.get(document.id);
    if (index === undefined) return false;
    if (document.sequence > this.rows.get(index).sequence) this.rows.set(index, document);
    return true;
  }

  /** Shows at once how much of a file has been sent; the service says it a moment later. */
  progress(id, receivedBytes) {
    const document = this.find(id);
    if (!document || document.received_bytes >= receivedBytes) return;
    this.rows.set(this.places.get(id), { ...document, received_bytes: receivedBytes });
    this.onChange();
  }
}

function listedOf({ listed, totals }) {
  return listed ?? totals.documents;
}
