"""The live list's socket, a call's socket, and ending a call (docs/interfaces.md, «Endpoints»)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import orjson
from fastapi import APIRouter, Request
from starlette.websockets import WebSocket

from livemon.access.roles import Right
from livemon.calls.feed import AWAY
from livemon.calls.outbox import Outbox
from livemon.calls.registry import LiveCall
from livemon.calls.sight import Sight
from livemon.calls.transcript import Key
from livemon.calls.transcript_feed import Watched
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .commanding import end, has
from .errors import CloseCode
from .sockets import Host, Refused, admitted, allowed, closing, serve, sight_of


def router(host: Host) -> APIRouter:
    """The endpoints, for the application to include."""
    routes = APIRouter()

    @routes.websocket("/feed/calls")
    async def list_feed(websocket: WebSocket) -> None:
        async with (
            closing(websocket),
            admitted(host, websocket, "list") as (workspace, held),
            _list_of(workspace, sight_of(held)) as outbox,
        ):
            await serve(websocket, held, outbox)

    @routes.websocket("/feed/alerts")
    async def alert_feed(websocket: WebSocket) -> None:
        async with closing(websocket), admitted(host, websocket, "alerts", Right.MANAGE) as (workspace, held):
            with workspace.alerts.connect() as outbox:
                await serve(websocket, held, outbox)

    @routes.websocket("/feed/calls/{call_id}")
    async def call_feed(websocket: WebSocket, call_id: str) -> None:
        async with closing(websocket), admitted(host, websocket, "call") as (workspace, held):
            live = await _find(workspace, call_id)
            async with workspace.transcripts.watch(live, sight_of(held)) as (watched, outbox):
                await serve(websocket, held, outbox, partial(_asked, watched, outbox))

    @routes.post("/calls/{call_id}/end")
    async def end_call(request: Request, call_id: str) -> dict[str, bool]:
        person, workspace = allowed(host, request, Right.END, unless=partial(has, call_id))
        await end(host, request, person, workspace, call_id)
        return {"ok": True}

    return routes


@asynccontextmanager
async def _list_of(workspace: Workspace, sight: Sight) -> AsyncGenerator[Outbox]:
    """The list as somebody may see it."""
    if sight.unmasked:
        with workspace.list_feed.connect() as outbox:
            yield outbox
    else:
        async with workspace.list_feed.connect_masked() as outbox:
            yield outbox


async def _find(workspace: Workspace, call_id: str) -> LiveCall:
    """The call, live or ended within the hour. Raises `Refused`."""
    try:
        live = await workspace.calls.find(check_id("call_id", call_id))
    except InvalidName as error:
        raise Refused(CloseCode.NOT_FOUND, "not_found") from error
    except AWAY as error:
        raise Refused(CloseCode.TRY_AGAIN, "redis_away") from error
    if live is None:
        raise Refused(CloseCode.NOT_FOUND, "not_found")
    return live


def _asked(watched: Watched, outbox: Outbox, data: str | bytes) -> None:
    """What a page asks of a call's socket: older entries."""
    if (before := _older_than(data)) is not None:
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
