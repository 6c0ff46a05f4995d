/** Notices when a connection to the server has come about, and when it is dead, whatever the browser says of it. */

/** The server checks every second that we are there; when nothing at all has come for this long, it is gone. */
const SILENCE_MS = 3_500;
const WATCH_EVERY_MS = 500;
const CONNECT_WITHIN_MS = 8_000;

export class ConnectionWatch {
  #peer;
  #on;
  #timer = 0;
  #stopped = false;
  #connected = false;
  #received = -1;
  #heardAt = performance.now();

  /** @param {RTCPeerConnection} peer @param {{connected: () => void, lost: () => void}} on `lost` comes once, and last */
  constructor(peer, on) {
    this.#peer = peer;
    this.#on = on;
    peer.addEventListener("connectionstatechange", () => this.#onState());
  }

  /** Once the server's answer is set. */
  start() {
    if (this.#stopped) return;
    this.#transport()?.addEventListener("statechange", () => this.#onState());
    this.#heardAt = performance.now();
    this.#timer = window.setInterval(() => void this.#look(), WATCH_EVERY_MS);
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  #transport() {
    return this.#peer.getReceivers()[0]?.transport;
  }

  #onState() {
    if (this.#stopped) return;
    const dtls = this.#transport()?.state;
    if (this.#peer.connectionState === "failed" || dtls === "closed" || dtls === "failed") this.#lose();
    else if (this.#peer.connectionState === "connected") {
      this.#connected = true;
      this.#on.connected();
    }
  }

  /** Voices may be silent for long, but the server's checks and reports come every second. */
  async #look() {
    const stats = await this.#peer.getStats();
    if (this.#stopped) return;
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
    this.stop();
    this.#on.lost();
  }
}
