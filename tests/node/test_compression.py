"""What a browser gets compressed, and what not: its side of the extension counts what came over the wire."""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn
from websockets.asyncio.client import connect
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame

from livemon.compression import LONG_BYTES, WebSocketProtocol
from tests.conftest import free_port

SHORT = "a diff"
LONG = "a snapshot, said again " * LONG_BYTES


async def speaker(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that says a short message, a long one twice, and what it is told."""
    await receive()
    await send({"type": "websocket.accept"})
    for text in (SHORT, LONG, LONG):
        await send({"type": "websocket.send", "text": text})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


class Counting(PerMessageDeflate):
    """A browser's end, which notes what came: whether compressed, and how many bytes."""

    came: list[tuple[bool, int]]

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        self.came.append((frame.rsv1, len(frame.data)))
        return super().decode(frame, max_size=max_size)


class CountingFactory(ClientPerMessageDeflateFactory):
    def __init__(self) -> None:
        super().__init__(client_max_window_bits=True)
        self.came: list[tuple[bool, int]] = []

    def process_response_params(self, params: Any, accepted_extensions: Sequence[Extension]) -> PerMessageDeflate:
        agreed = super().process_response_params(params, accepted_extensions)
        counting = Counting(
            agreed.remote_no_context_takeover,
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
            agreed.compress_settings,
        )
        counting.came = self.came
        return counting


async def test_long_messages_come_compressed_and_short_ones_as_they_are():
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(speaker, port=port, ws=WebSocketProtocol, lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.01)
        browser = CountingFactory()
        async with connect(f"ws://127.0.0.1:{port}/", compression=None, extensions=[browser]) as socket:
            assert [await socket.recv() for _ in range(3)] == [SHORT, LONG, LONG]
            await socket.send(LONG)
            assert await socket.recv() == LONG
        async with connect(f"ws://127.0.0.1:{port}/", compression=None) as socket:
            assert [await socket.recv() for _ in range(3)] == [SHORT, LONG, LONG]
    assert browser.came[0] == (False, len(SHORT))
    for compressed, size in browser.came[1:4]:
        assert compressed
        assert size < len(LONG) / 10
    server.should_exit = True
    await serving
