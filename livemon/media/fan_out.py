"""Sends one voice's packets to any number of browsers: protected for each, and sent in the same turn of the loop.

An `Outlet` stands in for the sending half of aiortc's `RTCRtpSender`, which costs twice as much a packet, makes its own
sequence numbers and sets every marker. It keeps the counters that the sender's RTCP reports (RFC 3550, section 6.4.1)
are made of. There is no queue that could grow: what a full socket does not take is dropped for that listener alone.
"""

import random
import struct
from collections.abc import Iterable
from typing import Any, Protocol

from aiortc import RTCRtpSender, clock
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap

from .continuity import VoicePacket
from .metrics import PACKETS_SENT, PACKETS_STALLED

MAX_UNSENT = 64 * 1024
"""Bytes that may wait in a listener's socket, about 5 s of Opus."""

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class Path(Protocol):
    """The secured way to one browser; `send` says whether the packet could be sent."""

    def send(self, packet: bytes) -> bool: ...


class Outlet:
    """One voice of one listener. `mid` and `extensions` say in which of the answer's sections it is."""

    def __init__(
        self, sender: RTCRtpSender, path: Path, payload_type: int, mid: str, extensions: HeaderExtensionsMap
    ) -> None:
        self._sender: Any = sender  # the counters below are private in aiortc
        self._path = path
        self.payload_type = payload_type
        self._ssrc: int = self._sender._ssrc
        self._extension = _mid_extension(extensions, mid)
        self._first = 0x90 if self._extension else 0x80
        self._sequence_offset: int | None = None
        self._timestamp_offset = random.getrandbits(32)
        self._packets = self._octets = 0
        self._newest = -1

    def send(self, packet: VoicePacket, ntp_time: int) -> bool:
        """Send `packet` now, unless the way is full; `ntp_time` is now as a 64-bit NTP timestamp."""
        if self._sequence_offset is None:
            # in the lower half at first: a wrap right at the start breaks the receiver's SRTP index (RFC 3711, 3.3.1)
            self._sequence_offset = random.getrandbits(14) - packet.sequence
        timestamp = packet.timestamp + self._timestamp_offset & 0xFFFFFFFF
        header = _HEADER.pack(
            self._first,
            packet.marker << 7 | self.payload_type,
            packet.sequence + self._sequence_offset & 0xFFFF,
            timestamp,
            self._ssrc,
        )
        if not self._path.send(header + self._extension + packet.payload):
            PACKETS_STALLED.inc()
            return False
        self._packets += 1
        self._octets += len(packet.payload)
        self._report(packet, timestamp, ntp_time)
        return True

    def _report(self, packet: VoicePacket, timestamp: int, ntp_time: int) -> None:
        """Tell the sender's RTCP task, which reads these when its report is due."""
        sender = self._sender
        sender._RTCRtpSender__packet_count = self._packets
        sender._RTCRtpSender__octet_count = self._octets
        if packet.sequence > self._newest:  # the two times of a report are one instant
            self._newest = packet.sequence
            sender._RTCRtpSender__rtp_timestamp = timestamp
            sender._RTCRtpSender__ntp_timestamp = ntp_time


class FanOut:
    """The listeners of one voice."""

    def __init__(self) -> None:
        self._outlets: dict[Outlet, None] = {}

    def __len__(self) -> int:
        return len(self._outlets)

    def add(self, outlet: Outlet) -> None:
        self._outlets[outlet] = None

    def remove(self, outlet: Outlet) -> None:
        self._outlets.pop(outlet, None)

    def send(self, packets: Iterable[VoicePacket]) -> None:
        for packet in packets:
            ntp_time = clock.current_ntp_time()
            PACKETS_SENT.inc(sum([outlet.send(packet, ntp_time) for outlet in self._outlets]))


def _mid_extension(extensions: HeaderExtensionsMap, mid: str) -> bytes:
    """The header extension that names the section (RFC 9143, section 15): the same bytes in each packet."""
    profile, value = extensions.set(HeaderExtensions(mid=mid))
    return _EXTENSION.pack(profile, len(value) // 4) + value if value else b""
