"""What all of livemon's own WebSockets share: who may have one, how it is refused, and how it is served until it ends.

Each looks by itself who asks, and whether that person may do what the socket is for, at the moment of use.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Held, Sessions
from livemon.calls.limits import RateLimit
from livemon.calls.sight import Sight
from livemon.calls.transcript_feed import TooManyWatched
from livemon.masking.text import mask_text
from livemon.metrics import SOCKETS
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.workspace import Workspace

from .errors import ApiError, CloseCode, Forbidden, NotSignedIn
from .recording import refuse

SEND_TIMEOUT_S = 15.0
"""A socket that takes nothing for this long is closed: its browser is gone, or will reconnect."""

MAX_MESSAGE = 4_096
MESSAGES_A_SECOND, MESSAGES_BURST = 20, 100
MAX_HOLDERS = 200
"""Sockets and listeners of one session: a hundred tabs; what wants more is no person."""


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def audit(self) -> AuditLog: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def workspaces(self) -> Mapping[str, Workspace]: ...


class Waiting(Protocol):
    """What is to be sent on one socket: an `Outbox`, or what makes other messages of one."""

    async def take(self) -> list[str]:
        """Wait for messages and take all there are. Raises `Refused` once the socket is to be closed."""
        ...


class Refused(Exception):
    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Left(Exception):
    """The browser is gone, or takes nothing any more."""


def allowed(
    host: Host,
    connection: HTTPConnection,
    right: Right | None = Right.WATCH,
    *,
    unless: Callable[[Person, Workspace], bool] = lambda _person, _workspace: False,
) -> tuple[Person, Workspace]:
    """Who asks, and the workspace of the session. Raises `ApiError`, and notes it, if that person lacks the right.

    None: whoever is signed in, for what is theirs whatever their role is by now. `unless` says who needs none: it is asked
    only of those who lack it.
    """
    person = person_of(connection)
    if person is None:
        raise NotSignedIn
    workspace = host.workspaces.get(person.workspace)
    needed = () if right is None else (Right.WATCH, right)
    lacking = next((one for one in needed if not person.may(one)), None)
    if lacking and not (workspace and unless(person, workspace)):
        refuse(host, connection, person)
        raise Forbidden(lacking, is_key=person.is_key)
    if workspace is None:
        raise ApiError(
            "not_ready",
            "This server is only just connecting to your workspace. No call is affected. Try again in a few seconds.",
        )
    return person, workspace


@asynccontextmanager
async def closing(websocket: WebSocket, subprotocol: str | None = None) -> AsyncGenerator[None]:
    """Accept a socket; whatever refuses it within, at once or later, becomes its close code."""
    await websocket.accept(subprotocol)
    try:
        yield
    except Refused as refused:
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):  # it may be gone by itself
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await websocket.close(refused.code, refused.reason)


@asynccontextmanager
async def admitted(
    host: Host,
    websocket: WebSocket,
    feed: str,
    right: Right | None = Right.WATCH,
    *,
    seen: Callable[[Person], None] | None = None,
) -> AsyncGenerator[tuple[Workspace, Held]]:
    """The workspace, for whoever has the right (as `allowed`), until the session ends. Raises `Refused`.

    What is told depends on all rights of the person (`Held.rights`): once they are others the socket closes, and the
    browser comes again; unless no right is needed: then `seen` is told who it is, at each look.
    """
    try:
        person, workspace = allowed(host, websocket, right)
    except ApiError as error:
        raise Refused(_CLOSE_CODES.get(error.code, CloseCode.TRY_AGAIN), error.code) from error
    if host.sessions.holders(person.session_id) >= MAX_HOLDERS:
        raise Refused(CloseCode.TRY_AGAIN, "too_many")
    rights = person.rights if right is not None else None
    async with host.sessions.hold(person.session_id, right, rights=rights, seen=seen) as held:
        with SOCKETS.labels(feed).track_inprogress():
            try:
                yield workspace, held
            except TooManyWatched as error:
                raise Refused(CloseCode.TRY_AGAIN, "too_many") from error
            if held.ended.is_set():
                raise await end_of(host.sessions, person, right)


async def end_of(sessions: Sessions, person: Person, right: Right | None) -> Refused:
    """Whether the session is gone, or only the right, or other rights are others now, or nobody can tell."""
    try:
        now = await sessions.person(person.session_id)
    except StoreError:
        return Refused(CloseCode.TRY_AGAIN, "session_ended")
    if now is None:
        return Refused(CloseCode.UNAUTHENTICATED, "session_ended")
    if right is None or (now.may(right) and now.may(Right.WATCH)):
        return Refused(CloseCode.TRY_AGAIN, "rights_changed")
    return Refused(CloseCode.FORBIDDEN, "session_ended")


def sight_of(held: Held) -> Sight:
    """What of calls may be told through a socket."""
    rights = held.rights or frozenset()
    return Sight(read=Right.READ in rights, unmasked=Right.UNMASKED in rights)


def words_for(person: Person | None, *words: str) -> list[str]:
    """What a runtime says, as that person may see it; as little as anybody, if nobody knows who it is."""
    return [one if person and person.may(Right.UNMASKED) else mask_text(one) for one in words]


_CLOSE_CODES = {
    "unauthenticated": CloseCode.UNAUTHENTICATED,
    "forbidden": CloseCode.FORBIDDEN,
    "not_found": CloseCode.NOT_FOUND,
}


async def serve(
    websocket: WebSocket,
    held: Held,
    outbox: Waiting,
    said: Callable[[str | bytes], None] = lambda _: None,
    *,
    max_message: int = MAX_MESSAGE,
) -> None:
    """Send what the outbox gives until the browser goes, the session ends, or the socket is misused (`Refused`)."""
    refused: Refused | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(websocket, outbox))
            tasks.create_task(_receive(websocket, said, max_message))
            tasks.create_task(_end_with(held))
    except* _Left:
        pass
    except* Refused as group:
        refused = cast(Refused, group.exceptions[0])
    if refused is not None:
        raise refused


async def _send(websocket: WebSocket, outbox: Waiting) -> None:
    try:
        while True:
            for message in await outbox.take():
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await websocket.send_text(message)
    except (WebSocketDisconnect, RuntimeError) as error:
        raise _Left from error
    except TimeoutError as error:
        raise Refused(CloseCode.TRY_AGAIN, "too_slow") from error


async def _receive(websocket: WebSocket, said: Callable[[str | bytes], None], max_message: int) -> None:
    """Take the browser's questions; a flood or a long message closes the socket, anything unknown is ignored."""
    rate = RateLimit(MESSAGES_A_SECOND, MESSAGES_BURST)
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise _Left
        data: str | bytes = message.get("text") or message.get("bytes") or ""
        if len(data) > max_message or not rate.allow("", int(time.monotonic() * 1000)):
            raise Refused(CloseCode.POLICY, "too_much")
        said(data)


async def _end_with(held: Held) -> None:
    await held.ended.wait()
    raise _Left
