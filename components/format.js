// How things are written for a person: durations, times, types, texts. Pure functions, no state.

/** @param {number} ms @returns {string} "0:04", "22:41", "1:02:03" */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const UNITS = /** @type {const} */ ([["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]]);

/** A time of day in the person's locale and time zone. @param {number} ms since the epoch */
export const clockTime = (ms) => clock.format(ms);

/** Date and time in the person's locale and time zone. @param {number} ms since the epoch */
export const dateTime = (ms) => dated.format(ms);

/** As `dateTime`, to the minute. @param {number} ms since the epoch */
export const dateMinute = (ms) => minute.format(ms);

/** "now", "3 minutes ago", "yesterday", "in 7 days": what is to come is the nearest whole number away. @param {number} ms since the epoch @param {number} now by the same clock */
export function relativeTime(ms, now) {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  const [unit, length] = UNITS.find(([, length]) => Math.abs(ms - now) >= length) ?? ["second", Infinity];
  const units = (ms - now) / length;
  return words.format((units > 0 ? Math.round(units) : Math.trunc(units)) || 0, unit);
}

/**
 * A text with its values: `{name}` in the text stands for `values.name`.
 * @param {Record<string, string>} texts @param {string} key @param {Record<string, string | number>} [values]
 */
export function text(texts, key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** As `text`, with `key.one` or `key.other` by the number `n`. */
export function plural(texts, key, n, values = {}) {
  const form = new Intl.PluralRules(document.documentElement.lang || "en").select(n);
  return text(texts, `${key}.${form}` in texts ? `${key}.${form}` : `${key}.other`, { n, ...values });
}

/**
 * The word for a call's type: Inbound, Outbound, Phone (direction unknown) or Web.
 * @param {string} type `call_type` @param {string | null | undefined} direction
 */
export function typeName(texts, type, direction) {
  if (type === "web_call") return texts["type.web"];
  return texts[direction === "inbound" || direction === "outbound" ? `type.${direction}` : "type.phone"];
}

/** The icon's name for a call's type. @param {string} type */
export const typeIcon = (type) => (type === "web_call" ? "globe" : "phone");
