"""A bot of a user's own, for the lines of the Connect page: it answers a caller who has called this process by a websocket."""

import asyncio

import uvicorn
import websockets.asyncio.client
from fastapi import FastAPI, WebSocket
from pipecat.pipeline.worker import PipelineWorker
from pipecat.transports.base_transport import BaseTransport

from tests.adapters.pipecat import bot
from tests.adapters.pipecat.caller import Caller
from tests.conftest import free_port

_tasks: set[asyncio.Task[None]] = set()


async def make_bot() -> tuple[PipelineWorker, BaseTransport]:
    """The worker and the transport of one call, whose caller hangs on."""
    bot.watch = lambda *_args, **_fields: None  # the lines of the page say that themselves
    made: asyncio.Queue[bot.Bot] = asyncio.Queue()
    app, port = FastAPI(), free_port()

    @app.websocket("/")
    async def _(websocket: WebSocket) -> None:
        await websocket.accept()
        made.put_nowait(bot.build(websocket, None, bot.Setting(), Caller()))
        await asyncio.Event().wait()

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    _tasks.add(asyncio.create_task(server.serve()))
    while not server.started:
        await asyncio.sleep(0.01)
    _tasks.add(asyncio.create_task(_call(port)))
    answered = await made.get()
    return answered.worker, answered.transport


async def _call(port: int) -> None:
    async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/") as line:
        async for _ in line:
            pass
