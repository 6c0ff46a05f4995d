// How this tab's list is sorted and filtered, kept through a reload: a restarted server makes the page reload by itself.
// What was searched for is not kept: it may be somebody's number, and the next to sign in here may be somebody else.

import { columns, filters } from "/assets/call_rows.js";

const KEY = "livemon:list-order";

/** @typedef {{sort: {column: string, descending: boolean}, filter: string}} ListOrder */

/** What was kept, if it can be read and is known here. @returns {ListOrder | null} */
export function keptOrder() {
  try {
    const { sort, filter } = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (!columns.includes(sort.column) || typeof sort.descending !== "boolean" || !filters.includes(filter)) return null;
    return { sort: { column: sort.column, descending: sort.descending }, filter };
  } catch {
    return null;
  }
}

/** @param {ListOrder} order */
export function keepOrder({ sort, filter }) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ sort, filter }));
  } catch {
    // a browser that keeps nothing sorts as ever
  }
}
