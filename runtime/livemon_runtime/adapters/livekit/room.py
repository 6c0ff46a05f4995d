"""The LiveKit room of a call: the supervisor's own track in it, the agent's muted, the caller's going, and its deletion.

NOT RUN AGAINST A LIVEKIT SERVER: tracks, sources and frames are the client library's own in the tests, what a server adds
to them (publications, participants) is a stand-in, and so is the server that is asked to delete a room.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from livekit import api, rtc
from livekit.agents import get_job_context

from ...call import Call
from ...errors import Refusal
from ..surround import Act, surround
from .pcm import frame_of

_LOG = logging.getLogger("livemon_runtime")
_TRACK = "livemon-supervisor"
_QUEUE_MS = 200
_PUBLISH_S = 5.0
_DELETE_S = 8.0
_GONE = (
    rtc.DisconnectReason.CLIENT_INITIATED,
    rtc.DisconnectReason.ROOM_DELETED,
    rtc.DisconnectReason.USER_REJECTED,
)
"""Why a participant does not come back; after any other reason it may."""


class Room:
    """`left` is called when the caller has hung up, `came` when somebody has come. Handlers are the room's while it lasts."""

    def __init__(
        self,
        room: rtc.Room,
        call: Call,
        came: Callable[[], None],
        left: Callable[[], None],
        key: Callable[[rtc.SipDTMF], None],
    ) -> None:
        self.room = room
        self._call, self._somebody, self._left, self._key = call, came, left, key
        self.caller: str | None = None
        """The caller's identity, once the session has linked them."""
        self.caller_gone = False
        self._source: rtc.AudioSource | None = None
        self._publication: rtc.LocalTrackPublication | None = None
        self._rate = 0
        self._opening = asyncio.Lock()
        self._muted: list[Any] = []
        self._toneless = False
        room.on("sip_dtmf_received", self._pressed)
        room.on("participant_connected", self._came)
        room.on("participant_disconnected", self._went)
        room.on("local_track_published", self._published)

    # --- the supervisor's voice

    async def give_voice(self, rate: int) -> None:
        """Publish the supervisor's track. Raises `Refusal` if the room does not take it: the caller would hear nobody."""
        async with self._opening:
            if self._publication is not None:
                return
            self._rate, self._source = rate, rtc.AudioSource(rate, 1, queue_size_ms=_QUEUE_MS)
            track = rtc.LocalAudioTrack.create_audio_track(_TRACK, self._source)
            try:
                async with asyncio.timeout(_PUBLISH_S):
                    # Not as a microphone: the session would take it for the agent's own track.
                    self._publication = await self.room.local_participant.publish_track(
                        track, rtc.TrackPublishOptions()
                    )
            except Exception as error:
                await self._source.aclose()
                self._source = None
                raise Refusal(
                    "The agent's room does not take your voice, so the caller would hear nobody: the agent keeps the call "
                    f"({type(error).__name__}: {error})."
                ) from error

    async def play(self, pcm: bytes) -> None:
        if self._source is not None:
            await self._source.capture_frame(frame_of(pcm, self._rate))

    # --- the agent's tracks

    def mute(self) -> None:
        """Everything that is heard of the agent's side but the supervisor: the voice, and background sound."""
        for publication in list(self._publications()):
            self._mute(publication)
        participant = self._local()
        if participant is not None and not self._toneless:
            self._toneless = True
            surround(participant, "publish_dtmf", self._no_tones)

    def unmute(self) -> None:
        for track in self._muted:
            track.unmute()
        self._muted.clear()

    def _mute(self, publication: Any) -> None:
        track = publication.track
        ours = self._publication is not None and publication.sid == self._publication.sid
        if track is None or ours or track.name == _TRACK or track.kind != rtc.TrackKind.KIND_AUDIO or track.muted:
            return
        track.mute()
        self._muted.append(track)

    def _local(self) -> rtc.LocalParticipant | None:
        return self.room.local_participant if self.room.isconnected() else None

    def _publications(self) -> Any:
        local = self._local()
        return local.track_publications.values() if local is not None else ()

    def _published(self, publication: rtc.LocalTrackPublication, *_: object) -> None:
        if self._call.agent_silent:
            self._mute(publication)

    def _no_tones(self, inner: Act) -> Act:
        async def publish_dtmf(*args: Any, **kwargs: Any) -> None:
            if not self._call.agent_silent:
                await inner(*args, **kwargs)

        return publish_dtmf

    # --- the caller

    def _pressed(self, event: rtc.SipDTMF) -> None:
        if event.participant is None or self.caller in (None, event.participant.identity):
            self._key(event)

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.caller:
            self.caller_gone = False
        asyncio.get_running_loop().call_soon(self._somebody)  # the session links them in a handler of its own

    def _went(self, participant: rtc.RemoteParticipant) -> None:
        """Nobody else counts: who listens hidden is not told to the room, and another agent's going ends no call."""
        if participant.identity != self.caller:
            return
        self.caller_gone = True
        if participant.disconnect_reason in _GONE:
            self._left()

    # --- the end

    async def delete(self) -> None:
        """Disconnect everybody, the caller too. Raises `Refusal` if the server does not."""
        context = get_job_context(required=False)
        if context is not None and context.is_fake_job():
            return  # a console: there is no server, and the session is all there is
        try:
            async with asyncio.timeout(_DELETE_S), api.LiveKitAPI() as server:
                await server.room.delete_room(api.DeleteRoomRequest(room=self.room.name))
        except ValueError as error:
            raise Refusal(
                "The call could not be ended: the agent's process does not know its LiveKit server. Set LIVEKIT_URL, "
                f"LIVEKIT_API_KEY and LIVEKIT_API_SECRET there ({error})."
            ) from error
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise self._still_there(f"{error.code}: {error.message}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._still_there(str(error) or type(error).__name__) from error
        _LOG.info("call %s: its room was deleted", self._call.call_id)

    def _still_there(self, why: str) -> Refusal:
        return Refusal(f"The LiveKit server did not delete the room, and the caller may still be connected ({why}).")
