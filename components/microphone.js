/**
 * The microphone of one take-over. Muted means that it is let go, so that the browser's own indicator tells the truth; silence is
 * sent in its place, not nothing, since whoever sends nothing counts as lost. It knows nothing of calls.
 */

import { Loudness } from "./loudness.js";

const WANTED = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** @typedef {"closed" | "open" | "muted" | "interrupted"} MicrophoneState  interrupted: wanted, but the device or the system does not give it */
/** @typedef {"refused" | "missing" | "busy" | "failed"} MicrophoneFault */

/** @type {Record<string, MicrophoneFault>} by the names of https://w3c.github.io/mediacapture-main/#dom-mediadevices-getusermedia */
const FAULTS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** The browser gives no microphone; `code` says why. */
export class MicrophoneFailed extends Error {
  /** @param {unknown} error */
  constructor(error) {
    super(String(error));
    /** @type {MicrophoneFault} */
    this.code = FAULTS[error instanceof DOMException ? error.name : ""] ?? "failed";
  }
}

/** Why it failed, to be told. @param {unknown} error @returns {MicrophoneFault} */
export const faultOf = (error) => (error instanceof MicrophoneFailed ? error.code : "failed");

export class Microphone {
  /** @type {MediaStream | null} */ #stream = null;
  /** @type {RTCRtpSender | null} */ #sender = null;
  #silence;
  #loudness;
  #asked = 0;
  #onchange;
  #devicechange = () => void this.retry();

  /** @param {AudioContext} context has to run while muted @param {() => void} onchange at each change of `state` */
  constructor(context, onchange) {
    const silence = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const nothing = new ConstantSourceNode(context, { offset: 0 }); // without a source Chromium sends no packets at all
    nothing.connect(silence);
    nothing.start();
    this.#silence = silence.stream.getAudioTracks()[0];
    this.#loudness = new Loudness(context);
    this.#onchange = onchange;
    /** @type {MicrophoneState} */
    this.state = "closed";
    /** The device to use; empty: the browser's default. */
    this.deviceId = "";
    navigator.mediaDevices?.addEventListener("devicechange", this.#devicechange);
  }

  /** What is sent: the microphone, or silence. */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? this.#silence;
  }

  /** Asks for it, and sends it from now on. @returns {Promise<boolean>} false: muted, closed or asked for anew in the meantime @throws {MicrophoneFailed} */
  async open() {
    const asked = ++this.#asked;
    let stream;
    try {
      const device = this.deviceId ? { deviceId: { exact: this.deviceId } } : {};
      stream = await navigator.mediaDevices.getUserMedia({ audio: { ...WANTED, ...device } });
    } catch (error) {
      if (asked !== this.#asked) return false;
      if (this.state === "closed") this.#setState("interrupted");
      throw new MicrophoneFailed(error);
    }
    if (asked !== this.#asked) {
      stop(stream);
      return false;
    }
    this.#use(stream);
    await this.#send();
    return true;
  }

  /** Lets the microphone go; silence goes out. */
  async mute() {
    this.#asked += 1;
    this.#drop();
    this.#setState("muted");
    await this.#send();
  }

  /** Another device; empty: the browser's default. @param {string} deviceId @throws {MicrophoneFailed} */
  async choose(deviceId) {
    const before = this.deviceId;
    this.deviceId = deviceId;
    if (this.state === "muted") return;
    try {
      await this.open();
    } catch (error) {
      this.deviceId = before;
      throw error;
    }
  }

  /**
   * After an interruption: whatever microphone there is now. If there is none it stays interrupted; the next device, or a touch,
   * tries again.
   * @param {boolean} [touched] also if the system may yet give it back; and whoever touches is told @throws {MicrophoneFailed} if touched
   */
  async retry(touched = false) {
    if (this.state !== "interrupted" || (this.track.muted && !touched)) return;
    this.deviceId = "";
    try {
      await this.open();
    } catch (error) {
      if (touched) throw error;
    }
  }

  /** The connection that carries it from now on. @param {RTCRtpSender} sender */
  async feed(sender) {
    this.#sender = sender;
    await this.#send();
  }

  /** How loud it is, 0 to 1. */
  level() {
    return this.state === "open" ? this.#loudness.level() : 0;
  }

  /** Lets it go for good. */
  close() {
    this.#asked += 1;
    navigator.mediaDevices?.removeEventListener("devicechange", this.#devicechange);
    this.#sender = null;
    this.#drop();
    this.#loudness.close();
    this.#silence.stop();
    this.state = "closed";
  }

  /** @param {MediaStream} stream */
  #use(stream) {
    this.#drop();
    this.#stream = stream;
    this.#loudness.hear(stream);
    const [track] = stream.getAudioTracks();
    track.onended = () => void this.#onGone();
    track.onmute = () => this.#setState("interrupted");
    track.onunmute = () => this.#setState("open");
    this.#setState("open");
  }

  /** The device was unplugged, or its permission taken back. */
  async #onGone() {
    this.#drop();
    this.#setState("interrupted");
    await this.#send();
    await this.retry();
  }

  /** A connection that is closed meanwhile carries nothing any more. */
  async #send() {
    await this.#sender?.replaceTrack(this.track).catch(() => {});
  }

  #drop() {
    if (this.#stream) stop(this.#stream);
    this.#stream = null;
    this.#loudness.hear(null);
  }

  /** @param {MicrophoneState} state */
  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#onchange();
  }
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) {
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
  }
}
