"""The signalling of one program that hears a call, and may speak in it, from its token to its end (docs/api.md).

It brings the SDP offers, and may ask for the call; how that goes is told at each move.
"""

import asyncio
from typing import Annotated, Literal

import orjson
import structlog
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket

from livemon.access.errors import KeyRefused, TooManyFailures
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.errors import ApiError, CloseCode, Forbidden
from livemon.api.listen import MAX_BODY, begin_listening
from livemon.api.recording import address_of, refuse
from livemon.api.sockets import Refused, end_of, serve
from livemon.api.take_over import standing_of
from livemon.control.take_overs import Attempt
from livemon.media.errors import ListenError
from livemon.media.microphone import MicrophoneLink
from livemon.store.errors import StoreError

from .admission import Host, Pace, keep_pace
from .participants import Participant, Participants
from .taking_over import take_over

_log = structlog.get_logger(__name__)

MOST_WAITING = 32
"""Answers that wait to be sent; a program that takes none of them is gone, or means harm."""
LONGEST_KEY = 256


class _Talk(BaseModel):
    type: Literal["talk"]
    sdp: str


class _TakeOver(BaseModel):
    type: Literal["take_over"]
    api_key: Annotated[str, Field(max_length=LONGEST_KEY)]


class _Leave(BaseModel):
    type: Literal["leave"]


class _Judge(BaseModel):
    """Never sent by a program: to find out what has become of who may listen no more."""


_ASKED: TypeAdapter[_Talk | _TakeOver | _Leave] = TypeAdapter(
    Annotated[_Talk | _TakeOver | _Leave, Field(discriminator="type")]
)
_AGAIN = ("shutdown", "codec_changed", "failed")
"""Why it may hear no more and should come again."""
_NOT_UNDERSTOOD = (
    'That message is not understood: {"type": "talk", "sdp"}, {"type": "take_over", "api_key"} or {"type": "leave"}. Nothing'
    " was done."
)
_NOT_ITS_KEY = (
    "That is not the key by which this participant listens, or it is good no more, so nobody was asked for the call. Send the"
    " key that asked for the access token."
)
_BROKEN = "That failed in livemon itself; what you hear goes on. Try again; the call's own messages say who has it."


class Signalling:
    """One participant's socket, from its token to its end."""

    def __init__(self, host: Host, websocket: WebSocket, participant: Participant) -> None:
        self._host, self._websocket, self._participant = host, websocket, participant
        self._answers: asyncio.Queue[str | Refused] = asyncio.Queue(MOST_WAITING)
        self._asked: asyncio.Queue[_Talk | _TakeOver | _Leave | _Judge] = asyncio.Queue()
        self._last: dict[str, object] = {}
        self._stopped: str | None = None
        """Why it hears the call no more."""
        self._hearing: asyncio.Task[None] | None = None
        participant.told = self._moved

    async def run(self, participants: Participants, sdp: str) -> None:
        """Raises `ApiError` if it is not let listen, `Refused` at the end."""
        one = self._participant
        answer = await begin_listening(
            self._host,
            self._websocket,
            one.person,
            one.workspace,
            one.call_id,
            without_tracks(sdp),
            words=lambda error: error.for_programs,
            listener_id=one.participant_id,
            stopped=self._stop,
        )
        self._put({"type": "joined", "participant_id": one.participant_id, "voices": answer.voices, "sdp": answer.sdp})
        participants.add(one)
        working = asyncio.create_task(self._work(), name=f"signalling of {one.participant_id}")
        try:
            async with self._host.sessions.hold(one.person.session_id, None, seen=self._see) as held:
                await serve(self._websocket, held, self, self._ask, max_message=MAX_BODY)
                if held.ended.is_set():
                    raise await end_of(self._host.sessions, one.person, Right.LISTEN)
        finally:
            working.cancel()
            self._await_voice(None)
            participants.leave(one)
            await self._let_go()

    async def take(self) -> list[str]:
        """What is to be sent next, for `serve`. Raises `Refused` once the socket is to be closed."""
        answer = await self._answers.get()
        if isinstance(answer, Refused):
            raise answer
        return [answer]

    def _put(self, message: dict[str, object]) -> None:
        self._queue(orjson.dumps(message).decode())

    def _queue(self, answer: str | Refused) -> None:
        if self._answers.full():  # it reads nothing: what it has missed cannot be made good
            self._answers.get_nowait()
            answer = Refused(CloseCode.TRY_AGAIN, "too_slow")
        self._answers.put_nowait(answer)

    # --- what it asks

    def _ask(self, data: str | bytes) -> None:
        try:
            asked = _ASKED.validate_json(data)
        except ValidationError:
            self._put(said(ApiError("bad_request", _NOT_UNDERSTOOD)))
            return
        if self._asked.qsize() >= MOST_WAITING:
            raise Refused(CloseCode.POLICY, "too_much")
        self._asked.put_nowait(asked)

    async def _work(self) -> None:
        """One after the other, in the order in which it asked."""
        while True:
            asked = await self._asked.get()
            if isinstance(asked, _Leave):
                self._queue(Refused(CloseCode.ENDED, "left"))
                return
            if isinstance(asked, _Judge):
                self._queue(await end_of(self._host.sessions, self._participant.person, Right.LISTEN))
                return
            try:
                await (self._talk(asked.sdp) if isinstance(asked, _Talk) else self._take_over(asked.api_key))
            except ApiError as error:
                self._put(said(error))
            except Exception:
                # a fault of ours, with one message: the socket goes on, and so does what is heard
                _log.exception("what a program asked for failed", asked=asked.type, call_id=self._participant.call_id)
                self._put(said(ApiError("internal", _BROKEN)))

    async def _talk(self, sdp: str) -> None:
        """Answer a microphone's offer. Nobody is asked for the call by this, and nothing that it brings goes anywhere."""
        one = self._participant
        if not one.person.may(Right.TAKE_OVER):
            refuse(self._host, self._websocket, one.person)
            raise Forbidden(Right.TAKE_OVER, is_key=one.person.is_key)
        if one.talks:
            raise ApiError(
                "in_progress", "A take-over of this participant's is under way already; it goes on as it was."
            )
        self._await_voice(None)
        if one.link is not None:
            await one.link.close()
            one.link = None
        try:
            link, answer = await one.workspace.talking.open(one.call_id, one.person.user_id, sdp)
        except ListenError as error:
            raise ApiError(error.code, error.for_programs) from error
        one.link, one.failure = link, None
        self._put({"type": "talk_ready", "voices": answer.voices, "sdp": answer.sdp})
        self._await_voice(link)

    async def _take_over(self, api_key: str) -> None:
        """As /v2/take-over-live-call does it, by the key that the token was given to: the token alone is for listening."""
        one = self._participant
        person = await self._by(api_key)
        await keep_pace(self._host, person, Pace.ACT)
        if not person.may(Right.TAKE_OVER):
            refuse(self._host, self._websocket, person)
            raise Forbidden(Right.TAKE_OVER, is_key=True)
        await take_over(self._host, self._websocket, person, one)
        self._put({"type": "taken_over"})

    async def _by(self, api_key: str) -> Person:
        """Whose key that is; only the participant's own is good. Raises `ApiError`."""
        try:
            person = await self._host.sessions.keys.admit(api_key, address_of(self._websocket), self._host.audit)
        except (KeyRefused, TooManyFailures) as error:
            raise ApiError("unauthenticated", _NOT_ITS_KEY) from error
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
        if not self._participant.is_of(person):
            raise ApiError("unauthenticated", _NOT_ITS_KEY)
        return person

    def _await_voice(self, link: MicrophoneLink | None) -> None:
        """Say when that microphone is heard; no earlier one any more."""
        if self._hearing is not None:
            self._hearing.cancel()
        self._hearing = link and asyncio.create_task(self._say_heard(link), name=f"microphone of {link.call_id}")

    async def _say_heard(self, link: MicrophoneLink) -> None:
        await link.heard.wait()
        self._put({"type": "heard"})

    # --- what it is told

    def _moved(self, attempt: Attempt) -> None:
        one = self._participant
        standing = standing_of(attempt, one.workspace, one.person)
        if attempt is one.attempt and {**standing, "now": 0} != self._last:
            self._last = {**standing, "now": 0}
            self._put({"type": "take_over", **standing})
        self._end_if_over()

    def _see(self, person: Person) -> None:
        self._participant.person = person

    def _stop(self, reason: str) -> None:
        self._stopped = reason
        self._put({"type": "stopped", "reason": reason})
        self._end_if_over()

    def _end_if_over(self) -> None:
        """Once it hears nothing any more, and has no call that it could be told of."""
        if self._stopped is None or self._participant.talks:
            return
        if self._stopped == "session_ended":
            self._asked.put_nowait(_Judge())
            return
        self._queue(Refused(CloseCode.TRY_AGAIN if self._stopped in _AGAIN else CloseCode.ENDED, self._stopped))

    async def _let_go(self) -> None:
        """It is gone: nothing is listened to, and no microphone is held for it. A call that it has goes by its microphone."""
        one = self._participant
        one.told = lambda _: None
        await one.workspace.listening.close(one.participant_id)
        if one.link is not None and not one.talks:
            await one.link.close()


def without_tracks(sdp: str) -> str:
    """An offer without the names of tracks, which some libraries write where they only receive (RFC 9429, section 5.2.1,
    has it otherwise). What could send is said by each section's direction, and refused by that."""
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(("a=msid:", "a=ssrc:")))


def said(error: ApiError) -> dict[str, object]:
    """The message that says it."""
    return {"type": "error", "error": {"code": error.code, "message": error.message}}
