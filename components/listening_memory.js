/**
 * What was being listened to when the page was reloaded (a restarted server makes it reload), so that it can be taken up again.
 * Kept for this tab alone, and only for as long as a restart may take; a tab that was duplicated or opened again does not listen.
 */

const KEY = "livemon:listening";
const KEPT_FOR_MS = 60_000;
const REFRESH_MS = 5_000;

export class ListeningMemory {
  #timer = 0;

  /** From now on, until `forget()`. @param {string} callId */
  keep(callId) {
    clearInterval(this.#timer);
    const write = () => sessionStorage.setItem(KEY, JSON.stringify({ callId, at: Date.now() }));
    write();
    this.#timer = window.setInterval(write, REFRESH_MS);
  }

  forget() {
    this.rest();
    sessionStorage.removeItem(KEY);
  }

  /** The page goes away: what is kept stays, and grows old. */
  rest() {
    clearInterval(this.#timer);
  }

  /** Whether this page, before it was reloaded, listened to that call. @param {string} callId */
  survives(callId) {
    const [navigation] = performance.getEntriesByType("navigation");
    if (/** @type {PerformanceNavigationTiming} */ (navigation)?.type !== "reload") return false;
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
      return kept?.callId === callId && Date.now() - kept.at < KEPT_FOR_MS;
    } catch {
      return false;
    }
  }
}
