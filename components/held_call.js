/**
 * The one call that this page takes over or has, whatever is on screen. The drawer and the call bar show it and act on it; it
 * outlives both. Nothing else on the page holds a microphone.
 */

import { CallTalk } from "./call_talk.js";
import { talkMemory } from "./talk_memory.js";
import { settledEnding } from "./talk_words.js";
import { WakeLock } from "./wake_lock.js";

/** Endings that say what a page that is loaded anew no longer could: one is not let in any more, and who has the caller now. */
const READ_FIRST = ["session_ended", "forbidden", "taken"];

/**
 * @typedef {object} Held  what a component needs to draw; a new one at each change
 * @property {string} callId @property {string} title @property {import("./call_talk.js").TalkState} state
 * @property {boolean} muted @property {boolean} cancelling @property {boolean} wantsTouch @property {boolean} roleLost
 */
/** @typedef {{callId: string, title: string, kind: "cancelled" | "lost" | "ended", fromAgent: boolean, asked?: boolean} & import("./call_talk.js").Outcome} Ending  asked: the other's claim has been seen */

class HeldCall {
  /** @type {CallTalk | null} */ #talk = null;
  /** @type {Set<() => void>} */ #watchers = new Set();
  /** @type {string[]} calls whose own controls are on screen */ #shown = [];
  /** @type {(() => void) | null} */ #whenFree = null;
  #title = "";
  #wakeLock = new WakeLock();
  #ask = (event) => this.#asks && event.preventDefault();
  #leave = () => this.#onLeave();

  constructor() {
    /** What became of the last one, until it is dismissed. @type {Ending | null} */
    this.ending = null;
  }

  /** @returns {Held | null} */
  get held() {
    const talk = this.#talk;
    if (!talk) return null;
    const { callId, state, cancelling, wantsTouch, roleLost } = talk;
    return { callId, title: this.#title, state, cancelling, wantsTouch, roleLost, muted: talk.microphone.state !== "open" };
  }

  /** The call whose own controls are on screen. @returns {string | null} */
  get shown() {
    return this.#shown.at(-1) ?? null;
  }

  /** Microphone and voice, for levels and devices. */
  get talk() {
    return this.#talk;
  }

  /** Calls `changed` at each change, until what it returns is called. @param {() => void} changed */
  watch(changed) {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /**
   * Inside the click that asked for it. Nothing happens while there is a call already.
   * @param {{callId: string, title: string}} call @param {{resume?: boolean, kept?: boolean, muted?: boolean, claims?: string[]}} [how] as CallTalk.start
   * @param {boolean} [fromAgent] whether the agent has the call until then, not a supervisor
   */
  takeOver({ callId, title }, how = {}, fromAgent = false) {
    if (this.#talk) return;
    this.ending = null;
    this.#title = title;
    const talk = new CallTalk(callId, () => this.#talk === talk && this.#onChange(talk, fromAgent));
    this.#talk = talk;
    window.addEventListener("beforeunload", this.#ask);
    window.addEventListener("pagehide", this.#leave);
    void talk.start(how);
  }

  /** After a reload: the call that this tab had. */
  takeUpAgain() {
    const kept = talkMemory.survivor();
    if (!kept) return;
    talkMemory.keep(kept);
    this.takeOver(kept, { resume: true, kept: true, muted: kept.muted, claims: kept.claims });
  }

  cancel() {
    this.#talk?.cancel();
  }

  /** Mute, or ask for the microphone again. @throws {import("./microphone.js").MicrophoneFailed} */
  async toggleMute() {
    const microphone = this.#talk?.microphone;
    if (microphone?.state === "open") await microphone.mute();
    else await microphone?.open();
  }

  /** After an interruption. @throws {import("./microphone.js").MicrophoneFailed} */
  async touch() {
    await this.#talk?.touch();
  }

  /** Let go of the call that one has, though nobody knows that it is over. */
  leave() {
    this.#talk?.leave();
  }

  /** What is said of a call may tell more of how one lost it. @param {any} news a message `call` of docs/interfaces.md */
  settle(news) {
    const ending = this.ending && settledEnding(this.ending, news);
    if (ending === this.ending) return;
    if (!ending) return this.dismiss();
    this.ending = ending;
    this.#tell();
  }

  /** How long one has had the call, ms. */
  heldFor() {
    return this.#talk?.heldFor() ?? 0;
  }

  /** A call is over, as its drawer has heard. @param {string} callId */
  over(callId) {
    if (this.#talk?.callId === callId) this.#talk.over();
  }

  /** The controls of a call have come onto the screen, until what it returns is called. @param {string} callId */
  show(callId) {
    this.#shown.push(callId);
    this.#tell();
    return () => {
      this.#shown.splice(this.#shown.indexOf(callId), 1);
      this.#tell();
    };
  }

  dismiss() {
    this.ending = null;
    this.#tell();
    this.#actIfFree();
  }

  /** Does it now, or once no call is held any more, and nobody has yet to read that they have left one. @param {() => void} act */
  whenFree(act) {
    this.#whenFree = act;
    this.#actIfFree();
  }

  #actIfFree() {
    if (this.#talk || (this.ending?.kind === "lost" && READ_FIRST.includes(this.ending.reason))) return;
    const act = this.#whenFree;
    this.#whenFree = null;
    act?.();
  }

  /** Not while the connection is being made again: a page that reloads by itself then joins the call sooner. */
  get #asks() {
    return this.#talk !== null && this.#talk.state !== "reconnecting";
  }

  /** @param {CallTalk} talk @param {boolean} fromAgent */
  #onChange(talk, fromAgent) {
    const { callId, claims } = talk;
    if (talk.state === "talking") void this.#wakeLock.hold();
    if (talk.kept && !talk.final) talkMemory.keep({ callId, title: this.#title, muted: talk.microphone.state === "muted", claims });
    if (talk.final) this.#onFinal(talk, fromAgent);
    this.#tell();
  }

  #onFinal(talk, fromAgent) {
    this.#talk = null;
    this.#wakeLock.release();
    talkMemory.forget();
    window.removeEventListener("beforeunload", this.#ask);
    window.removeEventListener("pagehide", this.#leave);
    const silent = talk.state === "cancelled" && talk.outcome.reason === "asked";
    this.ending = silent ? null : { callId: talk.callId, title: this.#title, kind: talk.state, fromAgent: fromAgent && !talk.kept, ...talk.outcome };
    this.#actIfFree();
  }

  #onLeave() {
    talkMemory.leave();
    this.#talk?.abandon();
  }

  #tell() {
    for (const changed of this.#watchers) changed();
  }
}

/** The page's. */
export const heldCall = new HeldCall();
