// The live list's rows in their order: what is shown, sorted and filtered, kept so change by change.
// Pure: no DOM, no Vue, no socket. Rows are as in docs/interfaces.md; a changed row is a new object.

import { typeName, text } from "/assets/format.js";

/** The word for a call's state, for sorting and searching; what ticks is left to the chip. */
export function stateName(texts, row) {
  if (row.quiet !== null) return text(texts, "state.quiet", { duration: "" }).trim();
  if (isUnheard(row)) return text(texts, "state.unheard", { name: row.holder.name });
  if (isRoleLost(row)) return text(texts, "state.roleLost", { name: row.holder.name });
  if (row.status === "taken_over") {
    return row.holder ? text(texts, "state.taken_over_by", { name: row.holder.name }) : texts["state.taken_over"];
  }
  const [first, ...others] = row.listeners;
  if (!first) return texts["state.ongoing"];
  if (others.length) return text(texts, "state.listen.other", { name: first.name, n: others.length });
  return text(texts, "state.listens", { name: first.name });
}

/** The number that the call is with: the caller's, or the one that the agent has called. */
export const party = (row) => (row.dir === "outbound" ? row.to : row.from) ?? "";

/** A supervisor has the call, and the caller does not hear them: others can rescue it. */
export const isUnheard = (row) => row.status === "taken_over" && !!row.holder?.lost_since;

/** A supervisor has the call who may not take calls over any more: Admins can rescue it, or end it. */
export const isRoleLost = (row) => row.status === "taken_over" && !!row.holder?.role_lost_since;

export const needsAttention = (row) => row.quiet !== null || isUnheard(row) || isRoleLost(row);

/** The columns by name: what each is sorted by, and which way a first click sorts. */
const COLUMNS = {
  time: { key: (row) => row.start, descending: true },
  duration: { key: (row) => -row.start, descending: true },
  type: { key: (row, texts) => typeName(texts, row.type, row.dir), descending: false },
  id: { key: (row) => row.id, descending: false },
  agent: { key: (row) => (row.agent ?? "").toLowerCase(), descending: false },
  party: { key: party, descending: false },
  state: { key: (row, texts) => stateName(texts, row), descending: false },
};
export const columns = Object.keys(COLUMNS);

const FILTERS = {
  all: () => true,
  phone: (row) => row.type === "phone_call",
  web: (row) => row.type === "web_call",
  attention: needsAttention,
};
export const filters = Object.keys(FILTERS);

const byValue = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

export class CallRows {
  /** @param {Record<string, string>} texts */
  constructor(texts) {
    this.texts = texts;
    /** @type {Map<string, any>} every live call by id */
    this.all = new Map();
    /** @type {string[]} the ids shown, in order */
    this.shown = [];
    this.sort = { column: "time", descending: true };
    this.filter = "all";
    this.query = "";
    /** @type {Set<string>} the ids of those whose supervisor the caller does not hear */
    this.unheard = new Set();
    this.counts = { all: 0, phone: 0, web: 0, attention: 0, takenOver: 0, listened: 0 };
  }

  /** Every call anew. @param {any[]} rows */
  replace(rows) {
    this.all = new Map(rows.map((row) => [row.id, row]));
    this.unheard.clear();
    for (const name of Object.keys(this.counts)) this.counts[name] = 0;
    for (const row of rows) this.#count(row, 1);
    this.#arrange();
  }

  /** A call that is new, or what has changed of one. */
  put(change) {
    const before = this.all.get(change.id);
    if (before) this.drop(change.id);
    const row = { ...before, ...change };
    this.all.set(row.id, row);
    this.#count(row, 1);
    if (this.#isShown(row)) this.shown.splice(this.#place(row), 0, row.id);
  }

  /** A call that is over. @returns {boolean} whether it was there */
  drop(id) {
    const row = this.all.get(id);
    if (!row) return false;
    const index = this.indexOf(id);
    if (index >= 0) this.shown.splice(index, 1);
    this.all.delete(id);
    this.#count(row, -1);
    return true;
  }

  /** Where the call stands among those shown, or -1. */
  indexOf(id) {
    const row = this.all.get(id);
    if (!row || !this.#isShown(row)) return -1;
    const index = this.#place(row);
    return this.shown[index] === id ? index : -1;
  }

  /** Sorts by that column; the one that is sorted by already turns around. */
  sortBy(column) {
    const same = this.sort.column === column;
    this.sort = { column, descending: same ? !this.sort.descending : COLUMNS[column].descending };
    this.#arrange();
  }

  /** Sorts and filters as was kept. @param {import("/assets/list_order.js").ListOrder} order */
  order({ sort, filter }) {
    this.sort = sort;
    this.filter = filter;
    this.#arrange();
  }

  show({ filter = this.filter, query = this.query }) {
    this.filter = filter;
    this.query = query.trim().toLowerCase();
    this.#arrange();
  }

  #arrange() {
    const rows = [...this.all.values()].filter((row) => this.#isShown(row));
    this.shown = rows.sort((a, b) => this.#compare(a, b)).map((row) => row.id);
  }

  #compare(a, b) {
    const { key } = COLUMNS[this.sort.column];
    const order = byValue(key(a, this.texts), key(b, this.texts)) * (this.sort.descending ? -1 : 1);
    return order || byValue(b.start, a.start) || byValue(a.id, b.id);
  }

  /** The first place whose call does not stand before the row: its own, or where it goes. */
  #place(row) {
    let low = 0;
    let high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.all.get(this.shown[middle]), row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isShown(row) {
    return FILTERS[this.filter](row) && (!this.query || this.#matches(row));
  }

  #matches(row) {
    const words = [row.id, row.from, row.to, row.agent, row.version, typeName(this.texts, row.type, row.dir), row.type];
    words.push(stateName(this.texts, row), row.status);
    const haystack = words.filter(Boolean).join("\n").toLowerCase();
    const number = (text) => [row.from, row.to].some((one) => one?.replace(/\D/g, "").includes(text));
    const found = (text) => haystack.includes(text) || (digitsOf(text).length > 1 && number(digitsOf(text)));
    // Every word has to be there, in whatever order; a number may have blanks in it.
    return found(this.query) || this.query.split(/\s+/).every(found);
  }

  #count(row, by) {
    for (const name of filters) if (FILTERS[name](row)) this.counts[name] += by;
    if (by > 0 && isUnheard(row)) this.unheard.add(row.id);
    else this.unheard.delete(row.id);
    if (row.status === "taken_over") this.counts.takenOver += by;
    if (row.listeners.length) this.counts.listened += by;
  }
}

/** The digits of what is asked for, if it can be a number: "(212) 555" is found in "+12125550184". */
function digitsOf(text) {
  return /^[\d\s+().-]+$/.test(text) ? text.replace(/\D/g, "") : "";
}
