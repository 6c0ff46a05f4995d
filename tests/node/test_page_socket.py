"""The socket of NiceGUI's pages, written to by hand as somebody signed in can."""

import json
import re
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from livemon.access.guard import COOKIE
from livemon.access.roles import Role
from tests.livemon_process import LivemonProcess


async def test_nobody_writes_into_the_log_and_nonsense_ends_nothing(running: LivemonProcess):
    cookie = await running.cookie("Maya", Role.MEMBER)
    client_id, document_id = await page_of(running, cookie)
    page = {"client_id": client_id, "tab_id": "tab", "document_id": document_id, "next_message_id": 0}
    address = f"{running.url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    async with connect(address, origin=running.url, additional_headers=headers) as socket:
        assert (await received(socket)).startswith("0{")
        await socket.send("40")
        assert (await received(socket)).startswith("40{")
        assert await answer(socket, "handshake", {}) == [False]
        assert await answer(socket, "handshake", page) == [True]
        await say(
            socket, "log", {"client_id": client_id, "level": "error", "args": ["written by hand"], "message": "so"}
        )
        for name in ("event", "javascript_response", "ack"):
            for nonsense in (
                [],
                {},
                "text",
                None,
                {"client_id": []},
                {"client_id": client_id},
                {"client_id": client_id, "id": "none", "listener_id": "none", "args": 3, "next_message_id": "none"},
                {"client_id": client_id, "request_id": [], "result": {}},
            ):
                await say(socket, name, nonsense)
        assert await answer(socket, "handshake", {}) == [False], "the socket lives"
    assert "written by hand" not in running.output
    assert "makes no sense" in running.output
    assert "Traceback" not in running.output


async def page_of(running: LivemonProcess, cookie: str) -> tuple[str, str]:
    """A page that waits for its browser: its ids."""
    async with httpx.AsyncClient(base_url=running.url, cookies={COOKIE: cookie}, follow_redirects=True) as browser:
        page = (await browser.get("/")).text
    client = re.search(r"client_id['\"]?:\s*['\"]([\w-]+)", page)
    document = re.search(r"documentId\s*=\s*['\"]?([\w-]+)", page)
    assert client, page
    return client[1], document[1] if document else "document"


async def say(socket: ClientConnection, name: str, value: Any) -> None:
    await socket.send("42" + json.dumps([name, value]))


async def answer(socket: ClientConnection, name: str, value: Any) -> list[Any]:
    """What the server's handler returns."""
    await socket.send("421" + json.dumps([name, value]))
    while not (text := await received(socket)).startswith("431"):
        pass
    return json.loads(text.removeprefix("431"))


async def received(socket: ClientConnection) -> str:
    text = await socket.recv()
    assert isinstance(text, str)
    return text
