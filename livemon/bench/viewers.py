"""Browsers' sockets without browsers: they read what a page would read, and count it."""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from livemon.bench.errors import BenchError
from livemon.bench.process import Server


@dataclass
class Viewer:
    """One open socket and the bytes it was sent."""

    received: int = 0
    messages: int = 0


async def read_feed(server: Server, path: str, viewer: Viewer, ready: asyncio.Event) -> None:
    """Follow one of livemon's own sockets until cancelled; `ready` is set at the first message."""
    url = server.url.replace("http", "ws", 1) + path
    headers = {"Cookie": server.cookie or ""}
    async with connect(url, additional_headers=headers, origin=Origin(server.url), max_size=None) as socket:
        async for message in socket:
            viewer.received += len(message)
            viewer.messages += 1
            ready.set()


async def read_nicegui(server: Server, viewer: Viewer, ready: asyncio.Event) -> None:
    """Open a rival's NiceGUI page and follow its socket (engine.io 4 over WebSocket) until cancelled."""
    async with httpx.AsyncClient(timeout=120) as client:
        page = (await client.get(server.url + "/")).text
    found = re.search(r"query: \{(.*?)\},\n", page)
    if not found:
        raise BenchError("the rival's page has no socket parameters", page[:300])
    told = dict(re.findall(r"['\"](\w+)['\"]: ['\"]?([\w-]+)", found[1]))
    query = {
        **told,
        "implicit_handshake": "true",
        "tab_id": "bench",
        "document_id": "bench",
        "EIO": 4,
        "transport": "websocket",
    }
    url = server.url.replace("http", "ws", 1) + f"/_nicegui_ws/socket.io/?{urlencode(query)}"
    try:
        async with connect(url, max_size=None) as socket:
            await socket.send("40")
            async for message in socket:
                if message == "2":
                    await socket.send("3")
                viewer.received += len(message)
                viewer.messages += 1
                ready.set()
    except WebSocketException as error:
        raise BenchError("a rival's socket broke", str(error)) from error
