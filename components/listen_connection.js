/**
 * One connection that receives a call's voices and sends nothing: the offer has no microphone, and none is ever asked for.
 * It is made once; whoever wants to go on after `lost` makes another.
 */

import { post } from "./request.js";

/** The server checks every second that we are there; when nothing at all has come for this long, it is gone. */
const SILENCE_MS = 3_500;
const WATCH_EVERY_MS = 500;
const CONNECT_WITHIN_MS = 8_000;

export class ListenConnection {
  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers: [] });
  #on;
  #watch = 0;
  #closed = false;
  #connected = false;
  #received = -1;
  #heardAt = performance.now();

  /** @param {{voice: (name: string, stream: MediaStream) => void, connected: () => void, lost: () => void}} on */
  constructor(on) {
    this.#on = on;
    /** @type {string | null} */
    this.listenerId = null;
  }

  /** Asks the server for the call's voices. @param {string} callId @throws {import("./request.js").RequestFailed} */
  async open(callId) {
    const transceivers = ["caller", "agent"].map(() => this.#peer.addTransceiver("audio", { direction: "recvonly" }));
    this.#peer.addEventListener("connectionstatechange", () => this.#onState());
    await this.#peer.setLocalDescription();
    const sdp = this.#peer.localDescription?.sdp;
    const answer = await post(`/calls/${encodeURIComponent(callId)}/listen`, { sdp });
    if (this.#closed) return stopListener(answer.listener_id);
    this.listenerId = answer.listener_id;
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    transceivers.forEach(({ receiver }, n) => this.#on.voice(answer.voices[n], new MediaStream([receiver.track])));
    transceivers[0].receiver.transport?.addEventListener("statechange", () => this.#onState());
    this.#heardAt = performance.now();
    this.#watch = window.setInterval(() => void this.#look(), WATCH_EVERY_MS);
  }

  /** Lets go of everything here, and tells the server. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    this.#peer.close();
    if (this.listenerId) stopListener(this.listenerId);
  }

  /** The same as the page goes away, when only a beacon still gets out. */
  abandon() {
    if (this.listenerId) navigator.sendBeacon(stopPath(this.listenerId));
    this.listenerId = null;
    this.close();
  }

  #onState() {
    if (this.#closed) return;
    const dtls = this.#peer.getReceivers()[0]?.transport?.state;
    if (this.#peer.connectionState === "failed" || dtls === "closed" || dtls === "failed") this.#lose();
    else if (this.#peer.connectionState === "connected") {
      this.#connected = true;
      this.#on.connected();
    }
  }

  /** Voices may be silent for long, but the server's checks and reports come every second. */
  async #look() {
    const stats = await this.#peer.getStats();
    if (this.#closed) return;
    let received = 0;
    for (const entry of stats.values()) {
      if (entry.type === "candidate-pair") received += (entry.packetsReceived ?? 0) + (entry.requestsReceived ?? 0);
      if (entry.type === "remote-outbound-rtp") received += entry.timestamp; // when the last report came
    }
    const now = performance.now();
    if (received !== this.#received) {
      this.#received = received;
      this.#heardAt = now;
    } else if (now - this.#heardAt > (this.#connected ? SILENCE_MS : CONNECT_WITHIN_MS)) {
      this.#lose();
    }
  }

  #lose() {
    this.close();
    this.#on.lost();
  }
}

/** @param {string} listenerId */
function stopPath(listenerId) {
  return `${window.path_prefix ?? ""}/listeners/${encodeURIComponent(listenerId)}/stop`;
}

/** It may fail: the server notices by itself within seconds that nobody is there. @param {string} listenerId */
function stopListener(listenerId) {
  fetch(stopPath(listenerId), { method: "POST", keepalive: true }).catch(() => {});
}
