// One file on its way: checked, given a row of the service, sent piece by piece.

import { offsetOf } from "./api.js";
import { Refusal, delay, digest, isDjvu, readPiece } from "./pieces.js";

const LEAST_PIECE_BYTES = 65536;
const REFUSED_PIECE_BYTES = 16;
const MOST_PAUSE_S = 15;
const MOST_OF_A_NAME = 500;
const PROXY_LIMIT = "A proxy in front of the service takes no pieces of this size. Its limit has " +
  "to be raised (nginx: client_max_body_size 1m).";

export class Sender {
  #api;
  #findStopped;
  #whenSignedIn;
  #told;
  #turn = Promise.resolve();

  /**
   * @param findStopped gives the document of a file whose upload stopped earlier, or null
   * @param whenSignedIn resolves when requests are answered again after a 401
   * @param told hears of `identified(entry, id)`, `progressed(entry, bytes)`, `note(entry, text)`
   */
  constructor({ api, findStopped, whenSignedIn, told }) {
    this.#api = api;
    this.#findStopped = findStopped;
    this.#whenSignedIn = whenSignedIn;
    this.#told = told;
  }

  /**
   * Sends an entry's file, or what is missing of it; false where the service had its bytes.
   *
   * An entry has `file`, `name`, `id`, `offset`, and `stop`, whose signal ends it.
   */
  async send(entry) {
    this.#check(entry.file);
    if (!entry.id && !(await this.#inTurn(() => this.#register(entry)))) return false;
    this.#told.progressed(entry, entry.offset);
    while (entry.offset < entry.file.size) {
      const before = entry.offset;
      entry.offset = await this.#sendNext(entry);
      this.#told.progressed(entry, Math.max(0, entry.offset - before));
    }
    return true;
  }

  /** Refuses what cannot become a document without sending it. */
  #check(file) {
    if (!file.size) throw new Refusal("not_djvu", "The file is empty.");
    const most = this.#api.session.max_body_bytes;
    if (most && file.size > most) {
      throw new Refusal("too_large", "The file is larger than this service takes.");
    }
  }

  /** Gives the file a row of the service; false where it is there with all its bytes. */
  async #register(entry) {
    const { file, name } = entry;
    const upload = { name, size_bytes: file.size };
    entry.djvu = await isDjvu(file);
    const sha256 = await digest(file);
    if (sha256) upload.sha256 = sha256;
    const answer = await this.#patiently(entry, async (signal, tries) => {
      const stopped = await this.#findStopped(entry, tries > 0);
      if (!stopped) return this.#start(upload, signal);
      return { id: stopped.id, offset: await this.#api.uploadOffset(stopped.id, signal) };
    });
    entry.offset = answer.offset;
    this.#told.identified(entry, answer.id);
    return !answer.known;
  }

  /** One after the other, so that the list has the order in which files were chosen. */
  async #inTurn(register) {
    const before = this.#turn;
    let done;
    this.#turn = new Promise((resolve) => { done = resolve; });
    await before;
    try {
      return await register();
    } finally {
      done();
    }
  }

  /** Bytes that are there under another name become a document of this name, too. */
  async #start(upload, signal) {
    const answer = await this.#api.startUpload(upload, signal);
    if (!answer.known || (await this.#isNamed(answer.id, upload.name, signal))) return answer;
    return this.#api.startUpload({ ...upload, sha256: undefined }, signal);
  }

  async #isNamed(id, name, signal) {
    const query = { offset: 0, limit: MOST_OF_A_NAME, filter: name, state: "" };
    const { documents } = await this.#api.documents(query, signal);
    return documents.some((one) => one.id === id && one.name === name);
  }

  /** Sends one piece. Of what is no DjVu only the first bytes: the service says the reason. */
  async #sendNext(entry) {
    const { file, id, offset } = entry;
    const most = this.#api.session.chunk_bytes;
    const size = entry.djvu ? Math.min(entry.pieceBytes ?? most, most) : REFUSED_PIECE_BYTES;
    const piece = await readPiece(file, offset, size);
    try {
      return await this.#patiently(entry, (signal) =>
        this.#api.sendPiece(id, offset, piece, signal));
    } catch (error) {
      if (error.status === 409) return otherOffset(error, offset);
      // Of an upload that is complete (its last answer was lost) the service tells its end.
      if (error.status === 404) return this.#api.uploadOffset(id, entry.stop.signal);
      if (error.status !== 413) throw error;
      if (piece.byteLength <= LEAST_PIECE_BYTES) throw new Refusal("too_large", PROXY_LIMIT);
      entry.pieceBytes = Math.ceil(piece.byteLength / 2);
      return offset;
    }
  }

  /** Repeats a request until it is answered: a service that restarts costs nothing but time. */
  async #patiently(entry, request) {
    const { signal } = entry.stop;
    for (let tries = 0; ; tries += 1) {
      signal.throwIfAborted();
      try {
        const answer = await request(signal, tries);
        this.#told.note(entry, "");
        return answer;
      } catch (error) {
        if (signal.aborted || !(error.passing || error.status === 401)) throw error;
        await this.#pause(entry, error, tries);
      }
    }
  }

  async #pause(entry, error, tries) {
    if (error.status === 401) {
      this.#told.note(entry, "Goes on when you have signed in.");
      await this.#whenSignedIn();
      return;
    }
    const pauseS = error.retryAfterS ?? Math.min(MOST_PAUSE_S, 0.5 * 2 ** tries);
    this.#told.note(entry, `${error.message} It goes on by itself.`);
    await delay(pauseS * 1000, entry.stop.signal);
  }
}

/** Where the service is with a file, unless that is no other place than was asked for. */
function otherOffset(error, offset) {
  const other = offsetOf(error.headers);
  if (other === null || other === offset) throw error;
  return other;
}
