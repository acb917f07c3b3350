// Reading a file of this machine: its first bytes, its pieces, its digest.

const DJVU_START = "AT&TFORM";
// A digest is taken of a file that is whole in memory: no browser hashes a stream.
const MOST_DIGESTED_BYTES = 16 * 1024 * 1024;

/** A file that is not sent, with its code from the table of errors. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Whether it begins as a DjVu does. */
export async function isDjvu(file) {
  const start = new Uint8Array(await readPiece(file, 0, DJVU_START.length));
  return String.fromCharCode(...start) === DJVU_START;
}

/** Bytes of a file; a file that was moved or changed meanwhile is refused. */
export async function readPiece(file, offset, size) {
  try {
    return await file.slice(offset, offset + size).arrayBuffer();
  } catch {
    throw new Refusal("unreadable", "The file can no longer be read. Choose it again.");
  }
}

/** SHA-256 in hexadecimal; null where the browser gives none (plain http) or the file is large. */
export async function digest(file) {
  if (!globalThis.crypto?.subtle || file.size > MOST_DIGESTED_BYTES) return null;
  const bytes = await readPiece(file, 0, file.size);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits; ends with an AbortError as soon as the signal says so. */
export function delay(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
