"""Encodes one voice of L16 (RFC 3551, section 4.5.11) to Opus packets of 20 ms, once for all listeners. No I/O.

libopus takes 8, 16, 24 and 48 kHz as they are, so nothing is resampled.
"""

import sys
from array import array
from fractions import Fraction

import av

from .continuity import VoicePacket

CLOCK = 48_000
"""Hz; RTP time of Opus, whatever the encoder's input rate (RFC 7587, section 4.1)."""
FRAMES_A_SECOND = 50


class OpusEncoder:
    """L16 packets of one voice in, Opus packets out, at the same RTP time."""

    def __init__(self, rate: int, bit_rate: int = 32_000) -> None:
        self._rate, self._frame = rate, rate // FRAMES_A_SECOND
        self._codec = _encoder(rate, bit_rate)
        self._pending = array("h")
        self._start: int | None = None  # RTP time of the first pending sample, in the input's clock
        self._marker = True
        self._sequence = 0

    def encode(self, packet: VoicePacket) -> list[VoicePacket]:
        """Take one packet of big-endian samples; return the Opus packets that are now complete, oldest first.

        Raises `ValueError` for half a sample. A gap in time pads what is pending with silence and sets the marker;
        what overlaps with samples already taken is dropped.
        """
        if len(packet.payload) % 2:
            raise ValueError("half a sample")
        samples = array("h", packet.payload)
        if sys.byteorder == "little":
            samples.byteswap()
        ready = self._close_gap(packet.timestamp)
        assert self._start is not None
        overlap = self._start + len(self._pending) - packet.timestamp
        self._pending += samples[overlap:]
        while len(self._pending) >= self._frame:
            ready.append(self._encode_frame())
        return ready

    def _close_gap(self, timestamp: int) -> list[VoicePacket]:
        ready: list[VoicePacket] = []
        expected = None if self._start is None else self._start + len(self._pending)
        if expected is not None and timestamp <= expected:
            return ready
        if len(self._pending):
            self._pending.extend([0] * (self._frame - len(self._pending)))
            ready.append(self._encode_frame())
        if self._start is not None and timestamp < self._start:  # the padding has covered the gap's first samples
            return ready
        self._start, self._marker = timestamp, True
        return ready

    def _encode_frame(self) -> VoicePacket:
        assert self._start is not None
        frame = av.AudioFrame(format="s16", layout="mono", samples=self._frame)
        frame.planes[0].update(self._pending[: self._frame].tobytes())
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._start, Fraction(1, self._rate)
        payload = b"".join(bytes(part) for part in self._codec.encode(frame))  # pyright: ignore
        packet = VoicePacket(self._sequence, self._start * CLOCK // self._rate, self._marker, payload)
        del self._pending[: self._frame]
        self._start += self._frame
        self._sequence += 1
        self._marker = False
        return packet


def _encoder(rate: int, bit_rate: int) -> av.AudioCodecContext:
    codec = av.AudioCodecContext.create("libopus", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.bit_rate, codec.layout, codec.format = rate, bit_rate, "mono", "s16"  # pyright: ignore
    codec.time_base = Fraction(1, rate)
    # complexity 5 costs half of 10, and nobody hears the difference in speech
    codec.options = {"application": "voip", "frame_duration": "20", "compression_level": "5"}
    codec.open()
    return codec
