// The files on their way to the service: three at once, the rest in a queue, each with its row.

import { Sender } from "./sender.js";
import { Speed } from "./speed.js";

const AT_ONCE = 3;

let made = 0;

export class Uploads {
  #api;
  #documents;
  #onChange;
  #onKnown;
  #others;
  #sender;
  #entries = []; // all that this page shows by itself or still sends, in the order of choosing
  #byId = new Map();
  #ids = new Map(); // key → id
  #sending = new Set(); // ids
  #resumable = new Map(); // name and size → a document whose upload stopped
  #running = 0;
  #speed = new Speed();

  /**
   * @param documents the list; once a row is in it, it is no longer shown from here
   * @param others tells which uploads other tabs of this browser send
   * @param onKnown called with the name of a file whose bytes the service has already
   * @param whenSignedIn resolves when requests are answered again after a 401
   */
  constructor({ api, documents, others, onChange, onKnown, whenSignedIn }) {
    this.#api = api;
    this.#documents = documents;
    this.#others = others;
    this.#onChange = onChange;
    this.#onKnown = onKnown;
    this.#sender = new Sender({
      api,
      whenSignedIn,
      findStopped: (entry, again) => this.#findStopped(entry, again),
      told: {
        identified: (entry, id) => this.#identify(entry, id),
        progressed: (entry, bytes) => this.#count(entry, bytes),
        note: (entry, text) => this.#note(entry, text),
      },
    });
  }

  /** Whether leaving the page now would cut something short. */
  get busy() {
    return this.#entries.some(({ phase }) => phase === "queued" || phase === "sending");
  }

  /** Files and bytes of the present batch, sent and in all, and the speed. */
  get progress() {
    return this.#speed;
  }

  /** Takes files in; those that are chosen again go on where they stopped. */
  async add(files) {
    const fresh = files.filter((one) => !this.#isUnderWay(one));
    if (!this.busy) this.#speed.restart();
    if (this.#documents.totals.uploading) await this.#lookForStopped();
    for (const { file, name } of fresh) {
      made += 1;
      this.#entries.push(newEntry(`file ${made}`, file, name));
      this.#speed.expect(file.size);
    }
    this.#onChange();
    this.#pump();
    return fresh.length;
  }

  #isUnderWay({ file, name }) {
    return this.#entries.some((entry) => entry.name === name && entry.file.size === file.size &&
      (entry.phase === "queued" || entry.phase === "sending"));
  }

  async #lookForStopped() {
    this.#resumable.clear();
    try {
      const query = { offset: 0, limit: 500, filter: "", state: "uploading" };
      for (const stopped of (await this.#api.documents(query)).documents) {
        if (this.#isSent(stopped.id)) continue;
        this.#resumable.set(`${stopped.size_bytes} ${stopped.name}`, stopped);
      }
    } catch {
      // Then they begin from their start, as any file does.
    }
  }

  #isSent(id) {
    return this.#sending.has(id) || this.#others.has(id);
  }

  /** Rows that the list of the service does not have, or not yet. */
  rows() {
    this.#entries = this.#entries.filter((one) => one.phase !== "sent" || this.#isUnlisted(one));
    return this.#entries.filter((entry) => this.#isShown(entry)).map(({ row }) => row);
  }

  /** What the totals of the service do not count: files that it has given no id. */
  uncounted() {
    return this.#entries.filter(({ id }) => !id).map(({ row }) => row);
  }

  #isShown(entry) {
    return this.#isUnlisted(entry) && this.#documents.matches(entry.row);
  }

  #isUnlisted(entry) {
    if (entry.id) {
      return this.#documents.answered <= entry.shownUntil && !this.#documents.find(entry.id);
    }
    return !(entry.phase === "sending" && this.#documents.isUploading(entry.name));
  }

  /** The name of a row that stays the same when the service takes it into its list. */
  keyOf({ key, id }) {
    return key ?? this.#byId.get(id)?.key ?? id;
  }

  /** The id behind such a name, where the service has given one. */
  idOf(key) {
    return this.#ids.get(key) ?? key;
  }

  /** What is to be said of an upload beside its figures. */
  noteOf({ id, key, state }) {
    if (state !== "uploading") return "";
    const entry = key ? this.#entries.find((one) => one.key === key) : this.#byId.get(id);
    if (entry?.note) return entry.note;
    if (key || this.#isSent(id)) return "";
    return "Nothing is being sent. Choose the same file again, and it goes on from here.";
  }

  /** Stops sending; what is not in the service's list yet is cancelled here. */
  cancel({ id, key }) {
    const entry = key ? this.#entries.find((one) => one.key === key) : this.#byId.get(id);
    if (!entry) return;
    entry.stop.abort();
    if (!entry.id) this.#set(entry, "cancelled");
  }

  /** Goes on with an upload that was cancelled half-way and is wanted after all. */
  resume(id) {
    const entry = this.#byId.get(id);
    if (entry?.phase === "stopped") this.retry(entry);
  }

  /** Sends again what was refused or cancelled before the service had it. */
  retry({ key }) {
    const entry = this.#entries.find((one) => one.key === key);
    if (!entry || entry.phase === "queued" || entry.phase === "sending") return;
    entry.stop = new AbortController();
    entry.error = null;
    this.#speed.expect(entry.file.size);
    this.#set(entry, "queued");
    this.#pump();
  }

  remove({ key }) {
    this.#entries = this.#entries.filter((one) => one.key !== key);
    this.#onChange();
  }

  /** Sends nothing more of what was chosen, and shows nothing of it. */
  forget() {
    for (const entry of this.#entries) entry.stop.abort();
    this.#entries = [];
    this.#byId.clear();
    this.#ids.clear();
    this.#resumable.clear();
    this.#onChange();
  }

  cancelAll() {
    for (const entry of this.#entries) {
      if (entry.phase === "queued" || entry.phase === "sending") this.cancel(entry);
    }
  }

  retryFailed() {
    this.#entries.filter(({ phase, id }) => phase === "refused" && !id)
      .forEach((entry) => this.retry(entry));
  }

  removeEnded() {
    this.#entries = this.#entries.filter(({ phase }) => phase === "queued" || phase === "sending");
    this.#onChange();
  }

  /** Hears what the service says of the uploads: another tab may have cancelled one. */
  follow({ documents, removed }) {
    for (const { id, state } of documents) {
      if (state === "cancelled") this.#byId.get(id)?.stop.abort();
    }
    for (const id of removed) {
      this.#byId.get(id)?.stop.abort();
      this.#byId.delete(id);
    }
  }

  #set(entry, phase) {
    entry.phase = phase;
    this.#refresh(entry);
  }

  #note(entry, note) {
    if (entry.note === note) return;
    entry.note = note;
    this.#refresh(entry);
  }

  #refresh(entry) {
    entry.row = rowOf(entry);
    if (entry.id && entry.phase === "sending") this.#sending.add(entry.id);
    else this.#sending.delete(entry.id);
    this.#others.tell(this.#sending);
    this.#onChange();
  }

  #pump() {
    while (this.#running < AT_ONCE) {
      const entry = this.#entries.find(({ phase }) => phase === "queued");
      if (!entry) return;
      this.#running += 1;
      this.#set(entry, "sending");
      this.#run(entry).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
  }

  async #run(entry) {
    try {
      if (!(await this.#sender.send(entry))) this.#onKnown(entry.name);
      this.#end(entry, "sent");
    } catch (error) {
      if (entry.stop.signal.aborted) this.#end(entry, entry.id ? "stopped" : "cancelled");
      else this.#refuse(entry, error);
    } finally {
      this.#speed.ended(entry.file.size - entry.counted);
    }
  }

  /**
   * Finds the document of a file whose upload stopped; `again` asks the service anew, as it may
   * have taken a request whose answer was lost.
   *
   * A file that has changed since its upload began would make a document of two halves.
   */
  async #findStopped({ file, name }, again) {
    if (again) await this.#lookForStopped();
    const key = `${file.size} ${name}`;
    const stopped = this.#resumable.get(key);
    this.#resumable.delete(key);
    if (!stopped || this.#isSent(stopped.id)) return null;
    if (again || file.lastModified <= Date.parse(stopped.submitted_at)) return stopped;
    try {
      await this.#api.cancel(stopped.id);
      await this.#api.remove(stopped.id);
    } catch {
      // It stays in the list beside the new one, where a person can remove it.
    }
    return null;
  }

  #identify(entry, id) {
    entry.id = id;
    entry.shownUntil = this.#documents.asked;
    this.#byId.set(id, entry);
    this.#ids.set(entry.key, id);
    this.#refresh(entry);
    this.#documents.markStale();
  }

  #count(entry, bytes) {
    entry.counted += bytes;
    this.#speed.sent(bytes);
    this.#documents.progress(entry.id, entry.offset);
    this.#refresh(entry);
  }

  #end(entry, phase) {
    entry.note = "";
    this.#set(entry, phase);
    this.#documents.markStale();
  }

  /** A row of the service says by itself why it failed; others say it from here. */
  #refuse(entry, error) {
    if (error.status === 415) {
      this.#end(entry, "stopped");
      return;
    }
    const gone = error.status === 404;
    if (gone && this.#documents.find(entry.id)) {
      this.#end(entry, "sent"); // it went its way without our hearing of it
      return;
    }
    if (gone) {
      this.#byId.delete(entry.id);
      this.#sending.delete(entry.id);
      entry.id = null;
      entry.offset = 0;
    }
    const code = error.code || (error.status === 413 ? "too_large" : "rejected");
    const message = gone ? "The service no longer knows this upload." : error.message;
    entry.error = { code, message, advice: null };
    this.#end(entry, "refused");
    if (entry.id) this.#note(entry, message);
  }
}

function newEntry(key, file, name) {
  const entry = {
    key, file, name, phase: "queued", id: null, offset: 0, counted: 0, note: "", error: null,
    djvu: true, shownUntil: 0, stop: new AbortController(),
  };
  entry.row = rowOf(entry);
  return entry;
}

/** An upload in the shape of the service's documents. */
function rowOf({ key, id, name, file, phase, offset, error }) {
  const state = { refused: "failed", cancelled: "cancelled" }[phase] ?? "uploading";
  return {
    key, id, name, state, pdf_name: "", size_bytes: file.size, received_bytes: offset,
    pages: null, pdf_bytes: null, place: null, submitted_at: null, started_at: null,
    ended_at: null, kept_until: null, error, warnings: [], sequence: 0,
  };
}
