"""One call's two voices from Redis to the browsers: checked, made unbroken, encoded if need be, fanned out.

A bad packet is dropped with its reason; it hurts no other call, and nobody who listens to this one.
"""

from collections.abc import Callable

from livemon_runtime.codecs import Codec
from livemon_runtime.errors import RtpError
from livemon_runtime.keys import Voice
from livemon_runtime.protocol import Audio
from livemon_runtime.rtp import RtpPacket

from .continuity import Continuity, VoicePacket
from .fan_out import FanOut
from .opus import OpusEncoder
from .packet_rate import PacketRate

MAX_PAYLOAD = 1_300
"""Bytes that go to a browser in one packet; SRTP and the headers take the rest of a path's 1,500."""

Refuse = Callable[[str, RtpError], None]


class VoiceLine:
    """One voice: messages of its channel in, packets to its listeners out."""

    def __init__(self, codec: Codec, rate: PacketRate) -> None:
        self._codec = codec
        self._rate = rate
        self._continuity = Continuity(codec.form.clock, codec.form.packet_ticks)
        self._encoder = OpusEncoder(codec.form.clock) if codec.startswith("l16/") else None
        self.fan_out = FanOut()

    def take(self, data: bytes, now: float) -> None:
        """Pass one message on, which came at `now` (seconds). Raises `RtpError` if it cannot be."""
        if not self._rate.allows(now):
            raise RtpError("too_many_packets", "more than 400 a second")
        packet = RtpPacket.parse(data)
        if packet.payload_type != self._codec.form.payload_type:
            raise RtpError("payload_type", f"{packet.payload_type} is not {self._codec}")
        if self._encoder is None and len(packet.payload) > MAX_PAYLOAD:
            raise RtpError("packet_too_long", f"{len(packet.payload)} bytes cannot be passed through as they are")
        carried = self._continuity.carry(packet, now)
        if carried is None:
            raise RtpError("packet_repeated")
        self.fan_out.send(self._encoded(carried))

    def _encoded(self, packet: VoicePacket) -> list[VoicePacket]:
        if self._encoder is None:
            return [packet]
        try:
            return self._encoder.encode(packet)
        except ValueError as error:
            raise RtpError("bad_samples", str(error)) from error


class CallVoices:
    """Both voices of one call, with one limit on their packets together.

    `clock` gives seconds, monotonic; `refuse` is told what was dropped, and why.
    """

    def __init__(self, call_id: str, audio: Audio, clock: Callable[[], float], refuse: Refuse) -> None:
        rate = PacketRate()
        self.call_id = call_id
        self.codecs: dict[Voice, Codec] = {"caller": audio.caller, "agent": audio.agent}
        self.lines = {voice: VoiceLine(codec, rate) for voice, codec in self.codecs.items()}
        self._clock, self._refuse = clock, refuse

    def take(self, voice: Voice, data: bytes) -> None:
        """Pass on a message of the voice's channel, or drop it."""
        try:
            self.lines[voice].take(data, self._clock())
        except RtpError as error:
            self._refuse(self.call_id, error)
