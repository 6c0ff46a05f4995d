/** How loud a voice is just now. It hears a node of WebAudio, or a stream that something else plays, and plays nothing itself. */

const QUIETEST_DB = -60;

export class Loudness {
  #samples;
  /** @type {MediaStreamAudioSourceNode | null} */ #source = null;

  /** @param {AudioContext} context */
  constructor(context) {
    this.analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.3 });
    this.#samples = new Float32Array(this.analyser.fftSize);
  }

  /** Hears this stream from now on, in place of the last one. @param {MediaStream | null} stream */
  hear(stream) {
    this.#source?.disconnect();
    const context = /** @type {AudioContext} */ (this.analyser.context);
    this.#source = stream && new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    this.#source?.connect(this.analyser);
  }

  /** 0 (-60 dBFS or less) to 1 (full scale). */
  level() {
    this.analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-12);
    return Math.min(1, Math.max(0, 1 - decibels / QUIETEST_DB));
  }

  close() {
    this.hear(null);
    this.analyser.disconnect();
  }
}
