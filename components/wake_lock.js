/** Keeps the screen on for as long as `hold` is in force, where the browser can. It may fail, and says nothing of it. */

export class WakeLock {
  /** @type {WakeLockSentinel | null} */ #lock = null;
  #held = false;
  #seen = () => document.visibilityState === "visible" && void this.hold();

  /** Browsers drop it with a page that is hidden; it is asked for again when the page is seen. */
  async hold() {
    if (!this.#held) document.addEventListener("visibilitychange", this.#seen);
    this.#held = true;
    if (!("wakeLock" in navigator) || (this.#lock && !this.#lock.released)) return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this.#held) this.#lock = lock;
      else await lock.release();
    } catch {
      // refused while the page is hidden or the battery low
    }
  }

  release() {
    this.#held = false;
    document.removeEventListener("visibilitychange", this.#seen);
    this.#lock?.release().catch(() => {});
    this.#lock = null;
  }
}
