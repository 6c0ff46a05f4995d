/**
 * One supervisor on one call, from the click to the end: microphone, connection, and what the server says of the take-over. It
 * never says «talking» unless the server did. It is used once; who wants to try again makes another.
 */

import { CallerVoice } from "./caller_voice.js";
import { ServerClock } from "./clock.js";
import { faultOf, Microphone } from "./microphone.js";
import { RequestFailed } from "./request.js";
import { LiveSocket } from "./socket.js";
import { TalkConnection } from "./talk_connection.js";

/**
 * @typedef {"idle" | "microphone" | "connecting" | "claiming" | "checking" | "talking" | "reconnecting" | "cancelled" | "lost" | "ended"} TalkState
 * microphone: the browser is asked for it, and nobody else of anything; connecting: the server does not hear it yet; claiming: the
 * call was asked for; checking: nobody knows; reconnecting: one had the call, and is being joined to it again by itself. The last
 * three are final: everything is let go, and `outcome` says why.
 */
/**
 * @typedef {{reason: string, message: string, said: string, holder: {user_id: string, name: string} | null, roleLost: boolean}} Outcome
 * message: the server's words for a request that it refused; said: what the agent's process gave as its reason; both may be empty
 */

const FINAL = ["cancelled", "lost", "ended"];
/** Reasons of an attempt's end that are about this page's connection, not about the call: one may be joined to it again. */
const OUR_OWN = ["connection", "microphone", "asked", "redis_away", "no_answer", "failed", "asked_by_other", "not_reporting", "broken", "not_recorded"];
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 2_000;
const GIVE_UP_AFTER_MS = 120_000;
/** Reasons for which an attempt that came about has been let go of: its claim may have the call, for its page to be joined to. */
const HAD = ["connection", "microphone", "asked", "not_reporting"];
/** Answers to a request after which asking again is of no use to who had the call, as the endings that are told. */
const SHUT_OUT = { unauthenticated: "session_ended", forbidden: "forbidden", other_workspace: "session_ended" };
/** Answers that say that there is no such call: also those of a server that starts, and has not heard of it yet. */
const NO_SUCH_CALL = ["already_ended", "not_found"];
/** Once nothing else was answered for this long, the call is over. */
const OVER_AFTER_MS = 10_000;
/** As many as the server takes. */
const MOST_CLAIMS = 64;
/** How long the server has to tell what became of an attempt that was given up. */
const OUTCOME_WITHIN_MS = 15_000;

export class CallTalk {
  #onchange;
  #context;
  #clock = new ServerClock();
  /** @type {TalkConnection | null} */ #connection = null;
  /** @type {LiveSocket | null} */ #socket = null;
  #resume = false;
  /** @type {string[]} */ #claims = [];
  #kept = false;
  /** Whether it is not known what became of a claim of ours. */ #asking = false;
  #why = "";
  #lostAt = 0;
  /** Since when every answer has been that there is no such call; 0: the last was another. */
  #deniedAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer = 0;
  #outcomeTimer = 0;
  #online = () => this.#retryNow();

  /** Inside the click that asked for it. @param {string} callId @param {() => void} onchange at each change of what can be read here */
  constructor(callId, onchange) {
    this.callId = callId;
    this.#onchange = onchange;
    /** @type {TalkState} */
    this.state = "idle";
    /** @type {Outcome | null} */
    this.outcome = null;
    /** Since when one has the call, by the server's clock. @type {number | null} */
    this.since = null;
    /** Whether one may not take calls over any more, and has this one still. */
    this.roleLost = false;
    this.#context = new AudioContext({ latencyHint: "interactive" });
    this.#context.onstatechange = onchange;
    this.#context.resume().catch(() => {});
    this.microphone = new Microphone(this.#context, onchange);
    this.voice = new CallerVoice(this.#context, onchange);
    window.addEventListener("online", this.#online);
  }

  get final() {
    return FINAL.includes(this.state);
  }

  /** By which claims this page may have the call, the one that last had it first: it goes on by itself with these alone, not with what one does elsewhere. */
  get claims() {
    return [...this.#claims];
  }

  /** Whether one has had the call, on this page or before it was reloaded: then it is not given up for a fault of the connection. */
  get kept() {
    return this.#kept;
  }

  /** Whether one has thought better of it, and waits for what became of it. */
  get cancelling() {
    return !this.final && this.#why !== "";
  }

  /** The browser plays nothing, or sends no silence, or has taken the microphone away, until it is touched. */
  get wantsTouch() {
    if (!this.#kept || this.final) return false;
    const silenced = this.microphone.state === "muted" && this.#context.state !== "running"; // then the server hears nothing, and waits
    return this.voice.blocked || silenced || this.microphone.state === "interrupted";
  }

  /** How long one has had the call, ms; 0 before. */
  heldFor() {
    return this.since === null ? 0 : Math.max(0, this.#clock.now() - this.since);
  }

  /**
   * What happens is told by `state`; it never throws.
   * @param {{resume?: boolean, kept?: boolean, muted?: boolean, claims?: string[]}} [how] resume: only if one has the call already; kept:
   *   one had it on this page before it was reloaded, by one of `claims`, so whatever fails is tried again, and without a microphone
   *   that starts one is joined all the same; muted: without the microphone
   */
  async start({ resume = false, kept = false, muted = false, claims = [] } = {}) {
    this.#resume = resume;
    this.#claims = claims;
    this.#kept = kept;
    this.#setState(kept ? "reconnecting" : "microphone");
    try {
      if (muted) await this.microphone.mute();
      else await this.microphone.open(); // or whoever asks for it after us, or mutes it: silence goes out until then
    } catch (error) {
      if (!kept) return this.#microphoneFailed(error); // else it is interrupted, and a touch tries again
    }
    if (this.final) return;
    if (!kept) this.#setState("connecting");
    await this.#connect();
  }

  /** Before one has the call: think better of it. What became of it is the server's to say once it was asked. @param {string} [why] */
  cancel(why = "asked") {
    if (this.final || this.cancelling || this.#kept) return;
    this.#giveUp(why);
  }

  /** The call is over, as somebody else has heard. */
  over() {
    this.#finish(this.state === "talking" || this.#kept ? "ended" : "cancelled", "ended");
  }

  /** One lets go of a call that one has, though nobody knows that it is over. */
  leave() {
    this.#finish("lost", "left");
  }

  /** Inside a touch, after an interruption. @throws {import("./microphone.js").MicrophoneFailed} */
  async touch() {
    this.#context.resume().catch(() => {});
    try {
      await Promise.all([this.voice.touch(), this.microphone.retry(true)]);
    } finally {
      this.#onchange();
    }
  }

  /** The page goes away: an attempt is taken back; a call that one has is kept, for whatever comes next. */
  abandon() {
    if (this.state === "talking" || this.#kept) return;
    this.#connection?.cancel();
  }

  // --- the connection -----------------------------------------------------------------------------------------------

  async #connect() {
    /** @type {TalkConnection} */
    const connection = new TalkConnection({
      voice: (stream) => this.#connection === connection && this.voice.play(stream),
      lost: () => this.#connection === connection && this.#onConnectionLost(),
    });
    this.#connection = connection;
    try {
      await connection.open(this.callId, this.microphone, { resume: this.#resume, mine: this.#resume ? this.#claims : [] });
    } catch (error) {
      connection.cancel();
      if (this.#connection === connection) this.#onRefused(error);
      return;
    }
    if (this.#connection === connection && connection.takeOverId) {
      this.#deniedAt = 0;
      this.#remember(connection.claimId);
      this.#follow(connection.takeOverId);
    }
  }

  /** The oldest go, but never the first, by which one had the call. @param {string} claimId */
  #remember(claimId) {
    const [first, ...others] = [...this.#claims, claimId];
    this.#claims = [first, ...others.slice(1 - MOST_CLAIMS)];
    this.#onchange();
  }

  /** @param {string} takeOverId */
  #follow(takeOverId) {
    const socket = new LiveSocket(`/take-overs/${encodeURIComponent(takeOverId)}`, {
      message: (message) => this.#socket === socket && this.#onMessage(message),
      state: (state, _since, code) => this.#socket === socket && this.#onSocket(state, code),
    });
    this.#socket = socket;
    socket.open();
  }

  /** @param {unknown} error */
  #onRefused(error) {
    const failed = error instanceof RequestFailed ? error : new RequestFailed(false, "failed", "");
    if (this.#kept || this.#asking) this.#onRefusedAgain(failed);
    else this.#finish("cancelled", failed.answered ? failed.code : "connection", { message: failed.message });
  }

  /** One has the call, as far as anyone knows: a server that starts, or is overrun, is no reason to leave the caller. @param {RequestFailed} failed */
  #onRefusedAgain({ answered, code }) {
    if (answered && code in SHUT_OUT) return this.#asking ? this.#finish("cancelled", "unknown") : this.#finish("lost", SHUT_OUT[code]);
    const now = performance.now();
    if (!answered || !NO_SUCH_CALL.includes(code)) this.#deniedAt = 0;
    else if (this.#deniedAt && now - this.#deniedAt >= OVER_AFTER_MS) return this.over();
    else this.#deniedAt ||= now;
    this.#again();
  }

  #onConnectionLost() {
    if (this.#kept) this.#again();
    else if (!this.cancelling && (this.state === "claiming" || this.state === "checking")) this.#askWhatBecameOfIt();
    else this.#giveUp("connection");
  }

  /**
   * The audio is gone while the call is asked for. The server, too, cuts it off when an attempt is over, and why may come after: so it
   * is asked anew, by a socket that the network, if it has changed, does not hold back.
   */
  #askWhatBecameOfIt() {
    const asked = this.#connection?.takeOverId;
    if (!asked) return this.#askWhoHasIt();
    this.#connection?.cancel();
    this.#setState("checking");
    this.#waitForOutcome(GIVE_UP_AFTER_MS);
    this.#socket?.close();
    this.#follow(asked);
  }

  // --- what the server says -----------------------------------------------------------------------------------------

  #onMessage(message) {
    if (message.now !== undefined) this.#clock.sync(message.now);
    if (message.t !== "take_over") return;
    if (message.state === "talking") this.#setRoleLost(!!message.role_lost_since);
    if (message.state === "talking") this.cancelling || this.#onTalking(message.since); // what is cancelled is told its end next
    else if (FINAL.includes(message.state)) this.#onFinal(message);
    else if (!this.#kept && !this.#asking && !this.#connection?.closed) this.#setState(message.state);
  }

  #setRoleLost(lost) {
    if (lost === this.roleLost) return;
    this.roleLost = lost;
    this.#onchange();
  }

  #onTalking(since) {
    if (this.#connection?.closed) return this.#askWhoHasIt(); // with which audio?
    this.since = since;
    this.#kept = this.#resume = true;
    this.#asking = false;
    this.#lostAt = 0;
    this.#retryMs = FIRST_RETRY_MS;
    const claim = this.#connection?.claimId;
    if (claim) this.#claims = [claim, ...this.#claims.filter((other) => other !== claim)];
    this.voice.setHeard(true);
    this.#setState("talking");
  }

  #onFinal({ state, reason, message, holder }) {
    const undecided = this.#kept || (this.#asking && !this.cancelling);
    if (undecided && state !== "ended" && OUR_OWN.includes(reason)) return this.#again();
    const cut = this.#connection?.closed && !this.cancelling;
    if (cut && state === "lost" && HAD.includes(reason)) return this.#askWhoHasIt();
    const ours = this.#why || (cut && "connection");
    const why = ours && (reason === "asked" || reason === "connection" || reason === "microphone") ? ours : reason;
    const own = this.#kept && { ended: "ended", session_ended: "lost" }[reason];
    this.#finish(own || state, why ?? "failed", { said: message ?? "", holder });
  }

  #onSocket(state, code) {
    const away = state === "reconnecting" || state === "offline";
    if (away && this.state === "claiming") this.#setState("checking");
    if (state === "refused") this.#onSocketRefused(code);
  }

  /** @param {number | null} code as in socket.js */
  #onSocketRefused(code) {
    if (code === 4404 && this.cancelling) this.#finish("cancelled", "unknown");
    else if (code === 4404 && (this.#kept || this.state === "claiming" || this.state === "checking")) this.#askWhoHasIt();
    else if (!this.#kept) this.#finish("cancelled", code === 4404 ? "connection" : "session_ended");
    else if (code === 4401 || code === 4409) this.#finish("lost", "session_ended");
    // else the role is gone: the server cuts nobody off for that, and says by the audio's end when it is over
  }

  /**
   * The call was asked for, and nobody is there to tell what became of it: if it has been given to us, one is joined to it, whatever it
   * takes; if not, the server says so.
   */
  #askWhoHasIt() {
    this.#resume = true;
    this.#asking = !this.#kept;
    this.#again();
  }

  // --- trying again -------------------------------------------------------------------------------------------------

  #again() {
    this.#hangUp();
    const now = performance.now();
    this.#lostAt ||= now;
    if (now - this.#lostAt > GIVE_UP_AFTER_MS) return this.#asking ? this.#finish("cancelled", "unknown") : this.#finish("lost", "connection");
    this.#setState(this.#kept ? "reconnecting" : "checking");
    clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(() => void this.#connect(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
  }

  #retryNow() {
    if (!(this.state === "reconnecting" || this.#asking) || this.#connection) return;
    clearTimeout(this.#retryTimer);
    void this.#connect();
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** @param {unknown} error */
  #microphoneFailed(error) {
    this.#finish("cancelled", `microphone_${faultOf(error)}`);
  }

  /** @param {string} why */
  #giveUp(why) {
    this.#why = why;
    const asked = this.#connection?.takeOverId;
    if (!asked) return this.#finish("cancelled", this.#asking ? "unknown" : why);
    this.#connection?.cancel();
    this.#connection = null;
    this.microphone.close();
    clearTimeout(this.#retryTimer);
    this.#waitForOutcome(OUTCOME_WITHIN_MS);
    this.#onchange();
  }

  /** Until the server says more, or one is joined anew. @param {number} ms */
  #waitForOutcome(ms) {
    clearTimeout(this.#outcomeTimer);
    this.#outcomeTimer = window.setTimeout(() => this.#finish("cancelled", "unknown"), ms);
  }

  /** @param {"cancelled" | "lost" | "ended"} state @param {string} reason @param {Partial<Outcome>} [about] */
  #finish(state, reason, about = {}) {
    if (this.final) return;
    this.outcome = { reason, message: "", said: "", holder: null, roleLost: this.roleLost, ...about };
    clearTimeout(this.#retryTimer);
    window.removeEventListener("online", this.#online);
    this.#hangUp();
    this.microphone.close();
    this.voice.close();
    this.#context.onstatechange = null;
    this.#context.close().catch(() => {});
    this.#setState(state);
  }

  #hangUp() {
    const [connection, socket] = [this.#connection, this.#socket];
    this.#connection = this.#socket = null;
    clearTimeout(this.#outcomeTimer);
    connection?.cancel();
    socket?.close();
  }

  /** @param {TalkState} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#onchange();
  }
}
