/**
 * The caller as one hears them on the phone: by an <audio> element, since browsers cancel the echo of what elements play, not of
 * WebAudio. Silent until `setHeard(true)`.
 */

import { Loudness } from "./loudness.js";

export class CallerVoice {
  #loudness;
  #onchange;
  #heard = false;

  /** @param {AudioContext} context for the level alone @param {() => void} onchange at each change of `blocked` */
  constructor(context, onchange) {
    this.#loudness = new Loudness(context);
    this.#onchange = onchange;
    /** The browser plays nothing without a touch. */
    this.blocked = false;
    this.element = document.createElement("audio");
    this.element.dataset.testid = "caller-voice";
    this.element.muted = true;
    this.element.onpause = () => void this.touch(); // an interruption; if playing takes a touch, `blocked` says so
    document.body.append(this.element);
  }

  /** @param {MediaStream} stream */
  play(stream) {
    this.element.srcObject = stream;
    this.#loudness.hear(stream);
    void this.touch();
  }

  /** @param {boolean} heard */
  setHeard(heard) {
    this.#heard = heard;
    this.element.muted = !heard;
    if (heard) void this.touch();
  }

  /** Play, inside a touch where the browser wants one. */
  async touch() {
    if (!this.element.srcObject) return;
    try {
      await this.element.play();
      this.#setBlocked(false);
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError" && this.#heard) this.#setBlocked(true);
    }
  }

  /** Where the browser has it. @param {string} deviceId empty: the default */
  async choose(deviceId) {
    await this.element.setSinkId(deviceId);
  }

  /** How loud the caller is, 0 to 1. */
  level() {
    return this.element.srcObject ? this.#loudness.level() : 0;
  }

  close() {
    this.element.onpause = null;
    this.element.pause();
    this.element.srcObject = null;
    this.element.remove();
    this.#loudness.close();
  }

  /** @param {boolean} blocked */
  #setBlocked(blocked) {
    if (blocked === this.blocked) return;
    this.blocked = blocked;
    this.#onchange();
  }
}
