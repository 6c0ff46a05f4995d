"""The socket of a program that monitors a call (docs/api.md, «Listen, take over, monitor»)."""

from contextlib import suppress
from functools import partial
from typing import cast

import orjson
from fastapi import APIRouter
from starlette.websockets import WebSocket

from livemon.access.key_bearers import SUBPROTOCOL, key_in_subprotocols
from livemon.api.errors import CloseCode
from livemon.api.sockets import Refused, admitted, closing, serve, sight_of
from livemon.calls.encoding import encode
from livemon.calls.feed import AWAY
from livemon.calls.outbox import Outbox
from livemon.calls.registry import LiveCall
from livemon.calls.sight import Sight
from livemon.calls.transcript_feed import Transcripts, Watched
from livemon.workspace import Workspace
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import check_id

from .admission import Host
from .call_object import call_object
from .monitor import Message, Monitor


def router(host: Host) -> APIRouter:
    """The socket, for the application to include."""
    routes = APIRouter()

    @routes.websocket("/v2/monitor-call/{call_id}")
    async def monitor_call(websocket: WebSocket, call_id: str) -> None:
        async with (
            closing(websocket, None if key_in_subprotocols(websocket) is None else SUBPROTOCOL),
            admitted(host, websocket, "monitor") as (workspace, held),
        ):
            live = await _live(workspace, call_id)
            sight = sight_of(held)
            async with workspace.transcripts.watch(live, sight) as (watched, outbox):
                monitor = Monitor(call_id, partial(_shape, workspace, watched, sight))
                await serve(websocket, held, _Told(monitor, workspace.transcripts, watched, outbox))

    return routes


class _Told:
    """What is sent to one program. Once the call has ended, everything that was said in it is sent before the end."""

    def __init__(self, monitor: Monitor, transcripts: Transcripts, watched: Watched, outbox: Outbox) -> None:
        self._monitor, self._transcripts, self._watched, self._outbox = monitor, transcripts, watched, outbox
        self._ended = False

    async def take(self) -> list[str]:
        if self._ended:
            raise Refused(CloseCode.ENDED, "call_ended")
        messages: list[Message] = []
        while not messages:
            messages = await self._next()
            if self._monitor.over:
                messages += await self._rest()
                self._ended = True
        return [encode(message).decode() for message in messages]

    async def _next(self) -> list[Message]:
        told = [cast("Message", orjson.loads(message)) for message in await self._outbox.take()]
        messages = [made for message in told for made in self._monitor.take(message)]
        if (before := self._monitor.older) is not None:
            self._monitor.older = None
            self._watched.older(self._outbox, before)
        return messages

    async def _rest(self) -> list[Message]:
        """What was said before the end and has not been told; while Redis is away that is all there is to tell."""
        with suppress(*AWAY, TimeoutError):
            await self._transcripts.settle(self._watched)
        messages: list[Message] = []
        while self._outbox.ready:
            messages += await self._next()
        return [*messages, self._monitor.end()]


def _shape(workspace: Workspace, watched: Watched, sight: Sight, message: Message) -> Message:
    """The call as get-call has it."""
    live = watched.live
    return call_object(live, workspace.presence.of(live.call.call_id), sight, cast("int", message["now"]))


async def _live(workspace: Workspace, call_id: str) -> LiveCall:
    """The call, live or ended within the hour. Raises `Refused`: with `NOT_LIVE` for one that may yet come."""
    try:
        live = await workspace.calls.find(check_id("call_id", call_id))
    except InvalidName as error:
        raise Refused(CloseCode.NOT_FOUND, "not_found") from error
    except AWAY as error:
        raise Refused(CloseCode.TRY_AGAIN, "redis_away") from error
    if live is None or not (live.listed or live.over):
        raise Refused(CloseCode.NOT_LIVE, "not_live")
    return live
