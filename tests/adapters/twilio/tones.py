"""Voices that can be told apart: a pitch for each, in μ-law, and which one is heard."""

import audioop
from collections.abc import Iterator

import numpy as np

CALLER, BOT, SUPERVISOR = 500, 1_000, 1_600
SILENCE = b"\xff" * 160


def pcm(hertz: int, samples: int, rate: int = 8_000, begin: int = 0) -> bytes:
    at = np.arange(begin, begin + samples)
    return (8_000 * np.sin(2 * np.pi * hertz * at / rate)).astype("<i2").tobytes()


def mu_law(hertz: int, ms: int) -> bytes:
    return audioop.lin2ulaw(pcm(hertz, ms * 8), 2)


def frames(hertz: int) -> Iterator[bytes]:
    """20 ms after 20 ms, without an end."""
    begin = 0
    while True:
        yield audioop.lin2ulaw(pcm(hertz, 160, begin=begin), 2)
        begin += 160


def pitch(sound: bytes, rate: int = 8_000) -> int:
    """The loudest of the three, of s16le; 0 for silence and for anything else."""
    samples = np.frombuffer(sound, dtype="<i2").astype(float)
    if len(samples) < rate // 100 or np.max(np.abs(samples)) < 300:
        return 0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest = np.argmax(spectrum) * rate / len(samples)
    nearest = min((CALLER, BOT, SUPERVISOR), key=lambda hertz: abs(hertz - loudest))
    return nearest if abs(nearest - loudest) < 150 else 0


def pitch_of_mu_law(sound: bytes) -> int:
    return pitch(audioop.ulaw2lin(sound, 2))
