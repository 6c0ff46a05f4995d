// One row of the live list as it is drawn: every cell's words, and a memo that changes when any of them does. Pure.

import { clockTime, dateTime, duration, text, typeIcon, typeName } from "/assets/format.js";
import { isRoleLost, isUnheard, party, stateName } from "/assets/call_rows.js";

/**
 * The chip that says the call's state.
 * @param {any} row as in docs/interfaces.md @param {number} now the server's time
 */
export function stateChip(texts, row, now) {
  const word = stateName(texts, row);
  if (row.quiet !== null) {
    const since = text(texts, "state.quiet_since", { time: clockTime(row.quiet) });
    return { word: text(texts, "state.quiet", { duration: duration(now - row.quiet) }), kind: "is-danger", title: since };
  }
  if (isUnheard(row)) {
    const title = text(texts, "state.unheardSince", { name: row.holder.name, time: clockTime(row.holder.lost_since) });
    return { word, kind: "is-danger", title };
  }
  if (isRoleLost(row)) {
    const title = text(texts, "state.roleLostSince", { name: row.holder.name, time: clockTime(row.holder.role_lost_since) });
    return { word, kind: "is-danger", title };
  }
  if (row.status === "taken_over") return { word, kind: "is-warn", title: word };
  if (row.listeners.length) {
    const names = row.listeners.map((listener) => listener.name).join(", ");
    return { word, kind: "is-accent", title: text(texts, "state.listens", { name: names }) };
  }
  return { word, kind: "is-ok", title: word };
}

/**
 * @param {any} row @param {Record<string, string>} texts @param {number} now the server's time
 * @param {{index: number, selected: boolean, isNew: boolean, rowPx: number}} state
 */
export function rowCells(row, texts, now, { index, selected, isNew, rowPx }) {
  const chip = stateChip(texts, row, now);
  const cells = {
    id: row.id,
    index,
    selected,
    isNew,
    time: clockTime(row.start),
    started: dateTime(row.start),
    duration: duration(now - row.start),
    type: typeName(texts, row.type, row.dir),
    icon: typeIcon(row.type),
    agent: row.agent ?? "",
    party: party(row),
    partyTitle: [row.from, row.to].filter(Boolean).join(" → "),
    chip: chip.word,
    chipClass: chip.kind,
    chipTitle: chip.title,
  };
  return { ...cells, memo: [...Object.values(cells), rowPx].join("\n") };
}
