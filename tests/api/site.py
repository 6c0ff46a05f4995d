"""livemon's own endpoints as a browser meets them: a real server, real sessions, and a workspace on a real Valkey."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import uvicorn
import websockets
from fastapi import FastAPI
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from livemon.access import members
from livemon.access.guard import COOKIE, Guard
from livemon.access.roles import Role
from livemon.access.sessions import Sessions
from livemon.api import listen, live
from livemon.api.errors import ApiError, answer_api_error
from livemon.redis_client import connect
from livemon.store.store import Store
from livemon.workspace import Workspace
from tests.calls.live_part import QUICK, RawRuntime, running, until


@dataclass
class Site:
    port: int
    store: Store
    sessions: Sessions
    workspace: Workspace
    runtime: RawRuntime

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sign_in(self, name: str = "Ada", role: Role | None = Role.ADMIN) -> "Browser":
        user_id = await members.find_or_create(self.store, name, email=f"{name.lower()}@example.org")
        if role is not None:
            await members.set_role(self.store, user_id, "default", role)
        cookie = await self.sessions.open(user_id, "default", device="Firefox", address="192.0.2.7")
        person = await self.sessions.find(cookie)
        return Browser(self, cookie, user_id, person.session_id if person else "")

    async def call(self, call_id: str) -> None:
        await until(lambda: self.workspace.calls.get(call_id))


@dataclass
class Browser:
    """One who is signed in."""

    site: Site
    cookie: str
    user_id: str
    session_id: str

    @property
    def _headers(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}"}

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        headers = {**self._headers, "origin": self.site.origin}
        async with httpx.AsyncClient(base_url=self.site.origin, timeout=60) as client:
            return await client.post(path, headers=headers, **fields)

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncGenerator["Socket"]:
        url = f"ws://127.0.0.1:{self.site.port}{path}"
        origin = self.site.origin
        async with websockets.connect(
            url, origin=origin, additional_headers=self._headers, max_size=None
        ) as connection:
            yield Socket(connection)


@dataclass
class Socket:
    connection: ClientConnection

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            return json.loads(await self.connection.recv())

    async def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first message that is so."""
        while not wanted(message := await self.read()):
            pass
        return message

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def closed(self) -> tuple[int, str]:
        """Why it was closed, once it is."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(30):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def site(valkey_url: str, folder: Path, valkey: Redis) -> AsyncGenerator[Site]:
    store = Store(f"sqlite+aiosqlite:///{folder}/livemon.db")
    await store.open()
    redis = connect(valkey_url)
    sessions = Sessions(store, poll_s=0.1)
    workspace = Workspace("default", redis, "node-1", timing=QUICK)
    app = FastAPI()
    app.add_middleware(Guard, sessions=sessions)
    app.add_exception_handler(ApiError, answer_api_error)
    host = SimpleNamespace(sessions=sessions, workspaces={"default": workspace}, store=store)
    app.include_router(live.router(host))
    app.include_router(listen.router(host))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    runtime = RawRuntime(valkey, workspace.keys)
    await runtime.alive()
    async with running(workspace.run(), sessions.run()):
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        await until(lambda: workspace.calls.state.state == "live")
        try:
            yield Site(server.servers[0].sockets[0].getsockname()[1], store, sessions, workspace, runtime)
        finally:
            server.should_exit = True
            await serving
    await redis.aclose()
    await store.close()
