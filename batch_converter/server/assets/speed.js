// How fast a batch of uploads goes, and when it will be through.

const WINDOW_MS = 8000;

export class Speed {
  constructor() {
    this.restart();
  }

  /** A new batch begins. */
  restart() {
    this.files = 0;
    this.filesDone = 0;
    this.bytes = 0;
    this.bytesDone = 0;
    this.recent = []; // [time, bytes], the last seconds
  }

  /** One more file of this size is to be sent. */
  expect(bytes) {
    this.files += 1;
    this.bytes += bytes;
  }

  /** So many bytes more are at the service. */
  sent(bytes) {
    const now = performance.now();
    this.bytesDone += bytes;
    this.recent.push([now, bytes]);
    while (this.recent[0][0] < now - WINDOW_MS) this.recent.shift();
  }

  /** A file has ended; the bytes that were left of it need not be sent. */
  ended(left) {
    this.filesDone += 1;
    this.bytesDone += left;
  }

  /** Bytes a second lately; 0 where too little was seen. */
  get rate() {
    if (this.recent.length < 3) return 0;
    const seconds = (performance.now() - this.recent[0][0]) / 1000;
    return seconds > 0.5 ? this.recent.reduce((sum, [, bytes]) => sum + bytes, 0) / seconds : 0;
  }

  /** Seconds until all is sent; null where that cannot be told. */
  get leftS() {
    const { rate } = this;
    return rate > 0 ? (this.bytes - this.bytesDone) / rate : null;
  }
}
