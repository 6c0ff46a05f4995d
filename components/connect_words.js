/** How far the first agent has come, and how that is said. Pure: a feed that is not live knows nothing of now. */

import { clockTime, text } from "./format.js";

/** @typedef {"waiting" | "runtime" | "connected" | "away"} State what `connect-state` says */
/** @typedef {State | "left" | "refused" | "asking" | "unreachable"} Kind the same, with more words: a runtime has left, or why nobody knows */
/** @typedef {{state: string, since: number}} Link as `LiveSocket` tells it */

/** For each state: what may be behind it that nothing goes on. */
const CAUSES = {
  waiting: ["address", "workspace", "firewall", "acl", "doctor", "conform"],
  runtime: ["no_call", "registered", "log", "conform"],
};

/** @param {Link} link @param {any} news the last message `runtimes` of docs/interfaces.md, or null @returns {State} */
export function stateOf(link, news) {
  if (link.state !== "live" || !news || news.feed.state !== "live") return "away";
  return news.state;
}

/** @param {Link} link @param {any} news @returns {Kind} */
export function kindOf(link, news) {
  const state = stateOf(link, news);
  if (state !== "away") return state === "waiting" && news.call ? "left" : state;
  if (link.state === "refused") return "refused";
  if (link.state === "connecting" || (link.state === "live" && !news)) return "asking";
  return link.state === "live" ? "away" : "unreachable";
}

/** Whether it is known that something is still to come. @param {Link} link @param {any} news */
export function waits(link, news) {
  const state = stateOf(link, news);
  return (state === "waiting" || state === "runtime") && news.looked;
}

/** @param {Record<string, string>} texts @param {Link} link @param {any} news @param {import("./clock.js").ServerClock} clock */
export function explanation(texts, link, news, clock) {
  const kind = kindOf(link, news);
  if (kind === "runtime") return text(texts, "connect.state.runtime.text", { name: runtimeName(news.runtimes[0]) });
  if (kind === "left") return text(texts, "connect.state.left.text", { agent: agentName(texts, news.call) });
  if (kind === "waiting" && !news.looked) return texts["connect.state.looking"];
  const since = kind === "away" && news.feed.since !== null ? clock.toLocal(news.feed.since) : link.since;
  return text(texts, `connect.state.${kind}.text`, { time: clockTime(since) });
}

/** The names of what to check. @param {Link} link @param {any} news @param {boolean} local whether Redis is on one machine alone @returns {string[]} */
export function causesOf(link, news, local) {
  const causes = CAUSES[stateOf(link, news)] ?? [];
  return local && stateOf(link, news) === "waiting" ? ["running", ...causes] : causes;
}

/** @param {{name: string, version: string, id: string}} runtime */
export const runtimeName = ({ name, version, id }) => [name || id, version].filter(Boolean).join(" ");

/** @param {Record<string, string>} texts @param {{agent: string}} call */
export const agentName = (texts, { agent }) => agent || texts["connect.call.nobody"];
