"""Makes one unbroken RTP stream of a voice that may start anew (docs/protocol.md, «Audio»). Pure; the time comes in.

A browser is told one SSRC a voice, and takes a sequence that jumps at random for loss. So a new SSRC, or a clock that
was set back, goes on where the voice was; real gaps in the sequence and jumps of a silent voice are kept as they are.
"""

from dataclasses import dataclass

from livemon_runtime.rtp import RtpPacket

MAX_MISSING = 500
"""Packets; a gap that is longer cannot be told from a sequence that was started anew."""
MAX_LATE = 64
"""Packets; how far behind the newest one may come and still be passed on."""
MAX_SILENCE_S = 3_600
_ALL_SEEN = (1 << MAX_LATE + 1) - 1


@dataclass(frozen=True, slots=True)
class VoicePacket:
    """A packet of the unbroken stream. `sequence` and `timestamp` never wrap; the sender takes their low bits."""

    sequence: int
    timestamp: int
    marker: bool
    payload: bytes


class Continuity:
    """One voice's stream; `clock` in Hz, `packet_ticks` the usual length of a packet in that clock."""

    def __init__(self, clock: int, packet_ticks: int) -> None:
        self._clock, self._packet_ticks = clock, packet_ticks
        self._ssrc: int | None = None
        self._sequence, self._timestamp = 0, 0  # of the newest packet, in the unbroken stream
        self._source_sequence, self._source_timestamp = 0, 0  # of the same packet, as it came
        self._seen = _ALL_SEEN  # bit n: the packet that is n before the newest has been passed on, or never may be
        self._at = 0.0

    def carry(self, packet: RtpPacket, now: float) -> VoicePacket | None:
        """Place `packet`, which came at `now` (seconds); None if it is a repetition or too late."""
        ahead = _signed(packet.sequence - self._source_sequence, 16)
        elapsed = _signed(packet.timestamp - self._source_timestamp, 32)
        if self._starts_anew(packet, ahead, elapsed):
            return self._start(packet, now)
        if ahead <= 0:
            return self._late(packet, ahead, elapsed)
        self._advance(packet, ahead, elapsed, now)
        return VoicePacket(self._sequence, self._timestamp, packet.marker, packet.payload)

    def _starts_anew(self, packet: RtpPacket, ahead: int, elapsed: int) -> bool:
        if packet.ssrc != self._ssrc or not -MAX_LATE <= ahead <= MAX_MISSING:
            return True
        return ahead > 0 and not 0 < elapsed <= MAX_SILENCE_S * self._clock

    def _start(self, packet: RtpPacket, now: float) -> VoicePacket:
        """Go on with the next sequence number, as much later as the clock on the wall says."""
        first = self._ssrc is None
        silence = 0 if first else max(self._packet_ticks, round((now - self._at) * self._clock))
        self._ssrc = packet.ssrc
        self._advance(packet, 0 if first else 1, silence, now)
        self._seen = _ALL_SEEN  # what is older than the new beginning would take the old stream's numbers
        return VoicePacket(self._sequence, self._timestamp, True, packet.payload)

    def _late(self, packet: RtpPacket, ahead: int, elapsed: int) -> VoicePacket | None:
        place = 1 << -ahead
        timestamp = self._timestamp + elapsed
        if self._seen & place or elapsed >= 0 or timestamp < 0:
            return None
        self._seen |= place
        return VoicePacket(self._sequence + ahead, timestamp, packet.marker, packet.payload)

    def _advance(self, packet: RtpPacket, ahead: int, elapsed: int, now: float) -> None:
        self._sequence += ahead
        self._timestamp += elapsed
        self._seen = (self._seen << ahead | 1) & _ALL_SEEN
        self._source_sequence, self._source_timestamp = packet.sequence, packet.timestamp
        self._at = now


def _signed(difference: int, bits: int) -> int:
    """The difference of two numbers that wrap at `bits`, from half the range back to half ahead."""
    half = 1 << (bits - 1)
    return (difference + half) % (half * 2) - half
