"""The signalling of a program that hears a call, and may speak in it (docs/api.md, «Listen, take over, monitor»).

One socket a participant. It brings the SDP offers; whether the call is had is asked for elsewhere (`live_calls`), and told
here at each move.
"""

import asyncio
import contextlib
from typing import Annotated, Literal

import orjson
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.errors import ApiError, CloseCode, Forbidden
from livemon.api.listen import MAX_BODY, begin_listening
from livemon.api.recording import refuse
from livemon.api.sockets import MAX_HOLDERS, Refused, closing, end_of, serve
from livemon.api.take_over import standing_of
from livemon.calls.feed import AWAY
from livemon.control.take_overs import Attempt
from livemon.media.errors import ListenError
from livemon.media.microphone import MicrophoneLink
from livemon.metrics import SOCKETS
from livemon.store.errors import StoreError
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .admission import Host
from .live_tokens import Bearer, LiveTokens, workspace_in
from .participants import Participant, Participants

_log = structlog.get_logger(__name__)

PATH = "/v2/live-audio/{call_id}"
JOIN_WITHIN_S = 10.0
MOST_UNKNOWN = 200
"""Sockets of one node on which nobody has shown a token yet."""
MOST_WAITING = 32
"""Answers that wait to be sent; a program that takes none of them is gone, or means harm."""


class _Join(BaseModel):
    type: Literal["join"]
    access_token: Annotated[str, Field(max_length=512)]
    sdp: str


class _Talk(BaseModel):
    type: Literal["talk"]
    sdp: str


class _Leave(BaseModel):
    type: Literal["leave"]


class _Judge(BaseModel):
    """Never sent by a program: to find out what has become of who may listen no more."""


_JOIN = TypeAdapter(_Join)
_ASKED: TypeAdapter[_Talk | _Leave] = TypeAdapter(Annotated[_Talk | _Leave, Field(discriminator="type")])


def router(host: Host, participants: Participants) -> APIRouter:
    """The socket, for the application to include."""
    routes = APIRouter()
    unknown = asyncio.Semaphore(MOST_UNKNOWN)

    @routes.websocket(PATH)
    async def live_audio(websocket: WebSocket, call_id: str) -> None:
        async with closing(websocket):
            try:
                join, person, workspace, bearer = await _admitted(host, websocket, call_id, unknown)
                participant = Participant(bearer.participant_id, call_id, person, workspace)
                with SOCKETS.labels("live_audio").track_inprogress():
                    await _Signalling(host, websocket, participant).run(participants, join.sdp)
            except ApiError as error:
                await _say(websocket, _error(error))
                raise Refused(_CODES.get(error.code, _code(error)), error.code) from error

    return routes


_AGAIN = ("shutdown", "codec_changed", "failed")
"""Why it may hear no more and should come again."""
_CODES = {
    "unauthenticated": CloseCode.UNAUTHENTICATED,
    "forbidden": CloseCode.FORBIDDEN,
    "not_found": CloseCode.NOT_LIVE,
    "already_ended": CloseCode.ENDED,
}


def _code(error: ApiError) -> CloseCode:
    return CloseCode.TRY_AGAIN if error.status >= 500 else CloseCode.BAD_REQUEST


# --- coming in


async def _admitted(
    host: Host, websocket: WebSocket, call_id: str, unknown: asyncio.Semaphore
) -> tuple[_Join, Person, Workspace, Bearer]:
    """Who comes, by the token in their first message. Raises `ApiError`, `Refused`."""
    if unknown.locked():
        raise Refused(CloseCode.TRY_AGAIN, "too_many")
    async with unknown:
        join = await _first(websocket)
        workspace = host.workspaces.get(workspace_in(join.access_token) or "")
        if workspace is None:
            raise _not_good()
        try:
            bearer = await tokens_of(workspace).take(check_id("call_id", call_id), join.access_token)
            person = await host.sessions.person(bearer.session_id) if bearer else None
        except InvalidName:
            raise _not_good() from None
        except AWAY as error:
            words = "livemon cannot reach Redis right now, so nobody can say whether this token is good. Try again."
            raise ApiError("redis_away", words) from error
        except StoreError as error:
            raise ApiError("store_away", str(error)) from error
    if bearer is None or person is None or person.workspace != workspace.slug:
        raise _not_good()
    if lacking := next((right for right in (Right.WATCH, Right.LISTEN) if not person.may(right)), None):
        refuse(host, websocket, person)
        raise Forbidden(lacking, is_key=person.is_key)
    if host.sessions.holders(person.session_id) >= MAX_HOLDERS:
        raise Refused(CloseCode.TRY_AGAIN, "too_many")
    return join, person, workspace, bearer


def tokens_of(workspace: Workspace) -> LiveTokens:
    """The workspace's tokens."""
    return LiveTokens(workspace.redis, workspace.slug, workspace.calls.now)


async def _first(websocket: WebSocket) -> _Join:
    try:
        async with asyncio.timeout(JOIN_WITHIN_S):
            message = await websocket.receive()
    except TimeoutError as error:
        raise Refused(CloseCode.POLICY, "nobody_joined") from error
    if message["type"] == "websocket.disconnect":
        raise Refused(CloseCode.ENDED, "left")
    data: str | bytes = message.get("text") or message.get("bytes") or ""
    if len(data) > MAX_BODY:
        raise Refused(CloseCode.POLICY, "too_much")
    try:
        return _JOIN.validate_json(data)
    except ValidationError as error:
        words = (
            'The first message must be {"type": "join", "access_token", "sdp"}. Nothing was done; open a new socket.'
        )
        raise ApiError("bad_request", words) from error


def _not_good() -> ApiError:
    return ApiError(
        "unauthenticated",
        "This access token is not good for this call: it was used already, is older than a minute, belongs to another call,"
        " or its key is good no more. Nothing was begun. Ask /v2/listen-live-call for a new one.",
    )


# --- while it is there


class _Signalling:
    """One participant's socket, from its token to its end."""

    def __init__(self, host: Host, websocket: WebSocket, participant: Participant) -> None:
        self._host, self._websocket, self._participant = host, websocket, participant
        self._answers: asyncio.Queue[str | Refused] = asyncio.Queue(MOST_WAITING)
        self._asked: asyncio.Queue[_Talk | _Leave | _Judge] = asyncio.Queue()
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
            words = 'That message is not understood: {"type": "talk", "sdp"} or {"type": "leave"}. Nothing was done.'
            self._put(_error(ApiError("bad_request", words)))
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
                await self._talk(asked.sdp)
            except ApiError as error:
                self._put(_error(error))
            except Exception:
                # a fault of ours, with one offer: the socket goes on, and so does what is heard
                _log.exception("a microphone's offer failed", call_id=self._participant.call_id)
                self._put(
                    _error(ApiError("internal", "Connecting the microphone failed in livemon itself. Try again."))
                )

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
            raise ApiError(error.code, str(error)) from error
        one.link, one.failure = link, None
        self._put({"type": "talk_ready", "voices": answer.voices, "sdp": answer.sdp})
        self._await_voice(link)

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


def _error(error: ApiError) -> dict[str, object]:
    return {"type": "error", "error": {"code": error.code, "message": error.message}}


async def _say(websocket: WebSocket, message: dict[str, object]) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(JOIN_WITHIN_S):
            await websocket.send_text(orjson.dumps(message).decode())
