// A WebSocket that stays: it reconnects, knows silence from life, and says its state.
// It knows nothing of what the messages mean. Used by the call list, the drawer, and whatever else follows a feed.

import { inWorkspace } from "./shown_workspace.js";

/** A server speaks at least every 5 s; one that was silent for this long is gone, whatever TCP believes. */
export const SILENCE_MS = 12_000;
const CONNECT_MS = 10_000;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5_000;
/** Close codes after which asking again is of no use: not signed in, not allowed, no such call, gone to another workspace. */
export const REFUSALS = { 4401: "not_signed_in", 4403: "forbidden", 4404: "not_found", 4409: "other_workspace" };

/**
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "refused" | "closed"} State
 * connecting: never live so far; live: messages arrive; reconnecting: lost, being tried again; offline: lost, and the
 * browser has no network; refused: the server said no, `code` says why, nothing is tried again; closed: by `close()`.
 */
export class LiveSocket {
  /**
   * @param {string} path on this server, such as "/feed/calls"
   * @param {{message: (message: any) => void, state?: (state: State, since: number, code: number | null) => void}} on
   *   `state` is called at each change only; `since` is when it began, in the browser's clock (ms since the epoch)
   */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    /** @type {State} */
    this.state = "connecting";
    this.since = Date.now();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.attempts = 0;
    this.heard = 0;
    this.timer = 0;
    this.watch = 0;
    this.nudge = () => this.#retryNow();
    this.restored = (event) => event.persisted && this.#retryNow(); // out of the browser's back-forward cache
    this.visible = () => document.visibilityState === "visible" && this.#retryNow();
    this.lost = () => this.state === "live" || this.state === "reconnecting" ? this.#setState("offline") : undefined;
  }

  open() {
    window.addEventListener("online", this.nudge);
    window.addEventListener("offline", this.lost);
    window.addEventListener("pageshow", this.restored);
    document.addEventListener("visibilitychange", this.visible);
    this.#connect();
  }

  /** Sends JSON if the socket is open. @returns {boolean} whether it was handed to the socket */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Starts anew at once: what arrived does not fit together. */
  restart() {
    this.#setState(this.#absent());
    this.#connect();
  }

  close() {
    window.removeEventListener("online", this.nudge);
    window.removeEventListener("offline", this.lost);
    window.removeEventListener("pageshow", this.restored);
    document.removeEventListener("visibilitychange", this.visible);
    this.#drop();
    this.#setState("closed");
  }

  #connect() {
    this.#drop();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${window.path_prefix ?? ""}${inWorkspace(this.path)}`);
    this.socket = socket;
    this.heard = performance.now();
    let limit = CONNECT_MS;
    socket.onopen = () => {
      this.heard = performance.now();
      limit = SILENCE_MS;
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#ended(event.code);
    this.watch = window.setInterval(() => performance.now() - this.heard > limit && this.#ended(0), 1000);
  }

  /** Forgets the present socket; what it may still say is not heard. */
  #drop() {
    clearTimeout(this.timer);
    clearInterval(this.watch);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #receive(data) {
    this.heard = performance.now();
    this.attempts = 0;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      console.warn(`livemon: ${this.path} sent something that is not JSON; ignored`);
      return;
    }
    this.#setState("live");
    this.on.message(message);
  }

  #ended(code) {
    this.#drop();
    if (code in REFUSALS) {
      this.#setState("refused", code);
      return;
    }
    this.#setState(this.#absent());
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.attempts, LONGEST_DELAY_MS);
    this.attempts += 1;
    this.timer = window.setTimeout(() => this.#connect(), delay * (0.75 + Math.random() / 2));
  }

  /** What to call being without a connection. @returns {State} */
  #absent() {
    if (!navigator.onLine) return "offline";
    return this.state === "connecting" ? "connecting" : "reconnecting";
  }

  /** The network, the page or the person is back: ask at once, unless all is well. */
  #retryNow() {
    if (this.state === "refused" || this.state === "closed") return;
    if (this.state === "live" && performance.now() - this.heard < SILENCE_MS) return;
    this.attempts = 0;
    this.#setState(this.#absent());
    this.#connect();
  }

  #setState(state, code = null) {
    if (this.state === state) return;
    const lostBefore = this.state === "reconnecting" || this.state === "offline";
    const lostNow = state === "reconnecting" || state === "offline";
    if (!(lostBefore && lostNow)) this.since = Date.now(); // offline after reconnecting: lost since the first of both
    this.state = state;
    this.on.state?.(state, this.since, code);
  }
}
