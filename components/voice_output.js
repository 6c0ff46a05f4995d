/**
 * One voice's way from the network to the ear: how loud it is, its volume, its mute. It knows nothing of calls.
 * The level is taken before volume and mute: it shows who speaks, also when one has silenced them.
 */

import { Loudness } from "./loudness.js";

/** Volume and mute glide for this long (s), so that they don't click. */
const GLIDE_S = 0.02;

export class VoiceOutput {
  #loudness;

  /** @param {AudioContext} context */
  constructor(context) {
    this.context = context;
    this.#loudness = new Loudness(context);
    this.analyser = this.#loudness.analyser;
    this.gain = new GainNode(context);
    this.analyser.connect(this.gain).connect(context.destination);
    /** @type {MediaStream | null} */
    this.stream = null;
    this.volume = 1;
    this.muted = false;
    // Chromium gives WebAudio a remote stream's sound only while an element plays it too; muted, it is heard once.
    this.element = new Audio();
    this.element.muted = true;
  }

  /** Plays this stream in place of the last one. @param {MediaStream} stream */
  play(stream) {
    this.detach();
    this.stream = stream;
    this.element.srcObject = stream;
    this.element.play().catch(() => {}); // a muted element may play; where not, `resume` tries again inside a touch
    this.#loudness.hear(stream);
  }

  /** Inside a touch, after an interruption. */
  resume() {
    if (this.stream) this.element.play().catch(() => {});
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.volume = Math.min(1, Math.max(0, volume));
    this.#apply();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    this.#apply();
  }

  /** How loud the voice is just now, 0 (-60 dBFS or less) to 1 (full scale). */
  level() {
    return this.stream ? this.#loudness.level() : 0;
  }

  detach() {
    this.#loudness.hear(null);
    this.stream = null;
    this.element.pause();
    this.element.srcObject = null;
  }

  close() {
    this.detach();
    this.#loudness.close();
    this.gain.disconnect();
  }

  #apply() {
    this.gain.gain.setTargetAtTime(this.muted ? 0 : this.volume, this.context.currentTime, GLIDE_S);
  }
}
