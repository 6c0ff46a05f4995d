// What is said about a call in words: its state, its other party, how it ended. Pure functions of the Call of docs/protocol.md.

import { clockTime, duration, text } from "./format.js";

/** The words for a call that a supervisor has and is heard in, by how the person who looks stands to it. */
const HELD = { here: "state.yours", left: "state.left", elsewhere: "state.elsewhere", other: "state.taken_over_by" };

export const isOver = (call) => call.call_status === "ended" || call.call_status === "error";

/** The person at the other end: a number, or that it is a web call. */
export function callTitle(texts, call) {
  const number = call.direction === "outbound" ? call.to_number : call.from_number;
  if (number) return number;
  return texts[call.call_type === "web_call" ? "drawer.webCall" : "drawer.phoneCall"];
}

/**
 * The state's word and tone. @param {{quiet: number | null, controller: import("./talk_words.js").Controller}} news
 * @param {number} now the server's time @param {import("./talk_standing.js").Standing | null} how who looks
 * @returns {{words: string, tone: string}}
 */
export function callState(texts, call, news, now, how) {
  const { quiet, controller } = news;
  if (call.call_status === "error") return { words: texts["drawer.state.error"], tone: "is-danger" };
  if (call.call_status === "ended") return { words: texts["drawer.state.ended"], tone: "" };
  if (quiet !== null) return { words: text(texts, "state.quiet", { duration: duration(now - quiet) }), tone: "is-danger" };
  if (call.call_status === "taken_over") return heldState(texts, controller, how);
  if (call.call_status === "registered") return { words: texts["drawer.state.registered"], tone: "" };
  return { words: texts["state.ongoing"], tone: "is-ok" };
}

function heldState(texts, controller, how) {
  if (!controller || !how) return { words: texts["state.taken_over"], tone: "is-warn" };
  const name = how === "other" ? controller.name : texts["drawer.you"];
  if (how === "joining") return { words: texts["state.joining"], tone: "is-warn" };
  if (controller.lost_since) return { words: text(texts, how === "here" ? "state.unheardYou" : "state.unheard", { name }), tone: "is-danger" };
  if (controller.role_lost_since) return { words: text(texts, how === "other" ? "state.roleLost" : "state.roleLostYou", { name }), tone: "is-danger" };
  return { words: text(texts, HELD[how], { name }), tone: "is-warn" };
}

/** How long it has lasted, or lasted in all. @param {number} now the server's time @returns {string} */
export function callDuration(call, now) {
  return duration((isOver(call) ? (call.end_timestamp ?? call.start_timestamp) : now) - call.start_timestamp);
}

/** Why it ended, as a sentence. */
export function endReason(texts, call) {
  const reason = call.disconnection_reason;
  if (!reason) return texts[call.call_status === "error" ? "reason.error" : "reason.unknown"];
  if (`reason.${reason}` in texts) return texts[`reason.${reason}`];
  if (reason.startsWith("error_")) return text(texts, "reason.error_named", { error: reason.slice(6).replaceAll("_", " ") });
  return text(texts, "reason.other", { reason: reason.replaceAll("_", " ") });
}

/** When it ended and how long it had lasted; empty if nobody said when. */
export function endTime(texts, call) {
  if (!call.end_timestamp) return "";
  const time = clockTime(call.end_timestamp);
  return text(texts, "ended.when", { time, duration: callDuration(call, call.end_timestamp) });
}

/** "Ada v12", as far as it is known. */
export function agentName(call) {
  const version = call.agent_version === null || call.agent_version === undefined ? "" : `v${String(call.agent_version).replace(/^v/, "")}`;
  return [call.agent_name || call.agent_id, version].filter(Boolean).join(" ");
}

/** Names in a row, oneself as "You". @param {{user_id: string, name: string}[]} people @param {string} userId */
export function names(texts, people, userId) {
  return people.map((person) => (person.user_id === userId ? texts["drawer.you"] : person.name)).join(", ");
}
