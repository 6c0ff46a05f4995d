/**
 * The entries of one call in the order in which they stand, and the part of them that is on the page.
 *
 * Plain data and no DOM: `transcript.js` draws what `shown()` gives. Entries come from a call's socket
 * (docs/interfaces.md, «A call's socket») and are never changed in place: a new version replaces the old object, so that
 * whoever draws them can tell by identity.
 */

/** @typedef {{id: string, key: [number, number], role: string, time_ms: number} & Record<string, any>} Item */

/** How many entries are on the page while the newest is followed, and at most while reading back. */
export const SHOWN = 500;
export const SHOWN_AT_MOST = 800;
/** How many more are drawn when the reader comes to an end of what is drawn. */
export const STEP = 150;
/** docs/protocol.md, «What bad input gets». */
export const KEPT_AT_MOST = 10_000;

/** By time, then by the stream's number; ids only make the order total.
 * @param {Item} a @param {Item} b */
function compare(a, b) {
  return a.key[0] - b.key[0] || a.key[1] - b.key[1] || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

export class TranscriptItems {
  constructor() {
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<string, Item>} */
    this.byId = new Map();
    this.start = 0;
    this.end = 0;
  }

  /** Forget everything and begin with these, showing the newest. @param {Item[]} items */
  reset(items) {
    this.byId = new Map(items.map((item) => [item.id, item]));
    this.items = [...this.byId.values()].sort(compare);
    this.showNewest();
  }

  /** Begin anew after a gap: what the server now says replaces what it covers, and earlier entries are kept where nothing
   * is missing in between. The reader's place stays, if `follow()` does not say otherwise.
   * @param {Item[]} items the newest @param {boolean} older whether the server has earlier ones
   * @returns {boolean} whether earlier ones were kept */
  refresh(items, older) {
    const [first, last] = [this.items[this.start], this.atEnd ? null : this.items[this.end - 1]];
    const newest = items.slice().sort(compare);
    const ids = new Set(newest.map((item) => item.id));
    const latest = this.items.at(-1);
    const joined = older && newest.length > 0 && latest !== undefined && compare(latest, newest[0]) >= 0;
    const earlier = joined ? this.items.filter((item) => compare(item, newest[0]) < 0 && !ids.has(item.id)) : [];
    this.reset([...earlier, ...newest]);
    const start = first && this.byId.get(first.id);
    if (start) {
      this.start = this.#indexOf(start);
      const still = last && this.byId.get(last.id);
      const end = still ? this.#indexOf(still) + 1 : this.items.length;
      this.end = Math.min(Math.max(end, this.start), this.start + SHOWN_AT_MOST);
    }
    return earlier.length > 0;
  }

  /** Insert or replace. @param {Item[]} items @returns {Item[]} what is news to a reader: new, or final at last */
  put(items) {
    return items.filter((item) => this.#putOne(item));
  }

  /** @param {string[]} ids */
  remove(ids) {
    for (const id of ids) {
      const item = this.byId.get(id);
      if (item) this.#removeAt(this.#indexOf(item));
    }
  }

  /** What is to be drawn. */
  shown() {
    return this.items.slice(this.start, this.end);
  }

  get atStart() {
    return this.start === 0;
  }

  get atEnd() {
    return this.end === this.items.length;
  }

  /** How many stand below what is drawn. */
  get below() {
    return this.items.length - this.end;
  }

  /** The key before which earlier entries are to be asked for. */
  get firstKey() {
    return this.items.length ? this.items[0].key : null;
  }

  get full() {
    return this.items.length >= KEPT_AT_MOST;
  }

  showNewest() {
    this.end = this.items.length;
    this.start = Math.max(0, this.end - SHOWN);
  }

  /** Draw earlier ones, and fewer of the latest where they would be too many. */
  showEarlier() {
    this.start = Math.max(0, this.start - STEP);
    this.end = Math.min(this.end, this.start + SHOWN_AT_MOST);
  }

  /** Draw later ones, and fewer of the earliest where they would be too many. */
  showLater() {
    this.end = Math.min(this.items.length, this.end + STEP);
    this.start = Math.max(this.start, this.end - SHOWN_AT_MOST);
  }

  /** While the newest is followed: no more on the page than need be, and no more in memory than allowed.
   * @returns {boolean} whether entries were forgotten, which the server can give again */
  follow() {
    const forgotten = this.#forget(this.items.length - KEPT_AT_MOST);
    this.showNewest();
    return forgotten;
  }

  /** While one reads back: what is above the part that is drawn is forgotten, and the part itself only where the call has
   * gone on for as long again. @returns {boolean} whether entries were forgotten */
  trim() {
    const surplus = this.items.length - KEPT_AT_MOST;
    return this.#forget(surplus > KEPT_AT_MOST ? surplus : Math.min(surplus, this.start));
  }

  /** @param {number} count of the earliest @returns {boolean} */
  #forget(count) {
    if (count <= 0) return false;
    for (const item of this.items.splice(0, count)) this.byId.delete(item.id);
    this.start = Math.max(0, this.start - count);
    this.end = this.end > count ? this.end - count : Math.min(SHOWN, this.items.length); // never an empty page
    return true;
  }

  /** @param {Item} item */
  #putOne(item) {
    const old = this.byId.get(item.id);
    if (old && compare(old, item) === 0) {
      this.items[this.#indexOf(old)] = item;
      this.byId.set(item.id, item);
    } else {
      if (old) this.#removeAt(this.#indexOf(old));
      this.#insert(item);
    }
    return item.final !== false && (!old || old.final === false);
  }

  /** What comes at the very end is drawn if the end was; what comes within or above moves the part that is drawn.
   * @param {Item} item */
  #insert(item) {
    const index = this.#indexOf(item);
    const drawn = index < this.end || (this.atEnd && this.end - this.start < SHOWN_AT_MOST);
    this.items.splice(index, 0, item);
    this.byId.set(item.id, item);
    if (index < this.start) this.start += 1;
    if (drawn) this.end += 1;
  }

  /** @param {number} index */
  #removeAt(index) {
    const [item] = this.items.splice(index, 1);
    this.byId.delete(item.id);
    if (index < this.start) this.start -= 1;
    if (index < this.end) this.end -= 1;
  }

  /** Where the item stands, or would stand. New ones come at the end as a rule, so that is looked at first.
   * @param {Item} item */
  #indexOf(item) {
    let low = 0;
    let high = this.items.length;
    if (high && compare(this.items[high - 1], item) < 0) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.items[middle], item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
