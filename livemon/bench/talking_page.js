// Runs in livemon's page before its own scripts, and notes when what happens: window.bench. Times are milliseconds since the
// epoch, of this machine's clock.
(() => {
  const LOUD = 0.05;
  const PAUSE_S = 0.15;
  const moments = {};
  const bench = (window.bench = { moments, mouth: [], ear: [], fault: "" });
  window.benchEnded = () => document.querySelector(`[data-testid="call-ended"]`) !== null;
  const now = () => performance.timeOrigin + performance.now();
  let peer = null;
  const note = (name) => (moments[name] ??= now());

  /** Note when each burst of a tone begins in the track, by the browser's own time of that sound. */
  async function hear(track, onsets, at) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let quiet = 0;
    for (;;) {
      const { value: sound, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(sound.numberOfFrames);
      sound.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      if (Math.abs(sound.timestamp / 1000 - performance.now()) > 5000) bench.fault = "its sound has another clock than the page";
      for (let n = 0; n < samples.length; n++) {
        if (Math.abs(samples[n]) < LOUD) quiet += 1;
        else {
          if (quiet > PAUSE_S * sound.sampleRate) onsets.push(performance.timeOrigin + at(sound, n));
          quiet = 0;
        }
      }
      sound.close();
    }
  }

  /** For how many seconds the jitter buffer has kept how many samples, so far. */
  window.benchBuffered = async () => {
    const stats = [...(await peer.getStats()).values()].find(({ type }) => type === "inbound-rtp");
    return [stats.jitterBufferDelay, stats.jitterBufferEmittedCount];
  };

  const given = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (...wanted) {
    const stream = await given.apply(this, wanted);
    note("granted");
    hear(stream.getAudioTracks()[0], bench.mouth, (sound) => sound.timestamp / 1000);
    lookForMute();
    return stream;
  };

  function lookForMute() {
    if (document.querySelector('[data-testid="mute"]')?.checkVisibility()) note("shown");
    else requestAnimationFrame(lookForMute);
  }

  const ask = window.fetch;
  window.fetch = async function (...request) {
    if (!String(request[0]).endsWith("/take-over")) return ask.apply(this, request);
    note("offered");
    const answer = await ask.apply(this, request);
    note("answered");
    return answer;
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      peer = this;
      this.addEventListener("connectionstatechange", () => this.connectionState === "connected" && note("connected"));
      this.addEventListener("track", ({ track }) => {
        hear(track, bench.ear, (sound, n) => sound.timestamp / 1000 + (n * 1000) / sound.sampleRate);
      });
    }
  };

  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      if (!String(address[0]).includes("/take-overs/")) return;
      this.addEventListener("message", ({ data }) => JSON.parse(data).state === "talking" && note("talking"));
    }
  };
})();
