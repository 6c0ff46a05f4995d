"""The live list's socket, a call's socket, and ending a call (docs/interfaces.md, «Endpoints»).

Each endpoint looks by itself who asks, and whether that person may see live calls, at the moment of use.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

import orjson
from fastapi import APIRouter, Request
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Held, Sessions
from livemon.calls.feed import AWAY
from livemon.calls.limits import RateLimit
from livemon.calls.outbox import Outbox
from livemon.calls.registry import LiveCall
from livemon.calls.transcript import Key
from livemon.calls.transcript_feed import TooManyWatched, Watched
from livemon.control.outcomes import CommandFailed
from livemon.metrics import SOCKETS
from livemon.store.errors import StoreError
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .errors import ApiError, CloseCode, Forbidden, NotSignedIn

SEND_TIMEOUT_S = 15.0
"""A socket that takes nothing for this long is closed: its browser is gone, or will reconnect."""

MAX_MESSAGE = 4_096
MESSAGES_A_SECOND, MESSAGES_BURST = 20, 100


class Host(Protocol):
    """What the endpoints need of the node."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def workspaces(self) -> Mapping[str, Workspace]: ...


class _Refused(Exception):
    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Left(Exception):
    """The browser is gone, or takes nothing any more."""


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.websocket("/feed/calls")
    async def list_feed(websocket: WebSocket) -> None:
        async with _closing(websocket), _admitted(host, websocket, "list") as (workspace, held):
            with workspace.list_feed.connect() as outbox:
                await _serve(websocket, held, outbox, None)

    @routes.websocket("/feed/calls/{call_id}")
    async def call_feed(websocket: WebSocket, call_id: str) -> None:
        async with _closing(websocket), _admitted(host, websocket, "call") as (workspace, held):
            live = await _find(workspace, call_id)
            async with workspace.transcripts.watch(live) as (watched, outbox):
                await _serve(websocket, held, outbox, watched)

    @routes.post("/calls/{call_id}/end")
    async def end_call(request: Request, call_id: str) -> dict[str, bool]:
        person, workspace = allowed(host, request)
        try:
            await workspace.control.end(call_id, person.user_id, person.name)
        except CommandFailed as failure:
            raise ApiError(failure.code, str(failure)) from failure
        return {"ok": True}

    return routes


def allowed(host: Host, connection: HTTPConnection) -> tuple[Person, Workspace]:
    """Who asks, and the workspace of the session. Raises `ApiError` if that person may not see live calls."""
    person = person_of(connection)
    if person is None:
        raise NotSignedIn
    if not person.may(Right.WATCH):
        raise Forbidden
    workspace = host.workspaces.get(person.workspace)
    if workspace is None:
        raise ApiError("not_found", "This workspace does not exist any more. Sign in again to choose another.")
    return person, workspace


# --- sockets ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _closing(websocket: WebSocket) -> AsyncGenerator[None]:
    """Accept a socket; whatever refuses it within, at once or later, becomes its close code."""
    await websocket.accept()
    try:
        yield
    except _Refused as refused:
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):  # it may be gone by itself
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await websocket.close(refused.code, refused.reason)


@asynccontextmanager
async def _admitted(host: Host, websocket: WebSocket, feed: str) -> AsyncGenerator[tuple[Workspace, Held]]:
    """The workspace, for whoever may see live calls, until the session ends. Raises `_Refused`."""
    try:
        person, workspace = allowed(host, websocket)
    except ApiError as error:
        raise _Refused(_CLOSE_CODES.get(error.code, CloseCode.TRY_AGAIN), error.code) from error
    async with host.sessions.hold(person.session_id) as held:
        with SOCKETS.labels(feed).track_inprogress():
            try:
                yield workspace, held
            except TooManyWatched as error:
                raise _Refused(CloseCode.TRY_AGAIN, "too_many") from error
            if held.ended.is_set():
                raise _Refused(await _code_of_end(host.sessions, person), "session_ended")


async def _code_of_end(sessions: Sessions, person: Person) -> CloseCode:
    """Whether the session is gone, or only the right, or nobody can tell."""
    try:
        signed_in = await sessions.person(person.session_id) is not None
    except StoreError:
        return CloseCode.TRY_AGAIN
    return CloseCode.FORBIDDEN if signed_in else CloseCode.UNAUTHENTICATED


_CLOSE_CODES = {
    "unauthenticated": CloseCode.UNAUTHENTICATED,
    "forbidden": CloseCode.FORBIDDEN,
    "not_found": CloseCode.NOT_FOUND,
}


async def _find(workspace: Workspace, call_id: str) -> LiveCall:
    """The call, live or ended within the hour. Raises `_Refused`."""
    try:
        live = await workspace.calls.find(check_id("call_id", call_id))
    except InvalidName as error:
        raise _Refused(CloseCode.NOT_FOUND, "not_found") from error
    except AWAY as error:
        raise _Refused(CloseCode.TRY_AGAIN, "redis_away") from error
    if live is None:
        raise _Refused(CloseCode.NOT_FOUND, "not_found")
    return live


async def _serve(websocket: WebSocket, held: Held, outbox: Outbox, watched: Watched | None) -> None:
    """Send what the outbox gives until the browser goes, the session ends, or the socket is misused (`_Refused`)."""
    refused: _Refused | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(websocket, outbox))
            tasks.create_task(_receive(websocket, outbox, watched))
            tasks.create_task(_end_with(held))
    except* _Left:
        pass
    except* _Refused as group:
        refused = cast(_Refused, group.exceptions[0])
    if refused is not None:
        raise refused


async def _send(websocket: WebSocket, outbox: Outbox) -> None:
    try:
        while True:
            for message in await outbox.take():
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await websocket.send_text(message)
    except (WebSocketDisconnect, RuntimeError) as error:
        raise _Left from error
    except TimeoutError as error:
        raise _Refused(CloseCode.TRY_AGAIN, "too_slow") from error


async def _receive(websocket: WebSocket, outbox: Outbox, watched: Watched | None) -> None:
    """Take the browser's questions; a flood or a long message closes the socket, anything unknown is ignored."""
    rate = RateLimit(MESSAGES_A_SECOND, MESSAGES_BURST)
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise _Left
        data: str | bytes = message.get("text") or message.get("bytes") or ""
        if len(data) > MAX_MESSAGE or not rate.allow("", int(time.monotonic() * 1000)):
            raise _Refused(CloseCode.POLICY, "too_much")
        before = _older_than(data)
        if watched is not None and before is not None:
            watched.older(outbox, before)


def _older_than(data: str | bytes) -> Key | None:
    """What `{"t": "older", "before": [time_ms, n]}` asks for; None for anything else."""
    try:
        asked = orjson.loads(data)
        if asked["t"] != "older":
            return None
        time_ms, n = asked["before"]
    except (ValueError, TypeError, KeyError):
        return None
    return (time_ms, n) if type(time_ms) is int and type(n) is int else None


async def _end_with(held: Held) -> None:
    await held.ended.wait()
    raise _Left
