"""A page of NiceGUI without a browser: its HTML, and its socket written to by hand, as whoever is signed in can."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from livemon.access.guard import COOKIE
from tests.livemon_process import LivemonProcess

PATIENCE_S = 60
_LISTENER = r'"listener_id":\s*"([^"]+)",\s*"type":\s*"{}"'


@dataclass
class PageClient:
    """A page that is open; `heard` is all that its socket has said since the last `clear`."""

    status: int
    html: str
    socket: ClientConnection
    client_id: str
    heard: list[str] = field(default_factory=list)

    async def send(self, name: str, value: Any) -> None:
        await self.socket.send("42" + json.dumps([name, value]))

    async def emit(self, event: str, *args: Any) -> None:
        """What `window.emitEvent` does in a browser: the event of the whole page."""
        listener = re.search(_LISTENER.format(event), self.html)
        assert listener, f"the page listens to no {event}"
        element = max(
            (int(one[1]) for one in re.finditer(r'"(\d+)":\s*\{"tag"', self.html[: listener.start()])), default=0
        )
        message = {"id": element, "client_id": self.client_id, "listener_id": listener[1]}
        await self.send("event", {**message, "args": [json.dumps(one) for one in args]})

    async def until(self, *words: str) -> str:
        """All that was heard, once one of the words was among it."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(word in one for one in self.heard for word in words):
                self.heard.append(await self._receive())
        return "\n".join(self.heard)

    async def everything(self) -> str:
        """All that is heard until the server has closed the page, or has answered what was sent last."""
        await self.socket.send("421" + json.dumps(["handshake", {}]))
        with suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                while not (text := await self._receive()).startswith("431"):
                    self.heard.append(text)
        return "\n".join(self.heard)

    async def _receive(self) -> str:
        while True:
            text = await self.socket.recv()
            assert isinstance(text, str)
            if text != "2":
                return text
            await self.socket.send("3")  # Engine.IO's heartbeat


@asynccontextmanager
async def page_client(running: LivemonProcess, cookie: str, path: str = "/") -> AsyncIterator[PageClient]:
    """Open the page and its socket; redirects are followed."""
    async with httpx.AsyncClient(
        base_url=running.url, cookies={COOKIE: cookie}, follow_redirects=True, timeout=PATIENCE_S
    ) as browser:
        answer = await browser.get(path)
    html = unescape(answer.text)
    client = re.search(r"client_id['\"]?:\s*['\"]([\w-]+)", html)
    document = re.search(r"documentId\s*=\s*['\"]?([\w-]+)", html)
    assert client, html
    page = {
        "client_id": client[1],
        "tab_id": "tab",
        "document_id": document[1] if document else "document",
        "next_message_id": 0,
    }
    address = f"{running.url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    async with connect(
        address, origin=running.url, additional_headers=headers, max_size=None, open_timeout=PATIENCE_S
    ) as socket:
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        opened = PageClient(answer.status_code, html, socket, client[1])
        await socket.send("421" + json.dumps(["handshake", page]))
        while not (text := await opened._receive()).startswith("431"):
            opened.heard.append(text)
        assert text == "431[true]", text
        yield opened
