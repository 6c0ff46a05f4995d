// The server's clock in the browser: what durations are counted against. It does not ask anyone; `sync` is fed with the `now` of messages.

/** A message that is later than this against the clock means that the clock was wrong, not that the message was slow. */
const JUMP_MS = 1_000;

export class ServerClock {
  constructor() {
    /** @type {number | null} the server's time minus the browser's monotonic one */
    this.offset = null;
  }

  /** @param {number} now the server's time, ms since the epoch, as a message has just said it */
  sync(now) {
    const offset = now - performance.now();
    // A message arrives late, never early: the largest offset is the truest, and a duration never steps back.
    if (this.offset === null || Math.abs(offset - this.offset) > JUMP_MS || offset > this.offset) this.offset = offset;
  }

  /** @returns {number} the server's time, ms since the epoch (the browser's own until the server has spoken) */
  now() {
    return this.offset === null ? Date.now() : this.offset + performance.now();
  }

  /** A time of the server's, in the browser's clock, to be shown or compared with Date.now(). @param {number} time */
  toLocal(time) {
    return time - this.now() + Date.now();
  }
}
