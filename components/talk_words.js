// What is offered and said about a take-over: the button, what it waits for, how it ended. Pure.

import { isOver } from "./call_words.js";
import { text } from "./format.js";

/** Whether one has the call on this page, be it that the audio is just being made again. @param {import("./held_call.js").Held | null} held */
export const isJoined = (held) => held !== null && (held.state === "talking" || held.state === "reconnecting");

/** @typedef {{user_id: string, name: string, lost_since?: number | null, role_lost_since?: number | null} | null} Controller  as in docs/protocol.md */

/**
 * Whether somebody else has the call whom the caller does not hear; for an Admin also, who has lost the role.
 * @param {Controller} controller @param {string} userId @param {boolean} manages whether one is an Admin
 */
export const canRescue = (controller, userId, manages) =>
  !!(controller?.lost_since || (manages && controller?.role_lost_since)) && controller?.user_id !== userId;

/**
 * What the button `take-over` reads, by its text's key; null: it is not offered.
 * @param {import("./held_call.js").Held | null} mine what this page does with this call @param {Controller} controller @param {string} userId
 * @param {boolean} manages whether one is an Admin
 */
export function takeOverKey(mine, controller, userId, manages) {
  if (isJoined(mine)) return null;
  if (mine) return "footer.takingOver";
  if (!controller) return "footer.takeOver";
  if (controller.user_id === userId) return "footer.resume";
  return canRescue(controller, userId, manages) ? "footer.rescue" : null;
}

/** What a supervisor waits for, or what became of the connection; empty while all is well. @param {import("./held_call.js").Held} held */
export function talkState(texts, held) {
  if (held.cancelling) return texts["takeOver.state.cancelling"];
  return held.state === "talking" ? "" : texts[`takeOver.state.${held.state}`];
}

/** Losses that are no other person's doing: who has the call is not told by its `holder`. */
const OWN_DOING = ["elsewhere", "asked", "connection", "session_ended", "forbidden", "left"];
/** Endings whose title says more than their kind does. */
const TITLES = { unknown: "takeOver.unknown", left: "takeOver.left", asked_by_other: "takeOver.lostAsking" };

/**
 * The notice about an ending: what a refused request was answered, else our own words, with those of the agent's process.
 * @param {import("./held_call.js").Ending} ending
 * @returns {{title: string, text: string, tone: "danger" | "info"}}
 */
export function talkEnding(texts, ending) {
  const { kind, reason, message, said, holder, fromAgent } = ending;
  const name = holder?.name ?? "";
  if (kind === "ended") return { title: texts["takeOver.ended"], text: ending.title, tone: "info" };
  const named = kind === "lost" && name && !OWN_DOING.includes(reason);
  const usual = named ? "takeOver.lostTo" : `takeOver.${kind}${kind === "cancelled" && !fromAgent ? ".rejoin" : ""}`;
  const title = text(texts, TITLES[reason] ?? usual, { name });
  const own = `takeOver.${kind}.${reason}${ending.roleLost && reason === "taken" ? "Role" : ""}`;
  const kept = texts[fromAgent ? "takeOver.kept.agent" : "takeOver.kept.other"];
  const words = message || text(texts, own in texts ? own : `takeOver.${kind}.other`, { name, kept });
  return { title, text: said ? `${words} ${text(texts, "takeOver.said", { said })}` : words, tone: "danger" };
}

/** Whether the ending still waits for what becomes of another's claim. @param {import("./held_call.js").Ending | null} ending */
export const isUnsettled = (ending) => ending?.kind === "lost" && ending.reason === "asked_by_other";

/**
 * The ending by what is said of the call since: the same one if it says nothing new; null: there is nothing to be told any more.
 * The news may be older than the ending, so a claim that it does not hold counts only once it has held it.
 * @param {import("./held_call.js").Ending} ending @param {any} news a message `call` of docs/interfaces.md
 * @returns {import("./held_call.js").Ending | null}
 */
export function settledEnding(ending, { call, controller, claim }) {
  if (call.call_id !== ending.callId) return ending;
  if (isOver(call)) return ending.kind === "ended" || ending.reason === "ended" ? ending : null;
  if (!isUnsettled(ending)) return ending;
  const asking = ending.holder?.user_id;
  if (controller && controller.user_id === asking) return { ...ending, reason: "taken" };
  if (claim) return claim.user_id === asking && !ending.asked ? { ...ending, asked: true } : ending;
  return ending.asked ? { ...ending, kind: "cancelled", reason: "not_given" } : ending;
}
