/**
 * One connection that receives a call's voices and sends nothing: the offer has no microphone, and none is ever asked for.
 * It is made once; whoever wants to go on after `lost` makes another.
 */

import { ConnectionWatch } from "./connection_watch.js";
import { post, tell } from "./request.js";
import { inWorkspace } from "./shown_workspace.js";

/** The caller, the agent, and the supervisor who may take over: the server says which section is whose. */
const SECTIONS = 3;

export class ListenConnection {
  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers: [] });
  #watch;
  #on;
  #closed = false;

  /** @param {{voice: (name: string, stream: MediaStream) => void, connected: () => void, lost: () => void}} on */
  constructor(on) {
    this.#on = on;
    this.#watch = new ConnectionWatch(this.#peer, { connected: on.connected, lost: () => this.#lose() });
    /** @type {string | null} */
    this.listenerId = null;
  }

  /** Asks the server for the call's voices. @param {string} callId @throws {import("./request.js").RequestFailed} */
  async open(callId) {
    const transceivers = Array.from({ length: SECTIONS }, () => this.#peer.addTransceiver("audio", { direction: "recvonly" }));
    await this.#peer.setLocalDescription();
    const sdp = this.#peer.localDescription?.sdp;
    const answer = await post(`/calls/${encodeURIComponent(callId)}/listen`, { sdp });
    if (this.#closed) return stopListener(answer.listener_id);
    this.listenerId = answer.listener_id;
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    transceivers.forEach(({ receiver }, n) => this.#on.voice(answer.voices[n], new MediaStream([receiver.track])));
    this.#watch.start();
  }

  /** Lets go of everything here, and tells the server. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    this.#peer.close();
    if (this.listenerId) stopListener(this.listenerId);
  }

  /** The same as the page goes away, when only a beacon still gets out. */
  abandon() {
    if (this.listenerId) navigator.sendBeacon((window.path_prefix ?? "") + inWorkspace(stopPath(this.listenerId)));
    this.listenerId = null;
    this.close();
  }

  #lose() {
    this.close();
    this.#on.lost();
  }
}

/** @param {string} listenerId */
function stopPath(listenerId) {
  return `/listeners/${encodeURIComponent(listenerId)}/stop`;
}

/** It may fail: the server notices by itself within seconds that nobody is there. @param {string} listenerId */
function stopListener(listenerId) {
  tell(stopPath(listenerId));
}
