// Changes of the live list that are not drawn yet: one entry a call, however many came, so that waiting is bounded. Pure.

export class PendingCalls {
  constructor() {
    /** @type {any[] | null} a snapshot that everything before it gives way to */
    this.snapshot = null;
    /** @type {Map<string, {row: any, isNew: boolean} | null>} by call id; null: it is over */
    this.changes = new Map();
  }

  get empty() {
    return !this.snapshot && !this.changes.size;
  }

  replace(rows) {
    this.snapshot = rows;
    this.changes.clear();
  }

  /** @param {any[]} put rows, or of those that were there before only what has changed @param {string[]} fresh those of `put` to be highlighted @param {string[]} drop */
  change(put, fresh, drop) {
    const starting = new Set(fresh);
    for (const row of put) {
      const waiting = this.changes.get(row.id);
      const isNew = starting.has(row.id) || waiting?.isNew === true;
      this.changes.set(row.id, { row: { ...waiting?.row, ...row }, isNew });
    }
    for (const id of drop) this.changes.set(id, null);
  }

  /** Makes them so, and forgets them. @returns {{started: string[], ended: string[]}} ids to be highlighted, ids that are gone */
  applyTo(calls) {
    const started = [];
    const ended = [];
    if (this.snapshot) calls.replace(this.snapshot);
    for (const [id, change] of this.changes) {
      if (!change) {
        if (calls.drop(id)) ended.push(id);
        continue;
      }
      calls.put(change.row);
      if (change.isNew) started.push(id);
    }
    this.snapshot = null;
    this.changes.clear();
    return { started, ended };
  }
}
