"""Render the hold tone as Opus: `.venv/bin/python scripts/hold_tone.py` writes the SDK's `hold_tone.opus` anew.

The second period of several is taken, so that the loop's end and its beginning fit.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from livemon_runtime import hold_tone

RATE = 48_000
SAMPLES = RATE // 50
PACKETS = hold_tone.EVERY_MS // 20
TARGET = Path(hold_tone.__file__).with_name("hold_tone.opus")


def rendered() -> bytes:
    """One period, each packet of 20 ms behind a byte that says its length."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.bit_rate, encoder.time_base = 24_000, Fraction(1, RATE)
    encoder.options = {"application": "audio", "vbr": "on"}
    pcm = np.array([hold_tone.sample(n % (PACKETS * SAMPLES), RATE) for n in range(3 * PACKETS * SAMPLES)], dtype="<i2")
    packets: list[bytes] = []
    for n in range(3 * PACKETS):
        frame = av.AudioFrame.from_ndarray(pcm[n * SAMPLES : (n + 1) * SAMPLES].reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, n * SAMPLES, Fraction(1, RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    period = packets[PACKETS : 2 * PACKETS]
    return b"".join(bytes([len(packet)]) + packet for packet in period)


if __name__ == "__main__":
    TARGET.write_bytes(rendered())
