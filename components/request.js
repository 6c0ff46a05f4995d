/** Asking the server: one request, and an answer or an error that can be shown. */

import { workspaceHeaders } from "./shown_workspace.js";

/** The server gives a runtime 5 s and answers by itself; past this nobody answers any more. */
const ANSWER_WITHIN_MS = 15_000;

/** The request had no good outcome. `answered`: the server said so, in words fit to be shown; otherwise nobody knows. */
export class RequestFailed extends Error {
  /** @param {boolean} answered @param {string} code @param {string} message */
  constructor(answered, code, message) {
    super(message);
    this.answered = answered;
    this.code = code;
  }
}

/** @param {string} path on this server @param {unknown} [body] sent as JSON @returns {Promise<any>} @throws {RequestFailed} */
export const post = (path, body = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** @param {string} path on this server @returns {Promise<any>} @throws {RequestFailed} */
export const get = (path) => ask(path, {});

/** Says it and waits for no answer, also as the page goes; it may get lost. @param {string} path on this server */
export function tell(path) {
  fetch((window.path_prefix ?? "") + path, { method: "POST", keepalive: true, headers: workspaceHeaders() }).catch(() => {});
}

/** @param {string} path @param {RequestInit} how */
async function ask(path, how) {
  const headers = { ...workspaceHeaders(), ...how.headers };
  let response, answer;
  try {
    response = await fetch((window.path_prefix ?? "") + path, { ...how, headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw new RequestFailed(false, "unreachable", "");
  }
  if (response.ok) return answer;
  const { code = "failed", message = "" } = answer?.error ?? {};
  throw new RequestFailed(code !== "no_answer", code, message);
}
