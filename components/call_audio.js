/**
 * Live Listen in the browser: a call's voices, heard on their own tracks, and nothing sent. It never asks for a microphone.
 *
 * `start` belongs inside the click that asked for it: browsers play sound only then. A lost connection is made again by
 * itself; an interruption that needs a touch (a phone call, a locked screen) says so by its state, and `resume` is for the touch.
 */

import { ListenConnection } from "./listen_connection.js";
import { RequestFailed } from "./request.js";
import { VoiceOutput } from "./voice_output.js";
import { WakeLock } from "./wake_lock.js";

/** @typedef {"caller" | "agent" | "supervisor"} Voice  the supervisor who has taken the call over, whoever it is */
/**
 * @typedef {"idle" | "connecting" | "listening" | "interrupted" | "reconnecting" | "failed"} AudioState
 * idle: not started, or stopped; interrupted: the browser has stopped the sound and wants a touch; reconnecting: the connection
 * is lost and being made again; failed: it was refused, or could not be made; `error` says why, and everything is let go.
 */
/** @typedef {{code: string, message: string}} AudioError  `message` is empty where the server gave none */

/** @type {readonly Voice[]} */
const VOICES = ["caller", "agent", "supervisor"];
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 2_000;
const GIVE_UP_AFTER_MS = 60_000;
/** How long a browser may take to start or stop its sound before we believe that it will not. */
const SETTLE_MS = 400;

export class CallAudio {
  /** @type {AudioContext | null} */ #context = null;
  /** @type {Record<Voice, VoiceOutput> | null} */ #outputs = null;
  /** @type {ListenConnection | null} */ #connection = null;
  #wakeLock = new WakeLock();
  #callId = "";
  #lostAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer = 0;
  #settleTimer = 0;
  #connected = false;
  #release = new AbortController();

  constructor() {
    /** @type {AudioState} */
    this.state = "idle";
    /** @type {AudioError | null} */
    this.error = null;
    /** Called at each change of `state`. @type {((state: AudioState) => void) | null} */
    this.onstate = null;
    this.volumes = eachVoice(() => 1);
    this.mutes = eachVoice(() => false);
  }

  /**
   * Begins to listen. What happens is told by `state`; it never throws. Starting again stops the last call first.
   * @param {string} callId
   */
  async start(callId) {
    this.stop();
    this.#callId = callId;
    this.#retryMs = FIRST_RETRY_MS;
    this.#lostAt = 0;
    this.error = null;
    this.#openOutput();
    this.#setState("connecting");
    await this.#connect();
  }

  /** Ends it here and on the server; harmless if nothing was started. */
  stop() {
    this.#letGo();
    this.#setState("idle");
  }

  /** Inside a touch: go on after an interruption. */
  resume() {
    this.#context?.resume().catch(() => {});
    this.#eachOutput((output) => output.resume());
    void this.#wakeLock.hold();
    this.#settle();
  }

  /** @param {Voice} voice @param {number} volume 0 to 1 */
  setVolume(voice, volume) {
    this.volumes[voice] = volume;
    this.#outputs?.[voice].setVolume(volume);
  }

  /** @param {Voice} voice @param {boolean} muted */
  setMuted(voice, muted) {
    this.mutes[voice] = muted;
    this.#outputs?.[voice].setMuted(muted);
  }

  /** How loud each voice is just now, 0 to 1, whatever its volume. @returns {Record<Voice, number>} */
  levels() {
    return eachVoice((voice) => this.#outputs?.[voice].level() ?? 0);
  }

  /** The spectrum of what one voice brings, before volume and mute. @param {Voice} voice @returns {AnalyserNode | null} */
  analyser(voice) {
    return this.#outputs?.[voice].analyser ?? null;
  }

  /** What is really heard of a voice, after volume and mute. @param {Voice} voice @returns {number} 0 to 1 */
  gain(voice) {
    return this.#outputs?.[voice].gain.gain.value ?? 0;
  }

  /** @param {Voice} voice @returns {MediaStream | null} */
  stream(voice) {
    return this.#outputs?.[voice].stream ?? null;
  }

  // --- the sound ----------------------------------------------------------------------------------------------------

  #openOutput() {
    const context = (this.#context = new AudioContext({ latencyHint: "interactive" }));
    context.resume().catch(() => {}); // where no touch allows it, the state becomes `interrupted`
    this.#outputs = eachVoice(() => new VoiceOutput(context));
    for (const voice of VOICES) {
      this.setVolume(voice, this.volumes[voice]);
      this.setMuted(voice, this.mutes[voice]);
    }
    const { signal } = (this.#release = new AbortController());
    context.addEventListener("statechange", () => this.#settle(), { signal });
    window.addEventListener("pagehide", () => this.#abandon(), { signal });
    window.addEventListener("online", () => this.#retryNow(), { signal });
    document.addEventListener("visibilitychange", () => this.#onVisible(), { signal });
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#nudge(), { signal });
    void this.#wakeLock.hold();
  }

  /** A headset was unplugged, or the page is seen again: the browser may have stopped the sound. */
  #nudge() {
    if (this.#context?.state !== "running") this.#context?.resume().catch(() => {});
    this.#eachOutput((output) => output.resume());
    this.#settle();
  }

  #onVisible() {
    if (document.visibilityState !== "visible") return;
    this.#nudge();
    this.#retryNow();
  }

  /** Once connected, whether one hears depends on the browser; it gets a moment before we ask for a touch. */
  #settle() {
    clearTimeout(this.#settleTimer);
    if (!this.#connected) return;
    if (this.#context?.state === "running") this.#setState("listening");
    else this.#settleTimer = window.setTimeout(() => this.#connected && this.#setState(this.#heard()), SETTLE_MS);
  }

  /** @returns {AudioState} */
  #heard() {
    return this.#context?.state === "running" ? "listening" : "interrupted";
  }

  /** @param {(output: VoiceOutput) => void} act */
  #eachOutput(act) {
    if (this.#outputs) for (const voice of VOICES) act(this.#outputs[voice]);
  }

  // --- the connection -----------------------------------------------------------------------------------------------

  async #connect() {
    /** @type {ListenConnection} */
    const connection = new ListenConnection({
      voice: (name, stream) => this.#outputs?.[/** @type {Voice} */ (name)]?.play(stream),
      connected: () => this.#connection === connection && this.#onConnected(),
      lost: () => this.#connection === connection && this.#onLost(),
    });
    this.#connection = connection;
    try {
      await connection.open(this.#callId);
    } catch (error) {
      connection.close();
      if (this.#connection === connection) this.#onRefused(error);
    }
  }

  #onConnected() {
    this.#connected = true;
    this.#lostAt = 0;
    this.#retryMs = FIRST_RETRY_MS;
    this.#settle();
  }

  /** @param {unknown} error */
  #onRefused(error) {
    const failed = error instanceof RequestFailed ? error : new RequestFailed(false, "failed", String(error));
    const mayChange = ["redis_away", "not_recorded", "failed"].includes(failed.code) || !failed.answered;
    const everHeard = this.state !== "connecting";
    if (mayChange && everHeard) this.#onLost(failed);
    else this.#fail({ code: failed.code, message: failed.answered ? failed.message : "" });
  }

  /** @param {RequestFailed} [cause] */
  #onLost(cause) {
    this.#connected = false;
    this.#connection = null;
    if (this.state === "connecting") return this.#fail({ code: "lost", message: "" });
    const now = performance.now();
    this.#lostAt ||= now;
    if (now - this.#lostAt > GIVE_UP_AFTER_MS) return this.#fail({ code: cause?.code ?? "lost", message: cause?.message ?? "" });
    this.#setState("reconnecting");
    clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(() => void this.#connect(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
  }

  #retryNow() {
    if (this.state !== "reconnecting" || this.#connection) return;
    clearTimeout(this.#retryTimer);
    void this.#connect();
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** @param {AudioError} error */
  #fail(error) {
    this.error = error;
    this.#letGo();
    this.#setState("failed");
  }

  /** The page goes away, perhaps into the browser's cache, from where it comes back silent. */
  #abandon() {
    this.#connection?.abandon();
    this.stop();
  }

  #letGo() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settleTimer);
    this.#release.abort();
    this.#connected = false;
    const connection = this.#connection;
    this.#connection = null;
    connection?.close();
    this.#eachOutput((output) => output.close());
    this.#outputs = null;
    this.#context?.close().catch(() => {});
    this.#context = null;
    this.#wakeLock.release();
  }

  /** @param {AudioState} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.onstate?.(state);
  }
}

/** @template T @param {(voice: Voice) => T} make @returns {Record<Voice, T>} */
function eachVoice(make) {
  return { caller: make("caller"), agent: make("agent"), supervisor: make("supervisor") };
}
