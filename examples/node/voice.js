// RTP packets with PCMU (docs/protocol.md, «Audio»), 20 ms each; and tones, which stand in for a phone line here.
import { randomBytes } from "node:crypto";

const SAMPLES = 160;

/** One voice: RTP time runs with the clock, whether or not anything is sent. */
export class Voice {
  #ssrc = randomBytes(4).readUInt32BE();
  #sequence = randomBytes(2).readUInt16BE();
  #timestamp = randomBytes(4).readUInt32BE();
  #silent = true;

  /** The packet for these 20 ms; null: nothing is sent, and the next one sets the marker bit. */
  packet(payload) {
    const timestamp = this.#timestamp;
    this.#timestamp = (timestamp + SAMPLES) >>> 0;
    const marker = this.#silent ? 0x80 : 0;
    this.#silent = payload === null;
    if (payload === null) return null;
    const header = Buffer.alloc(12);
    header.writeUInt8(0x80, 0);
    header.writeUInt8(marker | 0, 1); // payload type 0: PCMU
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(this.#ssrc, 8);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return Buffer.concat([header, payload]);
  }
}

/** The payload of one packet of a supervisor's, null if it is no PCMU packet of RTP version 2. */
export function payloadOf(packet) {
  if (packet.length <= 12 || packet[0] >> 6 !== 2 || (packet[1] & 0x7f) !== 0) return null;
  let start = 12 + 4 * (packet[0] & 0x0f);
  if (packet[0] & 0x10) start += packet.length < start + 4 ? packet.length : 4 + 4 * packet.readUInt16BE(start + 2);
  const end = packet.length - (packet[0] & 0x20 ? packet[packet.length - 1] : 0);
  return start < end ? packet.subarray(start, end) : null;
}

/** A tone in packets of 20 ms, over and over; it has a whole number of waves in each. */
export const tone = (hz) =>
  Buffer.from(Array.from({ length: SAMPLES }, (_, n) => mulaw(8_000 * Math.sin((2 * Math.PI * hz * n) / 8_000))));

/** One sample in G.711 µ-law. */
function mulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(Math.abs(Math.trunc(sample)), 32_635) + 132;
  const exponent = 24 - Math.clz32(biased);
  return ~(sign | (exponent << 4) | ((biased >> (exponent + 3)) & 0x0f)) & 0xff;
}
