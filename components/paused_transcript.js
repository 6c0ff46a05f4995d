/**
 * Holds back what a runtime writes into the transcript while a supervisor has the call: it is shown once the call is over. What
 * began before the supervisor came is shown as it completes. Pure.
 */

export class PausedTranscript {
  /** @type {Map<string, any>} */ #held = new Map();
  /** Of the call's own time, ms; what is later is held back. */
  #from = Infinity;

  /**
   * At each word on the call. @param {{start_timestamp: number}} call @param {{since: number} | null} controller null: nobody, or it is over
   * @returns {any[]} what was held back, and is to be shown now
   */
  heldSince(call, controller) {
    if (controller) {
      if (controller.since < call.start_timestamp) return []; // clocks that do not agree: nothing is held back
      this.#from = Math.min(this.#from, controller.since - call.start_timestamp); // a second supervisor does not begin it anew
      return [];
    }
    const items = [...this.#held.values()];
    this.#held.clear();
    this.#from = Infinity;
    return items;
  }

  /** Of these items, those to be shown now. @param {any[]} items */
  shown(items) {
    return items.filter((item) => {
      const late = item.time_ms > this.#from;
      if (late) this.#held.set(item.id, item);
      return !late;
    });
  }

  /** @param {string[]} ids */
  remove(ids) {
    for (const id of ids) this.#held.delete(id);
  }
}
