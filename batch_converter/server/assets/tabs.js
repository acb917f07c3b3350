// What tabs of one browser tell each other. One service below one path is one conversation.

const BELOW = new URL(".", document.baseURI).pathname;

/** The name of something that all tabs of this page share. */
export function shared(name) {
  return `batch-converter ${name} ${BELOW}`;
}

/** Which uploads the other tabs send. */
export class OtherTabs {
  #channel = new BroadcastChannel(shared("uploads"));
  #me = Math.random().toString(36);
  #mine = "";
  #theirs = new Map(); // tab → ids

  /** @param onChange called when another tab has begun or ended one */
  constructor(onChange) {
    this.#channel.addEventListener("message", ({ data: { tab, ids } }) => {
      if (ids === null) this.#post();
      else this.#hear(tab, ids, onChange);
    });
    // Held as long as this tab lives, however it ends.
    navigator.locks?.request(shared(`tab ${this.#me}`), () => new Promise(() => {}));
    this.#channel.postMessage({ tab: this.#me, ids: null });
    addEventListener("pagehide", () => this.tell([]));
  }

  #hear(tab, ids, onChange) {
    const isNew = !this.#theirs.has(tab);
    this.#theirs.set(tab, new Set(ids));
    onChange();
    if (!isNew) return;
    navigator.locks?.request(shared(`tab ${tab}`), () => {
      this.#theirs.delete(tab);
      onChange();
    });
  }

  has(id) {
    return [...this.#theirs.values()].some((ids) => ids.has(id));
  }

  /** Tells the others which ones this tab sends. */
  tell(ids) {
    const mine = [...ids].join(" ");
    if (mine === this.#mine) return;
    this.#mine = mine;
    this.#post();
  }

  #post() {
    const ids = this.#mine ? this.#mine.split(" ") : [];
    this.#channel.postMessage({ tab: this.#me, ids });
  }
}
