"""A LiveKit room without a server: what a server would add (participants, publications) is a stand-in, all else is real.

The session's own RoomIO runs in it, with the client library's native sources, tracks and streams: what the agent and the
supervisor publish is read back from their tracks by the library's own `AudioStream`.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from livekit import rtc

from tests.adapters.livekit.line import Heard
from tests.adapters.livekit.stand_ins import sound

CALLER_HZ = 24_000


@dataclass
class Publication:
    sid: str
    track: Any
    source: Any = rtc.TrackSource.SOURCE_UNKNOWN
    kind: Any = rtc.TrackKind.KIND_AUDIO
    audio_features: tuple[Any, ...] = ()

    async def wait_for_subscription(self) -> None:
        pass


@dataclass
class Participant:
    identity: str
    kind: Any = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    attributes: dict[str, str] = field(default_factory=dict)
    disconnect_reason: Any = None
    track_publications: dict[str, Publication] = field(default_factory=dict)
    sid: str = "PA_1"
    name: str = ""
    metadata: str = ""

    @property
    def _info(self) -> Any:
        return type("Info", (), {"client_protocol": 99})


class LocalParticipant(Participant):
    """Listens to what is published, as every other participant would: a muted track is not heard."""

    def __init__(self, room: "OfflineRoom") -> None:
        super().__init__("agent", rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)
        self.room = room
        self.refuses = False
        self.tones: list[str] = []
        self.listening: list[asyncio.Task[None]] = []

    async def publish_track(self, track: rtc.LocalAudioTrack, options: rtc.TrackPublishOptions) -> Publication:
        if self.refuses:
            raise ConnectionError("insufficient permissions")
        publication = Publication(f"TR_{len(self.track_publications)}", track, options.source)
        self.track_publications[publication.sid] = publication
        self.listening.append(asyncio.create_task(self._listen(track)))
        self.room.emit("local_track_published", publication, track)
        return publication

    async def unpublish_track(self, sid: str) -> None:
        self.track_publications.pop(sid, None)

    async def _listen(self, track: rtc.LocalAudioTrack) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=24_000, num_channels=1)
        try:
            async for event in stream:
                if not track.muted:
                    self.room.heard.take(bytes(event.frame.data), round(event.frame.duration * 1000))
        finally:
            await stream.aclose()

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        self.tones.append(digit)

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        self.attributes.update(attributes)

    async def publish_transcription(self, transcription: rtc.Transcription) -> None:
        pass

    async def stream_text(self, **_: Any) -> Any:
        return _Writer()

    async def send_bytes(self, *_: Any, **__: Any) -> None:
        pass


class _Writer:
    async def write(self, text: str) -> None:
        pass

    async def aclose(self, **_: Any) -> None:
        pass


class OfflineRoom(rtc.Room):
    def __init__(self, name: str = "call-1") -> None:
        super().__init__()
        self.heard = Heard()
        self._known_as = name
        self._agent = LocalParticipant(self)
        self._others: dict[str, Any] = {}
        self._speaking: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._known_as

    @property
    def local_participant(self) -> Any:
        return self._agent

    @property
    def remote_participants(self) -> Any:
        return self._others

    def isconnected(self) -> bool:
        return True

    def come(self, participant: Participant) -> None:
        self._others[participant.identity] = participant
        self.emit("participant_connected", participant)

    def call(self, **attributes: str) -> Participant:
        """A caller comes in, and their voice."""
        source = rtc.AudioSource(CALLER_HZ, 1, queue_size_ms=200)
        track = rtc.LocalAudioTrack.create_audio_track("caller", source)
        caller = Participant("caller", attributes=attributes)
        caller.track_publications["TR_caller"] = Publication("TR_caller", track, rtc.TrackSource.SOURCE_MICROPHONE)
        self._speaking = asyncio.create_task(self._speak(source))
        self.come(caller)
        return caller

    async def _speak(self, source: rtc.AudioSource) -> None:
        while True:
            await source.capture_frame(rtc.AudioFrame(sound(900, 480), CALLER_HZ, 1, 480))

    def leave(self, participant: Participant, reason: Any = rtc.DisconnectReason.CLIENT_INITIATED) -> None:
        self._others.pop(participant.identity, None)
        participant.disconnect_reason = reason
        self.emit("participant_disconnected", participant)

    async def close(self) -> None:
        tasks = [*self._agent.listening, *([self._speaking] if self._speaking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
