"""The drawer in a real Chromium, on a page of its own, fed by a server that says what the test wants said.

The server speaks the messages of docs/interfaces.md over a real WebSocket. What livemon itself says is tested in
tests/browser; here are orders, gaps and answers that a real one gives too rarely to wait for.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nicegui
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from components.assets import Assets
from livemon.texts import TEXTS
from pages.join import join_page
from tests.chromium import CHROMIUM, FLAGS, WITHIN_MS, close
from tests.components.desk import Desk
from tests.conftest import free_port

VUE = Path(nicegui.__file__).parent / "static"
PAGE = """<!doctype html>
<html lang="en" data-theme="light"><head><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/assets/theme.css"><link rel="stylesheet" href="/assets/shell.css">
<link rel="stylesheet" href="/assets/call_drawer.css">
<link rel="stylesheet" href="/assets/transcript.css">
<script type="importmap">{"imports": {"vue": "/static/vue.esm-browser.prod.js"}}</script></head>
<body><button id="list">A row of the list</button><div id="app"></div>
<script type="module">
  import * as Vue from "vue";
  window.Vue = Vue;
  const { default: drawer } = await import("/assets/call_drawer.js");
  const { default: bar } = await import("/assets/call_bar.js");
  const { default: alerts } = await import("/assets/call_alerts.js");
  const texts = await (await fetch("/texts")).json();
  const may = ["watch", "read", "unmasked", "listen", "take_over", "end", "inject"];
  const state = Vue.reactive({ call_id: null, may });
  window.allow = (...rights) => (state.may = rights);
  window.audioEvents = [];
  window.show = (id) => (state.call_id = id);
  window.manage = () => state.may.push("manage");
  const on = { onClose: () => (state.call_id = null), onAudio: (event) => window.audioEvents.push(event) };
  const held = () => Vue.h(bar, { texts, onOpen: (id) => (state.call_id = id) });
  const open = () => Vue.h(drawer, { texts, user_id: "me", ...state, ...on });
  const alarm = { texts, user_id: "me", onOpen: (id) => (state.call_id = id) };
  const told = () => state.may.includes("manage") && Vue.h(alerts, alarm);
  Vue.createApp({ render: () => [held(), told(), open()] }).mount("#app");
  window.ready = true;
</script></body></html>"""

Handler = Callable[[], Awaitable[Response]]


async def ended_well() -> Response:
    return JSONResponse({"ok": True})


async def signed_out() -> Response:
    return Response(status_code=204)


async def one_workspace() -> Response:
    return JSONResponse({"workspaces": [{"slug": "default", "name": "Default", "role": "admin", "current": True}]})


async def nobody_answers() -> Response:
    return Response("Bad gateway", 502)


@dataclass
class Stage:
    """A page with the drawer, and everything that is said to it."""

    page: Page
    address: str
    sockets: dict[str, list[WebSocket]] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)  # the calls that were followed, refused ones apart
    heard: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    refusals: dict[str, int] = field(default_factory=dict)
    connected: asyncio.Condition = field(default_factory=asyncio.Condition)
    end: Handler = ended_well
    listen: Handler = nobody_answers
    offers: list[dict[str, Any]] = field(default_factory=list)
    sign_out: Handler = signed_out
    workspaces: Handler = one_workspace
    switch: Handler = nobody_answers
    switched_to: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)  # what was last said of each
    desk: Desk = field(default_factory=Desk)

    async def open(self, call_id: str, *messages: dict[str, Any]) -> None:
        """Open the drawer on that call, and say the first messages once it has connected."""
        await self.page.evaluate("(id) => show(id)", call_id)
        await self.connection(call_id)
        await self.say(call_id, *messages)

    async def shows(self, workspace: str) -> None:
        """Make the page one of that workspace, as the shell does."""
        meta = "(slug) => document.head.insertAdjacentHTML('beforeend', `<meta name='livemon-workspace' content='${slug}'>`)"
        await self.page.evaluate(meta, workspace)

    async def manages(self, *rows: dict[str, Any]) -> None:
        """Make the person an Admin, who is told of these calls."""
        await self.page.evaluate("manage()")
        await self.connection("alerts")
        await self.alert(*rows)

    async def alert(self, *rows: dict[str, Any], state: str = "live") -> None:
        feed = {"state": state, "since": None}
        await self.say("alerts", {"t": "alerts", "now": now_ms(), "feed": feed, "calls": list(rows)})

    async def mount(self, component: str, **props: Any) -> None:
        """Put another component onto the page, in place of the drawer."""
        mount = """async ([name, props]) => {
          const { default: component } = await import(`/assets/${name}.js`);
          const texts = await (await fetch("/texts")).json();
          document.body.innerHTML = "<div id='other'></div>";
          Vue.createApp(component, { texts, ...props }).mount("#other");
        }"""
        await self.page.evaluate(mount, [component, props])

    async def connection(self, call_id: str) -> None:
        async with asyncio.timeout(60), self.connected:
            await self.connected.wait_for(lambda: self.sockets.get(call_id))

    async def disconnection(self, call_id: str) -> None:
        """Wait until nobody follows that call any more."""
        async with asyncio.timeout(20), self.connected:
            await self.connected.wait_for(lambda: not self.sockets.get(call_id))

    async def say(self, call_id: str, *messages: dict[str, Any]) -> None:
        for message in messages:
            if message["t"] == "call":
                self.calls[call_id] = message
            for follower in self.sockets[call_id]:
                await follower.send_text(json.dumps(message))

    async def drop(self, call_id: str, code: int = 1012) -> None:
        """Close that call's sockets, as a server does that goes away."""
        for follower in self.sockets.pop(call_id):
            await follower.close(code)

    async def follow(self, follower: WebSocket) -> None:
        call_id = follower.path_params.get("call_id", "alerts")
        await follower.accept()
        if call_id in self.refusals:
            await follower.close(self.refusals[call_id])
            return
        if self.sockets.get(call_id) and call_id in self.calls:  # who comes to others is told what they know
            await follower.send_text(json.dumps(self.calls[call_id]))
        async with self.connected:
            self.sockets.setdefault(call_id, []).append(follower)
            self.accepted.append(call_id)
            self.connected.notify_all()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                self.heard.put_nowait((call_id, await follower.receive_json()))
        async with self.connected:
            with contextlib.suppress(KeyError, ValueError):
                self.sockets[call_id].remove(follower)
            self.connected.notify_all()

    async def answer_end(self, request: Request) -> Response:
        self.ends.append(request.path_params["call_id"])
        return await self.end()

    async def answer_listen(self, request: Request) -> Response:
        self.offers.append(await request.json())
        return await self.listen()


class Server:
    """One for the whole session; each test puts its stage on it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.stage: Stage | None = None
        routes = [
            Route("/", lambda request: HTMLResponse(PAGE)),
            Route("/texts", lambda request: JSONResponse(dict(TEXTS))),
            Mount("/assets", Assets()),
            Mount("/static", StaticFiles(directory=VUE)),
            WebSocketRoute("/feed/calls/{call_id}", lambda follower: self.current.follow(follower)),
            WebSocketRoute("/feed/alerts", lambda follower: self.current.follow(follower)),
            Route("/calls/{call_id}/end", self.answer_end, methods=["POST"]),
            Route("/calls/{call_id}/listen", self.answer_listen, methods=["POST"]),
            Route("/calls/{call_id}/take-over", self.answer_take_over, methods=["POST"]),
            Route("/take-overs/{name}/cancel", self.answer_cancel, methods=["POST"]),
            WebSocketRoute("/take-overs/{name}", lambda follower: self.current.desk.follow(follower)),
            Route("/sign-out", self.answer_sign_out, methods=["POST"]),
            Route("/workspaces", self.answer_workspaces),
            Route("/workspace", self.answer_switch, methods=["POST"]),
            Route("/live", lambda request: HTMLResponse("<p>Live</p>")),
            Route("/live/{call_id}", lambda request: HTMLResponse("<p>Live</p>")),
            Route("/join", join_page),
            Route("/sign-in", lambda request: HTMLResponse("<p>Signed out</p>")),
        ]
        self.config = uvicorn.Config(
            Starlette(routes=routes), port=self.port, log_level="warning", ws="websockets-sansio"
        )

    async def answer_end(self, request: Request) -> Response:
        return await self.current.answer_end(request)

    async def answer_listen(self, request: Request) -> Response:
        return await self.current.answer_listen(request)

    async def answer_take_over(self, request: Request) -> Response:
        return await self.current.desk.begin(request)

    async def answer_cancel(self, request: Request) -> Response:
        return await self.current.desk.cancel(request)

    async def answer_sign_out(self, request: Request) -> Response:
        return await self.current.sign_out()

    async def answer_workspaces(self, request: Request) -> Response:
        return await self.current.workspaces()

    async def answer_switch(self, request: Request) -> Response:
        self.current.switched_to.append((await request.json())["slug"])
        return await self.current.switch()

    @property
    def current(self) -> Stage:
        assert self.stage, "no test is running"
        return self.stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def drawer_server() -> AsyncIterator[Server]:
    server = Server()
    running = uvicorn.Server(server.config)
    sockets = [socket.create_server(("127.0.0.1", server.port))]  # connections wait in it until the server serves
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(running.serve(sockets))
        yield server
        running.should_exit = True


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def drawer_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        await close(browser)


@contextlib.asynccontextmanager
async def staged(server: Server, context: BrowserContext) -> AsyncIterator[Stage]:
    """A page with its drawer closed, and the call bar. A script error on the page is an error here."""
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    address = f"http://127.0.0.1:{server.port}/"
    server.stage = Stage(page, address)
    await page.goto(address)
    await page.wait_for_function("window.ready")
    yield server.stage
    await page.evaluate("localStorage.clear()")
    await page.close()
    await server.stage.desk.close()
    assert errors == []


DESKTOP: Any = {"viewport": {"width": 1366, "height": 900}, "has_touch": True, "reduced_motion": "reduce"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def drawer_context(drawer_browser: Browser) -> AsyncIterator[BrowserContext]:
    """One for all tests, so that what is loaded once stays in the browser's cache."""
    context = await drawer_browser.new_context(**DESKTOP)
    yield context
    await close(context)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(drawer_server: Server, drawer_context: BrowserContext) -> AsyncIterator[Stage]:
    async with staged(drawer_server, drawer_context) as stage:
        yield stage


def now_ms() -> int:
    return int(time.time() * 1000)
