/** The audit log's entries, asked for page by page. It knows no screen; what it holds may be watched by Vue. */

import { workspaceHeaders } from "./shown_workspace.js";

const ANSWER_WITHIN_MS = 20_000;
/** In place of the server's own words. */
export const UNREACHABLE = "unreachable";

/**
 * @typedef {{seq: number, at: number, action: string, outcome: string, person: string, person_id: string, subject: string,
 *   call_id: string, address: string, about: number | null, detail: Record<string, string | number>}} Entry
 * @typedef {{person: string, action: string, call: string, since: string, until: string}} Wanted  times as `datetime-local` has them
 */

export class AuditPages {
  constructor() {
    /** @type {Entry[]} */
    this.entries = [];
    this.loading = false;
    this.loaded = false;
    /** What went wrong, in the server's words, or `UNREACHABLE`; empty if nothing. */
    this.error = "";
    /** @type {(number | null)[]} where each page down to the present one begins: `before` this number */
    this.trail = [null];
    /** @type {number | null} */
    this.next = null;
    this.query = "";
    this.asked = 0;
  }

  get hasOlder() {
    return this.next !== null;
  }

  get hasNewer() {
    return this.trail.length > 1;
  }

  /** The newest entries that are so. @param {Wanted} wanted */
  async search(wanted) {
    this.query = queryOf(wanted);
    await this.load([null]);
  }

  async older() {
    await this.load([...this.trail, this.next]);
  }

  async newer() {
    await this.load(this.trail.slice(0, -1));
  }

  /** No answer changes anything any more. */
  close() {
    this.asked += 1;
  }

  /** The page at the end of that trail; a later wish overtakes it. @param {(number | null)[]} trail */
  async load(trail) {
    const asked = (this.asked += 1);
    this.loading = true;
    const answer = await ask(this.query, trail[trail.length - 1]);
    if (asked !== this.asked) return;
    this.loading = false;
    this.loaded = true;
    this.error = answer.error;
    if (answer.error) return;
    this.entries = answer.entries;
    this.next = answer.older;
    this.trail = trail;
  }
}

/** Where the file is with everything that is so. @param {Wanted} wanted */
export function exportPath(wanted) {
  const query = queryOf(wanted);
  return `${window.path_prefix ?? ""}/audit/export.csv${query && `?${query}`}`;
}

/** @param {string} query @param {number | null} before @returns {Promise<{entries: Entry[], older: number | null, error: string}>} */
async function ask(query, before) {
  const parts = [query, before === null ? "" : `before=${before}`].filter(Boolean).join("&");
  try {
    const path = `${window.path_prefix ?? ""}/audit/entries${parts && `?${parts}`}`;
    const response = await fetch(path, { headers: workspaceHeaders(), signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const body = await response.json();
    if (response.ok) return { ...body, error: "" };
    return { entries: [], older: null, error: body.error?.message ?? `${response.status}` };
  } catch {
    return { entries: [], older: null, error: UNREACHABLE };
  }
}

/** @param {Wanted} wanted */
function queryOf({ person, action, call, since, until }) {
  const times = { since: msOf(since), until: msOf(until, 59_999) };
  const asked = { person: person.trim(), action, call: call.trim(), ...times };
  return new URLSearchParams(Object.entries(asked).filter(([, value]) => value)).toString();
}

/** In the person's time zone; "" for none. @param {string} local @param {number} [more] ms: the field knows whole minutes */
function msOf(local, more = 0) {
  const ms = local ? new Date(local).getTime() : NaN;
  return Number.isFinite(ms) && ms >= 0 ? String(ms + more) : "";
}
