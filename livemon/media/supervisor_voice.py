"""A supervisor's voice, from Opus as the browser sends it to RTP in the codec that the runtime wants. No I/O.

Opus passes through as it is. For everything else it is decoded once and encoded in packets of the codec's usual length;
what was lost on the way is a jump in RTP time, as a silence is.
"""

import secrets
import sys
from array import array
from fractions import Fraction

import av
from av.error import FFmpegError

from livemon_runtime.codecs import Codec
from livemon_runtime.opus import duration
from livemon_runtime.rtp import RtpPacket

from .jitter_buffer import CLOCK, Spoken

GAP_S = 0.04
"""A packet that begins so much later than the last one ended was preceded by silence."""


class SupervisorVoice:
    """One claim's RTP stream in `codec`: an SSRC and numbers of its own."""

    def __init__(self, codec: Codec) -> None:
        self._form = codec.form
        self._encoder = None if codec is Codec.OPUS else _Transcoder(codec)
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._zero = secrets.randbits(32)
        self._first: int | None = None
        self._ends: int | None = None
        """Where the last packet ends, in the codec's ticks."""

    def packets(self, spoken: Spoken) -> list[bytes]:
        """RTP packets for the next of the browser's. Raises `RtpError` for a payload that is no Opus."""
        length = duration(spoken.payload)
        if self._first is None:
            self._first = spoken.timestamp
        at = spoken.timestamp - self._first
        if self._encoder is None:
            return [self._pack(spoken.payload, at, length)]
        pieces = self._encoder.encode(spoken.payload, at * self._form.clock // CLOCK)
        return [self._pack(piece, ticks, self._form.packet_ticks) for piece, ticks in pieces]

    def _pack(self, payload: bytes, ticks: int, length: int) -> bytes:
        marker = self._ends is None or ticks - self._ends > GAP_S * self._form.clock
        self._ends = ticks + length
        timestamp = (self._zero + ticks) & 0xFFFFFFFF
        packet = RtpPacket(self._form.payload_type, self._sequence, timestamp, self._ssrc, payload, marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return packet.pack()


class _Transcoder:
    """Opus in, payloads of the codec's usual length out, each with its place in the codec's own ticks."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._rate, self._size = codec, codec.form.clock, codec.form.packet_ticks
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=self._rate)
        self._g711 = None if codec.startswith("l16/") else _g711(codec)
        self._rest = array("h")
        self._start = 0
        """Where the first sample of the rest stands."""
        self._fresh = True

    def encode(self, payload: bytes, ticks: int) -> list[tuple[bytes, int]]:
        """What of the voice is complete with `payload`, which begins at `ticks`."""
        pieces: list[tuple[bytes, int]] = []
        if ticks - self._start - len(self._rest) > self._size // 2:  # something was lost, or nobody spoke
            if self._rest:
                self._rest.extend([0] * (self._size - len(self._rest)))
                pieces.append((self._payload(self._rest), self._start))
                self._rest = array("h")
            self._start = ticks
        samples = self._decoded(payload)
        if (
            self._fresh and samples
        ):  # the resampler keeps its first few: without them each packet would wait for the next
            self._fresh = False
            self._rest.extend([0] * (-len(samples) % self._size))
        self._rest += samples
        while len(self._rest) >= self._size:
            pieces.append((self._payload(self._rest[: self._size]), self._start))
            del self._rest[: self._size]
            self._start += self._size
        return pieces

    def _decoded(self, payload: bytes) -> "array[int]":
        samples = array("h")
        try:
            frames = self._decoder.decode(av.Packet(payload))  # pyright: ignore[reportUnknownVariableType]
        except FFmpegError:
            return samples
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            frame.pts = None
            for part in self._resampler.resample(frame):
                samples.frombytes(bytes(part.planes[0])[: part.samples * 2])
        return samples

    def _payload(self, samples: "array[int]") -> bytes:
        if self._g711 is None:
            if sys.byteorder == "little":
                samples.byteswap()
            return samples.tobytes()
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = self._rate
        return b"".join(bytes(part) for part in self._g711.encode(frame))  # pyright: ignore


def _g711(codec: Codec) -> av.AudioCodecContext:
    context = av.AudioCodecContext.create("pcm_mulaw" if codec is Codec.PCMU else "pcm_alaw", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = codec.form.clock, "mono", "s16"  # pyright: ignore
    context.time_base = Fraction(1, codec.form.clock)
    return context
