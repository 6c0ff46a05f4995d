"""The two voices of one call: on while somebody listens, silent and free otherwise."""

from dataclasses import dataclass, field

from .clock import Clock
from .drops import Drops
from .errors import RtpError
from .keys import Keys, Voice
from .limits import PACKETS_PER_S, TokenBucket
from .packetizer import Packetizer
from .protocol import Call
from .publisher import Publisher


@dataclass(slots=True)
class Voices:
    """`caller_on` and `agent_on` are all that a frame costs while nobody listens."""

    call_id: str
    packetizers: dict[Voice, Packetizer]
    channels: dict[Voice, str]
    publisher: Publisher
    clock: Clock
    drops: Drops
    caller_on: bool = False
    agent_on: bool = False
    tapped_until: int = 0
    """Redis's time in milliseconds."""
    _bucket: TokenBucket = field(default_factory=lambda: TokenBucket(PACKETS_PER_S))
    _closed: bool = False

    @classmethod
    def of(cls, call: Call, keys: Keys, publisher: Publisher, clock: Clock, drops: Drops) -> "Voices":
        audio = call.audio
        packetizers: dict[Voice, Packetizer] = {}
        if audio is not None:
            packetizers = {"caller": Packetizer(audio.caller), "agent": Packetizer(audio.agent)}
        channels: dict[Voice, str] = {voice: keys.audio(call.call_id, voice) for voice in packetizers}
        return cls(call.call_id, packetizers, channels, publisher, clock, drops)

    @property
    def tapped(self) -> bool:
        return self.tapped_until > self.clock.now_ms()

    def switch(self, *, taken_over: bool) -> None:
        """Turn the voices on or off, as somebody listens or not; a taken-over call's caller is always on."""
        shared = bool(self.packetizers) and not self._closed
        self.agent_on = shared and self.tapped
        self.caller_on = shared and (self.agent_on or taken_over)

    def close(self) -> None:
        self._closed = True
        self.caller_on = self.agent_on = False

    def say(self, voice: Voice, frame: bytes) -> None:
        """Publish one frame. Never raises: what is no audio is dropped and counted."""
        try:
            packets = self.packetizers[voice].packets(frame, self.clock.monotonic())
        except RtpError as error:
            self.drops.drop(f"audio_{error.reason}", f"{self.call_id} {voice}: {error.detail}")
        except Exception as error:
            self.drops.drop("audio_malformed", f"{self.call_id} {voice}: {error!r}")
        else:
            self._publish(voice, packets)

    def _publish(self, voice: Voice, packets: list[bytes]) -> None:
        now = self.clock.monotonic()
        for packet in packets:
            if self._bucket.take(now):
                self.publisher.say(self.channels[voice], packet)
            else:
                self.drops.drop("audio_too_many", f"{self.call_id} {voice}: more than {PACKETS_PER_S} packets a second")
