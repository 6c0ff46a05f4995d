/** That somebody has pressed Rescue outside a call's drawer, which then asks for the confirmation. It rescues nothing by itself. */

/** A drawer that has not come by then is not the one that was meant. */
const WITHIN_MS = 10_000;

class RescueRequest {
  #callId = "";
  #askedAt = 0;
  /** @type {Set<() => void>} */ #watchers = new Set();

  /** @param {string} callId */
  ask(callId) {
    this.#callId = callId;
    this.#askedAt = performance.now();
    for (const asked of this.#watchers) asked();
  }

  /** Whether that call is to be rescued; it is asked for once. @param {string} callId */
  take(callId) {
    const wanted = this.#callId === callId && performance.now() - this.#askedAt < WITHIN_MS;
    if (wanted) this.#callId = "";
    return wanted;
  }

  /** Calls `asked` at each request, until what it returns is called. @param {() => void} asked */
  watch(asked) {
    this.#watchers.add(asked);
    return () => void this.#watchers.delete(asked);
  }
}

/** The page's. */
export const rescueRequest = new RescueRequest();
