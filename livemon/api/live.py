"""The live list's socket, a call's socket, and ending a call (docs/interfaces.md, «Endpoints»).

Each endpoint looks by itself who asks, and whether that person may see live calls, at the moment of use.
"""

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from livemon.access.guard import person_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.sessions import Sessions
from livemon.control.outcomes import CommandFailed
from livemon.workspace import Workspace

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


class _Over(Exception):
    """The socket's task is done: the browser left, or must."""


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.websocket("/feed/calls")
    async def list_feed(websocket: WebSocket) -> None:
        async with _admitted(host, websocket, "list") as workspace:
            with workspace.list_feed.connect() as outbox:
                await _serve(websocket, outbox, None)

    @routes.websocket("/feed/calls/{call_id}")
    async def call_feed(websocket: WebSocket, call_id: str) -> None:
        async with _admitted(host, websocket, "call") as workspace:
            live = await _find(workspace, call_id)
            async with workspace.transcripts.watch(live) as (watched, outbox):
                await _serve(websocket, outbox, watched)

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
    if not person.may(Right.LIVE):
        raise Forbidden
    workspace = host.workspaces.get(person.workspace)
    if workspace is None:
        raise ApiError("not_found", "This workspace does not exist any more. Sign in again to choose another.")
    return person, workspace
