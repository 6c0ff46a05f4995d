/** An entry of the audit log in words. Pure. */

import { clockTime, dateTime, duration, text } from "./format.js";

const TONES = {
  done: "is-ok",
  talking: "is-ok",
  refused: "is-danger",
  failed: "is-danger",
  lost: "is-warn",
  broken_off: "is-warn",
  cancelled: "is-warn",
  asked: "is-accent",
};

/** @typedef {import("./audit_pages.js").Entry} Entry */

/** @param {Record<string, string>} texts */
export function auditWords(texts) {
  const known = (/** @type {string} */ key, /** @type {string} */ raw) => texts[key] ?? raw;
  return {
    /** @param {{action: string}} entry */
    action: ({ action }) => known(`audit.action.${action}`, action),

    /** @param {Entry} entry */
    outcome: ({ action, outcome }) => texts[`audit.outcome.${action}.${outcome}`] ?? known(`audit.outcome.${outcome}`, outcome),

    /** @param {Entry} entry */
    tone: ({ outcome }) => TONES[/** @type {keyof typeof TONES} */ (outcome)] ?? "",

    /** Nobody is named where nobody is known, and where the server itself acts. @param {Entry} entry */
    person: ({ person, address }) => person || texts[address ? "audit.by.nobody" : "audit.by.server"],

    /** @param {Entry} entry */
    details: (entry) => detailsOf(texts, entry, known),

    /** From when to when, of what is on screen. @param {Entry[]} entries */
    shown(entries) {
      if (!entries.length) return "";
      const [newest, oldest] = [entries[0].at, entries[entries.length - 1].at];
      return text(texts, "audit.shown", { from: dateTime(oldest), to: dateTime(newest) });
    },
  };
}

/** @param {Record<string, string>} texts @param {Entry} entry @param {(key: string, raw: string) => string} known */
function detailsOf(texts, { at, subject, detail }, known) {
  const said = [];
  if (subject) said.push(subject);
  for (const [name, value] of Object.entries(detail)) {
    if (name === "since") said.push(sinceOf(texts, Number(value), at, "count" in detail));
    else if (name === "reason" && value) said.push(known(`audit.reason.${value}`, String(value)));
    else if (name === "resume") said.push(value ? texts["audit.detail.resume"] : "");
    else if (value !== "") said.push(text(texts, `audit.detail.${name}` in texts ? `audit.detail.${name}` : "audit.detail", { name, value }));
  }
  return said.filter(Boolean).join(" · ");
}

/** @param {Record<string, string>} texts @param {number} since @param {number} at @param {boolean} counted */
function sinceOf(texts, since, at, counted) {
  const key = counted ? "audit.detail.counted_since" : "audit.detail.since";
  return text(texts, key, { time: clockTime(since), duration: duration(at - since) });
}
