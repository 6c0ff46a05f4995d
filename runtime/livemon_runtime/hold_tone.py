"""What a caller may hear while the supervisor is not heard: a quiet tone every three seconds, in every codec. Pure.

G.711 and PCM are reckoned here. Opus cannot be: its packets lie ready in `hold_tone.opus`, made from the same samples by
`scripts/hold_tone.py`.
"""

import math
import struct
from functools import cache
from importlib.resources import files

from .codecs import Codec

HERTZ = 440
EVERY_MS, TONE_MS, RAMP_MS = 3_000, 400, 60
LOUDEST = round(32_767 * 10 ** (-26 / 20))
"""-26 dBFS, where a sine over the whole range has 0."""
_LATE_S = 0.1
"""A loop that is held up for longer goes on with the tone from where it is, and does not hurry after it."""
_ENDS = (0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF, 0x1FFF, 0x3FFF, 0x7FFF)
"""The last 16-bit magnitude of each of G.711's segments."""


class HoldTone:
    """Frames for a bot's `on_audio`, one each packet's time since `began` (monotonic seconds)."""

    def __init__(self, codec: Codec, began: float) -> None:
        self._codec, self._due, self._next = codec, began, 0

    def due_in(self, now: float) -> float:
        """In how many seconds there is a frame."""
        return max(0.0, self._due - now)

    def take(self, now: float) -> bytes | None:
        """The frame that is due, None if none is yet."""
        if now < self._due:
            return None
        if now - self._due > _LATE_S:
            self._due = now
        self._due += self._codec.form.packet_ms / 1000
        self._next += 1
        return frame(self._codec, (self._next - 1) % (EVERY_MS // self._codec.form.packet_ms))


def frame(codec: Codec, n: int) -> bytes:
    """Frame `n` of one period: an encoded packet, or PCM (s16le, mono)."""
    if codec is Codec.OPUS:
        return _opus()[n]
    return _reckoned(codec, min(n, TONE_MS // codec.form.packet_ms))


@cache
def _reckoned(codec: Codec, n: int) -> bytes:
    rate, samples = codec.form.clock, codec.form.packet_ticks
    pcm = [sample(at, rate) for at in range(n * samples, (n + 1) * samples)]
    if codec is Codec.PCMU:
        return bytes(_mu_law(value) for value in pcm)
    if codec is Codec.PCMA:
        return bytes(_a_law(value) for value in pcm)
    return struct.pack(f"<{samples}h", *pcm)


def sample(n: int, rate: int) -> int:
    """Sample `n` of one period, signed 16 bits, at `rate` Hz; the tone swells and fades."""
    ms = n * 1000 / rate
    edge = min(ms, TONE_MS - ms)
    if edge <= 0:
        return 0
    swell = math.sin(math.pi / 2 * min(1.0, edge / RAMP_MS)) ** 2
    return round(LOUDEST * swell * math.sin(2 * math.pi * HERTZ * n / rate))


@cache
def _opus() -> list[bytes]:
    """One period's packets; in the file, each stands behind a byte that says its length."""
    data = (files("livemon_runtime") / "hold_tone.opus").read_bytes()
    packets: list[bytes] = []
    at = 0
    while at < len(data):
        packets.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return packets


def _mu_law(value: int) -> int:
    """G.711, table 2: sign, segment and step, all inverted."""
    sign, magnitude = (0x80, -value) if value < 0 else (0, value)
    magnitude = min(magnitude, 32_635) + 0x84
    segment = _segment(magnitude)
    return ~(sign | segment << 4 | magnitude >> segment + 3 & 0x0F) & 0xFF


def _a_law(value: int) -> int:
    """G.711, table 1: sign, segment and step, every other bit inverted."""
    sign, magnitude = (0, ~value) if value < 0 else (0x80, value)
    segment = _segment(magnitude)
    step = magnitude >> (segment + 3 if segment else 4) & 0x0F
    return (sign | segment << 4 | step) ^ 0x55


def _segment(magnitude: int) -> int:
    return next(segment for segment, end in enumerate(_ENDS) if magnitude <= end)
