// Changes as they happen: one stream for all tabs of a browser, polling where no stream passes.
//
// A browser opens six connections to a host at most (HTTP/1.1), so that tabs must share. The tab
// that holds the lock listens and tells the others; when it closes, the next one takes over.

import { delay } from "./pieces.js";
import { shared } from "./tabs.js";

const OPEN_WITHIN_MS = 8000;
const CHECK_AFTER_MS = 5000;
const CHECK_EVERY_MS = 30000;
const LATE_MS = 3000;
const POLL_EVERY_MS = 3000;
const STREAM_AGAIN_MS = 60000;
const MOST_PAUSE_MS = 10000;

export class Events {
  #api;
  #sequence;
  #onChange;
  #onReload;
  #onConnection;
  #channel = new BroadcastChannel(shared("events"));
  #stop = new AbortController();

  /**
   * @param sequence gives the number of the last change that the page has taken
   * @param onChange takes a change, of whichever tab's stream
   * @param onReload called where changes were missed; resolves when the list is new
   * @param onConnection called with whether the service answers
   */
  constructor({ api, sequence, onChange, onReload, onConnection }) {
    this.#api = api;
    this.#sequence = sequence;
    this.#onChange = onChange;
    this.#onReload = onReload;
    this.#onConnection = onConnection;
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** Listens until it is closed; begin when the list has been loaded. */
  start() {
    const { signal } = this.#stop;
    if (navigator.locks) {
      navigator.locks.request(shared("events"), { signal }, () => this.#listen(signal))
        .catch(ignoreAbort);
    } else this.#listenWhileSeen(signal).catch(ignoreAbort);
  }

  close() {
    this.#stop.abort();
    this.#channel.close();
  }

  #hear(message) {
    if (message.change) this.#onChange(message.change);
    if (message.connected !== undefined) this.#onConnection(message.connected);
    return message.reload ? this.#onReload() : undefined;
  }

  #tell(message) {
    if (this.#stop.signal.aborted) return undefined;
    this.#channel.postMessage(message);
    return this.#hear(message);
  }

  /** A service that has begun anew counts from a lower number: no change tells what is so now. */
  #tellAnswer(change) {
    const anew = change.reload || change.sequence < this.#sequence();
    return this.#tell(anew ? { reload: true } : { change });
  }

  /** Without locks (plain http on a network) only a tab that is looked at holds a stream. */
  async #listenWhileSeen(signal) {
    while (!signal.aborted) {
      await untilSeen(document, signal);
      const unseen = new AbortController();
      const hide = () => document.hidden && unseen.abort();
      document.addEventListener("visibilitychange", hide);
      await this.#listen(AbortSignal.any([signal, unseen.signal])).catch(ignoreAbort);
      document.removeEventListener("visibilitychange", hide);
    }
  }

  /** Streams; where a stream cannot be had, polls for a while and tries one again. */
  async #listen(signal) {
    for (let losses = 0; !signal.aborted; ) {
      const end = await this.#stream(signal);
      signal.throwIfAborted();
      losses = end === "lost after use" ? 0 : losses + 1;
      if (end === "blocked") await this.#poll(signal, STREAM_AGAIN_MS);
      else await this.#reconnect(signal, losses);
    }
  }

  /** Holds one stream; tells why it ended: `blocked`, `lost`, `lost after use`. */
  #stream(signal) {
    const source = new EventSource(this.#api.eventsUrl(this.#sequence()));
    const over = new AbortController();
    let opened = false;
    return new Promise((resolve) => {
      const end = (why) => {
        source.close();
        over.abort();
        resolve(why);
      };
      signal.addEventListener("abort", () => end("closed"), { signal: over.signal });
      source.addEventListener("open", () => {
        opened = true;
        this.#tell({ connected: true });
      });
      source.addEventListener("change", ({ data }) => this.#tell({ change: JSON.parse(data) }));
      source.addEventListener("reload", async () => {
        source.close();
        await this.#tell({ reload: true });
        end("lost after use");
      });
      source.addEventListener("error", () => end(opened ? "lost after use" : "lost"));
      this.#watch(() => opened, end, over.signal).catch(ignoreAbort);
    });
  }

  /** A proxy that holds a stream back is found out: asked directly, the service knows more. */
  async #watch(isOpen, end, signal) {
    await delay(OPEN_WITHIN_MS, signal);
    if (!isOpen()) end("blocked");
    for (let pause = CHECK_AFTER_MS; ; pause = CHECK_EVERY_MS) {
      await delay(pause, signal);
      const change = await this.#api.changes(this.#sequence(), signal).catch(() => null);
      if (change && change.sequence < this.#sequence()) end("lost after use");
      if (!change?.documents.length && !change?.removed.length) continue;
      await delay(LATE_MS, signal);
      if (this.#sequence() >= change.sequence) continue;
      this.#tell({ change });
      end("blocked");
    }
  }

  async #poll(signal, forMs) {
    const until = performance.now() + forMs;
    while (performance.now() < until) {
      try {
        const change = await this.#api.changes(this.#sequence(), signal);
        this.#tell({ connected: true });
        await this.#tellAnswer(change);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#tell({ connected: error.status !== 0 });
      }
      await delay(POLL_EVERY_MS, signal);
    }
  }

  /** Waits for a service that is away, and asks what has happened meanwhile. */
  async #reconnect(signal, losses) {
    await delay(Math.min(MOST_PAUSE_MS, 250 * 2 ** losses), signal);
    try {
      await this.#api.refreshSession();
      const change = await this.#api.changes(this.#sequence(), signal);
      this.#tell({ connected: true });
      await this.#tellAnswer(change);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#tell({ connected: error.status !== 0 });
    }
  }
}

function untilSeen(page, signal) {
  if (!page.hidden) return Promise.resolve();
  return new Promise((resolve, reject) => {
    page.addEventListener("visibilitychange", () => page.hidden || resolve(), { signal });
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function ignoreAbort(error) {
  if (error?.name !== "AbortError") throw error;
}
