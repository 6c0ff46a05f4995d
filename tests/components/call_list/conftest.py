"""The call list in a real Chromium, on a page of its own, fed by a server that says what the test wants said.

The messages are those of docs/interfaces.md over a real WebSocket. What livemon itself says is tested in tests/browser.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nicegui
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Locator, Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from components.assets import Assets
from livemon.texts import TEXTS
from tests.chromium import close
from tests.conftest import free_port

VUE = Path(nicegui.__file__).parent / "static"
START = 1_760_000_000_000
PAGE = """<!doctype html>
<html lang="en" data-theme="light"><head><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/assets/theme.css"><link rel="stylesheet" href="/assets/call_list.css">
<style>#app { height: 100vh }</style>
<script type="importmap">{"imports": {"vue": "/static/vue.esm-browser.prod.js"}}</script></head>
<body><div id="app"></div><div id="transcript" data-testid="transcript" tabindex="0">A transcript</div>
<script type="module">
  import * as Vue from "vue";
  window.Vue = Vue;
  window.loads = (Number(sessionStorage.loads) || 0) + 1;
  sessionStorage.loads = window.loads;
  window.connection = [];
  window.addEventListener("livemon:connection", (event) => window.connection.push(event.detail));
  const { default: list } = await import("/assets/call_list.js");
  const texts = await (await fetch("/texts")).json();
  window.state = Vue.reactive({ open_id: null, pinned: false, active: true, connect: "pip install ./runtime" });
  window.opened = [];
  const onOpen = (id, by) => { window.opened.push([id, by]); window.state.open_id = id; };
  Vue.createApp({ render: () => Vue.h(list, { texts, ...window.state, onOpen }) }).mount("#app");
  window.ready = true;
</script></body></html>"""


def row(n: int, **fields: Any) -> dict[str, Any]:
    """Call number n, which began n minutes after START: `call-001`, inbound, agent Ada."""
    made: dict[str, Any] = {"id": f"call-{n:03}", "start": START + n * 60_000, "type": "phone_call", "dir": "inbound"}
    made |= {"from": f"+1212555{n:04}", "to": "+16465550000", "agent": "Ada", "version": "1", "status": "ongoing"}
    return made | {"holder": None, "listeners": [], "quiet": None, "caps": [], "audio": True} | fields


@dataclass
class ListStage:
    """A page with the list, and everything that is said to it."""

    page: Page
    sockets: list[WebSocket] = field(default_factory=list)
    connections: int = 0
    connected: asyncio.Condition = field(default_factory=asyncio.Condition)
    refusal: int | None = None
    seq: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> int:
        """The stage's clock: START plus two hours, and it runs."""
        return START + 7_200_000 + int((time.monotonic() - self.began) * 1000)

    async def say(self, message: dict[str, Any]) -> None:
        for socket in self.sockets:
            await socket.send_json({"now": self.now} | message)

    async def snapshot(self, *rows: dict[str, Any], state: str = "live", since: int | None = None) -> None:
        """Wait for the page to be connected, then say that these are the calls."""
        await self.connection()
        self.seq = 100
        await self.say({"t": "snapshot", "seq": 100, "feed": {"state": state, "since": since}, "calls": rows})
        await self.page.wait_for_selector('[data-testid=call-list]:not([data-state="loading"])')

    async def diff(self, *put: dict[str, Any], new: bool = False, drop: tuple[str, ...] = ()) -> None:
        self.seq += 1
        fresh = [each["id"] for each in put] if new else []
        await self.say({"t": "diff", "seq": self.seq, "put": put, "new": fresh, "drop": drop})

    async def connection(self, number: int = 1) -> None:
        """Wait until the page has connected for the `number`th time."""
        async with asyncio.timeout(60), self.connected:
            await self.connected.wait_for(lambda: self.connections >= number)

    async def drop(self, code: int = 1012) -> None:
        for socket in self.sockets.copy():
            await socket.close(code)

    async def follow(self, socket: WebSocket) -> None:
        await socket.accept()
        if self.refusal:
            await socket.close(self.refusal)
            return
        self.sockets.append(socket)
        async with self.connected:
            self.connections += 1
            self.connected.notify_all()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        self.sockets.remove(socket)

    def rows(self) -> Locator:
        return self.page.get_by_test_id("call-row")

    def row(self, n: int) -> Locator:
        return self.page.locator(f'[data-testid=call-row][data-call-id="call-{n:03}"]')

    async def order(self) -> list[str]:
        """The calls on screen from top to bottom, by number: `["003", "001"]`."""
        return await self.page.evaluate(
            """() => [...document.querySelectorAll("[data-testid=call-row]")]
                .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
                .map((row) => row.dataset.callId.slice(5))"""
        )

    async def opened(self) -> list[list[str]]:
        """What was asked to be opened so far: [id, "key" or "pointer"]."""
        return await self.page.evaluate("window.opened")


class ListServer:
    """One for the whole session; each test puts its stage on it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.stage: ListStage | None = None
        routes = [
            Route("/", lambda request: HTMLResponse(PAGE)),
            Route("/texts", lambda request: JSONResponse(dict(TEXTS))),
            Mount("/assets", Assets()),
            Mount("/static", StaticFiles(directory=VUE)),
            WebSocketRoute("/feed/calls", self.follow),
        ]
        app = Starlette(routes=routes)
        self.config = uvicorn.Config(app, port=self.port, log_level="warning", ws="websockets-sansio")

    async def follow(self, socket: WebSocket) -> None:
        assert self.stage, "no test is running"
        await self.stage.follow(socket)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def list_server() -> AsyncIterator[ListServer]:
    server = ListServer()
    running = uvicorn.Server(server.config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(running.serve())
        while not running.started:
            await asyncio.sleep(0.01)
        yield server
        running.should_exit = True


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def list_context(drawer_browser: Browser) -> AsyncIterator[BrowserContext]:
    """One for all tests, so that what is loaded once stays in the browser's cache."""
    context = await drawer_browser.new_context(
        viewport={"width": 1366, "height": 900}, has_touch=True, locale="en-GB", timezone_id="UTC"
    )
    yield context
    await close(context)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(list_server: ListServer, list_context: BrowserContext) -> AsyncIterator[ListStage]:
    """A page at 1366 x 900 whose list has connected. A script error on the page fails the test."""
    page = await list_context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    list_server.stage = ListStage(page)
    await page.goto(f"http://127.0.0.1:{list_server.port}/")
    await page.wait_for_function("window.ready")
    yield list_server.stage
    await page.close()
    assert errors == []
