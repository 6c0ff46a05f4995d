/**
 * One connection that carries the supervisor's voice up and the caller's down. It is made once, by one request to take over;
 * whoever wants to go on after `lost` makes another.
 */

import { ConnectionWatch } from "./connection_watch.js";
import { post, tell } from "./request.js";

export class TalkConnection {
  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers: [] });
  #watch;
  #on;
  #closed = false;

  /** @param {{voice: (stream: MediaStream) => void, lost: () => void}} on */
  constructor(on) {
    this.#on = on;
    this.#watch = new ConnectionWatch(this.#peer, { connected: () => {}, lost: () => this.#lose() });
    /** @type {string | null} */
    this.takeOverId = null;
    /** The claim that the server makes once it hears the microphone, which is not before it is known here. @type {string} */
    this.claimId = "";
  }

  /** Whether its audio is gone. */
  get closed() {
    return this.#closed;
  }

  /**
   * Asks the server to take the call over, once it hears the microphone.
   * @param {string} callId @param {import("./microphone.js").Microphone} microphone
   * @param {{resume: boolean, mine: string[]}} how resume: only if one has the call already; mine: by one of these claims, unless there is none
   * @throws {import("./request.js").RequestFailed}
   */
  async open(callId, microphone, { resume, mine }) {
    const { sender, receiver } = this.#peer.addTransceiver("audio", { direction: "sendrecv" });
    await microphone.feed(sender);
    await this.#peer.setLocalDescription();
    const sdp = this.#peer.localDescription?.sdp;
    const answer = await post(`/calls/${encodeURIComponent(callId)}/take-over`, { sdp, resume, mine });
    if (this.#closed) return cancelTakeOver(answer.take_over_id);
    this.takeOverId = answer.take_over_id;
    this.claimId = answer.claim_id;
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.#on.voice(new MediaStream([receiver.track]));
    this.#watch.start();
  }

  /** Lets go of the audio here; the server notices, and does what follows. */
  hangUp() {
    this.#closed = true;
    this.#watch.stop();
    this.#peer.close();
  }

  /** The same, and tells the server at once. */
  cancel() {
    this.hangUp();
    if (this.takeOverId) cancelTakeOver(this.takeOverId);
  }

  #lose() {
    this.hangUp();
    this.#on.lost();
  }
}

/** It may fail: the server notices by itself within seconds that nobody is there. @param {string} takeOverId */
function cancelTakeOver(takeOverId) {
  tell(`/take-overs/${encodeURIComponent(takeOverId)}/cancel`);
}
