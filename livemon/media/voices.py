"""One call's voices from Redis to the browsers: checked, made unbroken, encoded if need be, fanned out.

A bad packet is dropped with its reason; it hurts no other call, and nobody who listens to this one.
"""

from collections.abc import Callable
from typing import Literal

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

HeardVoice = Voice | Literal["supervisor"]
RUNTIME_VOICES: tuple[Voice, ...] = ("caller", "agent")
HEARD_VOICES: tuple[HeardVoice, ...] = (*RUNTIME_VOICES, "supervisor")

Refuse = Callable[[str, HeardVoice, RtpError], None]


def codecs_of(audio: Audio) -> dict[HeardVoice, Codec]:
    """Which codec each voice comes in; a supervisor's in the caller's unless the runtime wants another."""
    return {"caller": audio.caller, "agent": audio.agent, "supervisor": audio.supervisor or audio.caller}


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
        if self.fan_out:  # nobody may listen to this voice, and somebody to another of the call
            self.fan_out.send(self._encoded(carried))

    def _encoded(self, packet: VoicePacket) -> list[VoicePacket]:
        if self._encoder is None:
            return [packet]
        try:
            return self._encoder.encode(packet)
        except ValueError as error:
            raise RtpError("bad_samples", str(error)) from error


class CallVoices:
    """The voices of one call. `clock` gives seconds, monotonic; `refuse` is told what was dropped, and why.

    The runtime's two have one limit on their packets together. A supervisor's packets come from livemon itself, and
    have a limit of their own: whoever floods, the others are heard on.
    """

    def __init__(self, call_id: str, audio: Audio, clock: Callable[[], float], refuse: Refuse) -> None:
        of_runtime, of_supervisor = PacketRate(), PacketRate()
        self.call_id = call_id
        self.codecs = codecs_of(audio)
        self.lines = {
            voice: VoiceLine(codec, of_supervisor if voice == "supervisor" else of_runtime)
            for voice, codec in self.codecs.items()
        }
        self._clock, self._refuse = clock, refuse

    def take(self, voice: HeardVoice, data: bytes) -> None:
        """Pass on a message of the voice's channel, or drop it."""
        try:
            self.lines[voice].take(data, self._clock())
        except RtpError as error:
            self._refuse(self.call_id, voice, error)
