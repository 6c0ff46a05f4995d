/**
 * How each kind of transcript entry is drawn: the templates, and what they say in words.
 *
 * Everything comes in as text and stays text: the templates bind text and attributes only. The functions are pure; they
 * are the methods that the templates use, and belong to `transcript.js`.
 */

import { duration, text } from "./format.js";
import { icons } from "./icons.js";

const icon = (/** @type {keyof typeof icons} */ name, kind = "") =>
  `<svg class="lm-icon ${kind}" viewBox="0 0 24 24" aria-hidden="true"><path d="${icons[name]}"/></svg>`;

const summary = (/** @type {keyof typeof icons} */ name, /** @type {string} */ words) => `
  <summary class="event-line">
    ${icon(name, "event-icon")}
    ${words}
    <span class="event-time lm-number">{{ time(item) }}</span>
    ${icon("chevronDown", "event-chevron")}
  </summary>`;

const turn = `
  <div v-if="item.role === 'agent' || item.role === 'user'" class="turn" data-testid="turn"
       :data-role="item.role" :data-final="String(item.final !== false)">
    <div class="turn-label"><span>{{ speaker(item) }}</span> · <span class="lm-number">{{ time(item) }}</span
      ><template v-if="item.interrupted"> · {{ texts["transcript.interrupted"] }}</template></div>
    <div class="turn-text" data-testid="turn-text" dir="auto">{{ item.content
      }}<span v-if="item.final === false && !over" class="turn-caret" aria-hidden="true"></span></div>
  </div>`;

const toolCall = `
  <details v-else-if="item.role === 'tool_call_invocation' || item.role === 'tool_call_result'" class="event"
           data-testid="tool-call" :data-outcome="outcome(item)" :open="!!opened[item.id]">
    ${summary(
      "wrench",
      `<strong class="event-name">{{ item.name ?? item.tool_call_id }}</strong>
       <span class="event-said" :class="'is-' + outcome(item)">{{ outcomeWords(item) }}</span>`,
    )}
    <div class="event-body" data-testid="tool-call-details">
      <template v-if="item.role === 'tool_call_invocation'">
        <p class="event-heading">{{ texts["transcript.arguments"] }}</p>
        <pre dir="ltr">{{ pretty(item.arguments) }}</pre>
      </template>
      <template v-if="resultOf(item)">
        <p class="event-heading">{{ texts[resultOf(item).successful ? "transcript.result" : "transcript.failure"] }}</p>
        <pre dir="ltr">{{ pretty(resultOf(item).content) }}</pre>
      </template>
      <p v-else>{{ texts[over ? "transcript.noResult" : "transcript.waitingForResult"] }}</p>
    </div>
  </details>`;

const nodeTransition = `
  <div v-else-if="item.role === 'node_transition'" class="transition-rule" data-testid="node-transition">
    <span dir="auto">{{ nodes(item) }}</span>
  </div>`;

const said = (/** @type {string} */ role, testid, /** @type {keyof typeof icons} */ name, /** @type {string} */ title) => `
  <details v-else-if="item.role === '${role}'" class="event" data-testid="${testid}" :open="!!opened[item.id]">
    ${summary(name, `<strong class="event-name">{{ ${title} }}</strong><span class="event-said is-quoted" dir="auto">{{ item.content }}</span>`)}
    <div v-if="item.multimedia?.length" class="event-body">
      <p class="event-heading">{{ texts["transcript.multimedia"] }}</p>
      <pre dir="ltr">{{ pretty(item.multimedia) }}</pre>
    </div>
  </details>`;

const line = (/** @type {string} */ role, testid, /** @type {keyof typeof icons} */ name, /** @type {string} */ words) => `
  <div v-else-if="item.role === '${role}'" class="event" data-testid="${testid}">
    <div class="event-line">
      ${icon(name, "event-icon")}${words}<span class="event-time lm-number">{{ time(item) }}</span>
    </div>
  </div>`;

/** What stands in one entry; `item`, `opened` (by id), `over` and `texts` are to be in scope. */
export const ENTRY_TEMPLATE = [
  turn,
  toolCall,
  nodeTransition,
  said("sms", "sms", "message", 'texts[item.direction === "inbound" ? "transcript.smsReceived" : "transcript.smsSent"]'),
  said("injected", "injected", "note", "injectedBy(item)"),
  line("dtmf", "dtmf", "keypad", `<strong class="event-name">{{ texts["transcript.pressed"] }}</strong> <kbd>{{ item.digit }}</kbd>`),
  line("note", "note", "warning", `<span class="event-note" dir="auto">{{ item.content }}</span>`),
].join("");

/** Roles that are drawn; others are of a later version, and ignored (docs/protocol.md, «Names»). */
export const ROLES = new Set([
  ...["agent", "user", "tool_call_invocation", "tool_call_result", "node_transition", "sms", "dtmf", "injected", "note"],
]);

/** JSON indented, and what is not JSON as it is. @param {unknown} value */
export function pretty(value) {
  if (typeof value !== "string") return JSON.stringify(value ?? null, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/** @param {number} ms @returns {string} "640 ms", "1.2 s", "1:05" */
export function elapsed(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/** The methods that `ENTRY_TEMPLATE` uses; `this` has the props `texts` and `over`. */
export const entryMethods = {
  pretty,

  time: (item) => duration(item.time_ms),

  speaker(item) {
    return this.texts[item.role === "agent" ? "transcript.agent" : "transcript.caller"];
  },

  /** The result is in its invocation's item, or is an item of its own if it has none. */
  resultOf: (item) => (item.role === "tool_call_result" ? item : item.result),

  /** @returns {"ok" | "failed" | "pending" | "none"} none: the call is over, and nothing came */
  outcome(item) {
    const result = this.resultOf(item);
    if (result) return result.successful ? "ok" : "failed";
    return this.over ? "none" : "pending";
  },

  outcomeWords(item) {
    const words = this.texts[`transcript.outcome.${this.outcome(item)}`];
    return item.result ? `${words} · ${elapsed(item.result.time_ms - item.time_ms)}` : words;
  },

  nodes(item) {
    const to = item.new_node_name || item.new_node_id || "?";
    const from = item.former_node_name || item.former_node_id;
    return from ? `${from} → ${to}` : `→ ${to}`;
  },

  injectedBy(item) {
    return item.by ? text(this.texts, "transcript.injectedBy", { by: item.by }) : this.texts["transcript.injected"];
  },
};
