"""How a listener gets into each of the servers: livemon by its own endpoint, its rivals by theirs."""

import asyncio
import contextlib
import json
from itertools import count
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from livemon.bench.ear import Ear
from livemon.bench.errors import BenchError

TIMEOUT_S = 60.0


class Door(Protocol):
    async def enter(self, ear: Ear, call: str, cookie: str) -> None:
        """Connect `ear` to the call; returns once offer and answer are exchanged. Raises `BenchError`."""
        ...


class HttpDoor:
    """One POST with an offer, which brings the answer: livemon, and the plain server of aiortc's."""

    def __init__(self, url: str, path: str) -> None:
        self._url, self._path = url, path
        self._client = httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=TIMEOUT_S)

    async def enter(self, ear: Ear, call: str, cookie: str) -> None:
        headers = {"Cookie": cookie} if cookie else {}
        offer = {"sdp": await ear.offer()}
        answer = await self._client.post(self._path.format(call=call), json=offer, headers=headers)
        if not answer.is_success:
            raise BenchError(f"{self._url} lets nobody listen", answer.text[:400])
        await ear.take(answer.json()["sdp"])


class JanusDoor:
    """Janus's API over one WebSocket: a handle a listener, which watches a mountpoint of the streaming plugin."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._session: int | None = None
        self._opening = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self, ear: Ear, call: str, cookie: str) -> None:
        async with self._opening:
            if self._session is None:
                await self._open()
        handle = (await self._ask(janus="attach", plugin="janus.plugin.streaming"))["data"]["id"]
        watching = await self._ask(janus="message", handle_id=handle, body={"request": "watch", "id": int(call)})
        if "jsep" not in watching:
            raise BenchError("Janus lets nobody listen", json.dumps(watching)[:400])
        jsep = {"type": "answer", "sdp": await ear.answer(watching["jsep"]["sdp"])}
        await self._ask(janus="message", handle_id=handle, body={"request": "start"}, jsep=jsep)

    async def _open(self) -> None:
        self._socket = await connect(self._url, subprotocols=[Subprotocol("janus-protocol")], max_size=None)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._stay())]
        self._session = (await self._ask(janus="create"))["data"]["id"]

    async def _ask(self, **message: Any) -> dict[str, Any]:
        transaction = str(next(self._numbers))
        answered = self._asked[transaction] = asyncio.get_running_loop().create_future()
        session = {} if self._session is None else {"session_id": self._session}
        await self._socket.send(json.dumps({**session, **message, "transaction": transaction}))
        async with asyncio.timeout(TIMEOUT_S):
            answer = await answered
        if answer["janus"] == "error":
            raise BenchError("Janus refused", json.dumps(answer)[:400])
        return answer

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if message["janus"] == "ack":  # what came of it follows
                continue
            asked = self._asked.pop(message.get("transaction", ""), None)
            if asked is not None and not asked.done():
                asked.set_result(message)

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(20)
            with contextlib.suppress(TimeoutError):
                await self._ask(janus="keepalive")


def door(kind: str, url: str) -> Door:
    """The way into a server of this kind: `livemon`, `aiortc` or `janus`."""
    if kind == "janus":
        return JanusDoor(url)
    return HttpDoor(url, "/calls/{call}/listen" if kind == "livemon" else "/offer/{call}")
