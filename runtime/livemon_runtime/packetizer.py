"""Turns a voice, as its bot gives it, into RTP packets (docs/protocol.md, «Audio»). Pure; never encodes.

Opus packets pass as they are; G.711 is cut into pieces of 20 ms at most; PCM of any length is gathered into packets of
one length. RTP time runs with the clock: after a silence it jumps ahead, with the marker bit.
"""

import secrets
from array import array

from . import opus
from .codecs import Codec
from .errors import RtpError
from .rtp import MAX_PACKET, RtpPacket

GAP_MS = 100
"""A voice that is so far behind the clock was silent; less is the jitter of its source."""

_HEADER = 12
_MOST_PAYLOAD = MAX_PACKET - _HEADER
_L16 = frozenset({Codec.L16_8000, Codec.L16_16000, Codec.L16_24000, Codec.L16_48000})


class Packetizer:
    """One voice from its start; a new one is a new SSRC. Sequence and timestamp begin at random (RFC 3550, 5.1)."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.ssrc = secrets.randbits(32)
        self._form = codec.form
        self._sequence = secrets.randbits(16)
        self._zero = secrets.randbits(32)
        self._began: float | None = None
        self._ticks = 0
        """RTP ticks since the voice began, at which the next packet starts."""
        self._rest = bytearray()
        self._marker = True

    def packets(self, frame: bytes, now: float) -> list[bytes]:
        """RTP packets for `frame`, given at `now` (monotonic seconds). Raises `RtpError` for what it cannot be."""
        pieces = self._pieces(frame, now)
        return [self._pack(piece, ticks) for piece, ticks in pieces]

    def _pieces(self, frame: bytes, now: float) -> list[tuple[bytes, int]]:
        if not frame:
            raise RtpError("packet_empty")
        if self.codec in _L16:
            return self._gather(frame, now)
        if self.codec is Codec.OPUS:
            if len(frame) > _MOST_PAYLOAD:
                raise RtpError("packet_too_long", f"{len(frame)} bytes, at most {_MOST_PAYLOAD}")
            ticks = opus.duration(frame)
            self._keep_time(now)
            return [(bytes(frame), ticks)]
        self._keep_time(now)
        size = self._form.packet_ticks
        return [(bytes(frame[at : at + size]), len(frame[at : at + size])) for at in range(0, len(frame), size)]

    def _gather(self, pcm: bytes, now: float) -> list[tuple[bytes, int]]:
        if len(pcm) % 2:
            raise RtpError("bad_pcm", f"{len(pcm)} bytes are no whole number of 16-bit samples")
        self._keep_time(now)
        size = self._form.packet_ticks * 2
        samples = array("h", bytes(pcm))
        samples.byteswap()  # little-endian in, network order out, whatever this machine has
        self._rest += samples.tobytes()
        whole = len(self._rest) - len(self._rest) % size
        pieces = [(bytes(self._rest[at : at + size]), size // 2) for at in range(0, whole, size)]
        del self._rest[:whole]
        return pieces

    def _keep_time(self, now: float) -> None:
        """Jump to where the clock is if the voice was silent."""
        if self._began is None:
            self._began = now
        clock = int((now - self._began) * self._form.clock)
        given = self._ticks + len(self._rest) // 2
        if clock - given > GAP_MS * self._form.clock // 1000:
            self._ticks = clock
            self._rest.clear()
            self._marker = True

    def _pack(self, payload: bytes, ticks: int) -> bytes:
        timestamp = (self._zero + self._ticks) & 0xFFFFFFFF
        packet = RtpPacket(self._form.payload_type, self._sequence, timestamp, self.ssrc, payload, self._marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._ticks += ticks
        self._marker = False
        return packet.pack()
