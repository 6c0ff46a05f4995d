"""The socket of a program that hears a call, and may speak in it (docs/api.md, «Listen, take over, monitor»): who is let in.

One socket a participant; what goes over it from then on is `signalling`'s.
"""

import asyncio
import contextlib
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.errors import ApiError, CloseCode, Forbidden
from livemon.api.listen import MAX_BODY
from livemon.api.recording import address_of, refuse
from livemon.api.sockets import MAX_HOLDERS, Refused, closing
from livemon.calls.feed import AWAY
from livemon.metrics import SOCKETS
from livemon.store.errors import StoreError
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .admission import Host
from .live_tokens import Bearer, LiveTokens, workspace_in
from .participants import Participant, Participants
from .signalling import Signalling, said
from .strangers import Strangers

PATH = "/v2/live-audio/{call_id}"
JOIN_WITHIN_S = 10.0


class _Join(BaseModel):
    type: Literal["join"]
    access_token: Annotated[str, Field(max_length=512)]
    sdp: str


_JOIN = TypeAdapter(_Join)


def router(host: Host, participants: Participants) -> APIRouter:
    """The socket, for the application to include."""
    routes = APIRouter()
    strangers = Strangers()

    @routes.websocket(PATH)
    async def live_audio(websocket: WebSocket, call_id: str) -> None:
        async with closing(websocket):
            try:
                join, person, workspace, bearer = await _admitted(host, websocket, call_id, strangers)
                participant = Participant(bearer.participant_id, call_id, person, workspace)
                with SOCKETS.labels("live_audio").track_inprogress():
                    await Signalling(host, websocket, participant).run(participants, join.sdp)
            except ApiError as error:
                await _say(websocket, said(error))
                raise Refused(_CODES.get(error.code, _code(error)), error.code) from error

    return routes


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
    host: Host, websocket: WebSocket, call_id: str, strangers: Strangers
) -> tuple[_Join, Person, Workspace, Bearer]:
    """Who comes, by the token in their first message. Raises `ApiError`, `Refused`."""
    with strangers.place(address_of(websocket)):
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


async def _say(websocket: WebSocket, message: dict[str, object]) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(JOIN_WITHIN_S):
            await websocket.send_text(orjson.dumps(message).decode())
