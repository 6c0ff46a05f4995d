"""RTP packets (RFC 3550, section 5.1) as they travel through Redis. Pure; never encodes audio."""

import struct
from dataclasses import dataclass

from .errors import RtpError

MAX_PACKET = 1500
"""Bytes; a longer message is dropped (docs/protocol.md, «What bad input gets»)."""

_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet: `payload` in the codec's own form, `timestamp` in the codec's clock."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        return (
            _HEADER.pack(0x80, self.marker << 7 | self.payload_type, self.sequence, self.timestamp, self.ssrc)
            + self.payload
        )

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read one packet, padding and extensions removed.

        Raises `RtpError` for anything that is not version 2, is cut short, too long or empty.
        """
        if len(data) > MAX_PACKET:
            raise RtpError("packet_too_long", f"{len(data)} bytes")
        if len(data) < _HEADER.size:
            raise RtpError("packet_too_short", f"{len(data)} bytes")
        flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if flags >> 6 != 2:
            raise RtpError("not_rtp", f"version {flags >> 6}")
        payload = data[_payload_start(data, flags) : _payload_end(data, flags)]
        if not payload:
            raise RtpError("packet_empty")
        return cls(kind & 0x7F, sequence, timestamp, ssrc, bytes(payload), bool(kind >> 7))


def _payload_start(data: bytes, flags: int) -> int:
    start = _HEADER.size + 4 * (flags & 0x0F)
    if flags & 0x10:
        if len(data) < start + 4:
            raise RtpError("packet_too_short", "in its extension")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    return start


def _payload_end(data: bytes, flags: int) -> int:
    if not flags & 0x20:
        return len(data)
    padding = data[-1]
    if padding == 0 or padding > len(data) - _HEADER.size:
        raise RtpError("bad_padding", f"{padding} bytes")
    return len(data) - padding
