"""Bursts of a tone: a microphone's and a caller's, and where one begins in what arrives. Knows nothing of browsers."""

import math
import wave
from array import array
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000
TONE_MS, EVERY_MS = 300, 800
FRAMES = EVERY_MS // 20
"""Opus packets of one burst and its pause."""
LOUD = 0.05
"""Of the whole range: what is above it is tone."""
PAUSE_MS = 150
"""Whatever is loud after so long a quiet begins a burst."""


def write_microphone(path: Path, hertz: float) -> None:
    """What a fake microphone plays round and round: one burst and its pause."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(_burst(hertz).tobytes())


def opus_burst(hertz: float) -> tuple[list[bytes], bytes]:
    """The packets of one burst and its pause, the tone beginning with the first of them; and one packet of silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"  # type: ignore[attr-defined]
    encoder.time_base = Fraction(1, RATE)
    packets: list[bytes] = []
    size = RATE // 50
    for n, samples in enumerate(np.tile(_burst(hertz), 2).reshape(-1, size)):
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, n * size, Fraction(1, RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]  # type: ignore[attr-defined]
    return packets[FRAMES : 2 * FRAMES], packets[FRAMES - 1]


def _burst(hertz: float) -> NDArray[np.int16]:
    at = np.arange(RATE * TONE_MS // 1000) / RATE
    tone = 0.5 * 32767 * np.sin(2 * math.pi * hertz * at)
    return np.concatenate([tone, np.zeros(RATE * (EVERY_MS - TONE_MS) // 1000)]).astype("<i2")


class Onsets:
    """Frames of PCM (s16le, mono) in; whether a burst begins in one, out."""

    def __init__(self, rate: int) -> None:
        self._pause, self._quiet = rate * PAUSE_MS // 1000, 0

    def take(self, frame: bytes) -> bool:
        began = False
        for sample in array("h", frame):
            if abs(sample) < LOUD * 32768:
                self._quiet += 1
            else:
                began = began or self._quiet >= self._pause
                self._quiet = 0
        return began
