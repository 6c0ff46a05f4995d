"""livemon's own endpoints as a browser meets them: a real server, real sessions, and a workspace on a real Valkey."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import uvicorn
import websockets
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlmodel import col, select
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from livemon.access import members
from livemon.access.guard import COOKIE, Guard
from livemon.access.pacing import Pace, Pacing
from livemon.access.roles import RIGHTS, Right, Role
from livemon.access.sessions import Sessions
from livemon.access.workspaces import add_workspace
from livemon.api import audit, joining, keys, listen, live, sign_in, take_over
from livemon.api import connect as connect_api
from livemon.api import workspaces as workspaces_api
from livemon.api.errors import ApiError, answer_api_error
from livemon.api.recording import refuse_cross_site
from livemon.api.v2 import routes as v2
from livemon.redis_client import connect
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import AuditEntry
from livemon.workspace import Workspace
from tests.calls.live_part import QUICK, RawRuntime, running, until


@dataclass
class Site:
    port: int
    store: Store
    sessions: Sessions
    workspace: Workspace
    runtime: RawRuntime
    audit: AuditLog
    rights: dict[Role, frozenset[Right]]
    """What the roles may do: a test may set others, as the settings do."""
    host: SimpleNamespace
    """What the endpoints are given: a test may say another address of Redis."""
    other: "Beside | None" = None
    paces: dict[Pace, int] = field(default_factory=dict[Pace, int])
    """How often a minute somebody may ask below `/v2` and `/v3`; to be set before anybody does."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sign_in(self, name: str = "Ada", role: Role | None = Role.ADMIN, workspace: str = "default") -> "Browser":
        user_id = await members.find_or_create(self.store, name, email=f"{name.lower()}@example.org")
        if role is not None:
            await members.set_role(self.store, user_id, workspace, role)
        cookie = await self.sessions.open(user_id, workspace, device="Firefox", address="192.0.2.7")
        person = await self.sessions.find(cookie)
        return Browser(self, cookie, user_id, person.session_id if person else "")

    @asynccontextmanager
    async def machine(self, key: str) -> AsyncGenerator[httpx.AsyncClient]:
        """One that comes with an API key, and with nothing else."""
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=self.origin, timeout=60, headers=headers) as client:
            yield client

    @asynccontextmanager
    async def machine_socket(self, key: str, path: str) -> AsyncGenerator["Socket"]:
        url, headers = f"ws://127.0.0.1:{self.port}{path}", {"Authorization": f"Bearer {key}"}
        async with websockets.connect(url, additional_headers=headers, max_size=None) as connection:
            yield Socket(connection)

    async def recorded(self, *, first: bool = False) -> list[AuditEntry]:
        """All entries of the audit log but its first, which says that it begins; those that wait are written before."""
        await until(lambda: not self.audit.waiting)
        async with self.store.session() as session:
            entries = list((await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all())
        return entries if first else entries[1:]

    async def call(self, call_id: str) -> None:
        await until(lambda: self.workspace.calls.get(call_id))


@dataclass
class Beside:
    """The workspace `other` of the same node, with a runtime of its own."""

    workspace: Workspace
    runtime: RawRuntime


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

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.site.origin, timeout=60) as client:
            return await client.get(path, headers=self._headers)

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
        async with asyncio.timeout(60):
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
            async with asyncio.timeout(60):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def site(valkey_url: str, folder: Path, valkey: Redis, *, two: bool = False) -> AsyncGenerator[Site]:
    """`two`: with the workspace `other` beside `default`."""
    store = Store(f"sqlite+aiosqlite:///{folder}/livemon.db")
    await store.open()
    log = AuditLog(store, folder / "audit.key")
    await log.open()
    redis = connect(valkey_url)
    rights = dict(RIGHTS)
    sessions = Sessions(store, rights=rights, poll_s=0.1)
    workspace = Workspace("default", redis, "node-1", timing=QUICK)
    workspaces = {"default": workspace}
    beside: Beside | None = None
    if two:
        await add_workspace(store, "other", name="The other")
        workspaces["other"] = Workspace("other", redis, "node-1", timing=QUICK)
        beside = Beside(workspaces["other"], RawRuntime(valkey, workspaces["other"].keys, "rt-2"))
        await beside.runtime.alive()
    app = FastAPI()
    paces = dict.fromkeys(Pace, 100_000)
    host = SimpleNamespace(
        sessions=sessions,
        workspaces=workspaces,
        store=store,
        audit=log,
        providers={},
        public_url=None,
        settings=SimpleNamespace(public_url=None),
        redis_url=valkey_url,
        embeds_redis=False,
        redis=redis,
        pacing=Pacing(lambda: redis, paces),
    )
    app.add_middleware(Guard, sessions=sessions, audit=log, on_cross_site=partial(refuse_cross_site, host))
    app.add_exception_handler(ApiError, answer_api_error)
    app.include_router(live.router(host))
    app.include_router(connect_api.router(host))
    app.include_router(listen.router(host))
    app.include_router(take_over.router(host))
    app.include_router(sign_in.router(host))
    app.include_router(audit.router(host))
    app.include_router(workspaces_api.router(host))
    app.include_router(keys.router(host))
    app.include_router(joining.router(host))
    app.include_router(v2.router(host))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    runtime = RawRuntime(valkey, workspace.keys)
    await runtime.alive()
    async with running(*(one.run() for one in workspaces.values()), sessions.run(), log.run()):
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        await until(lambda: all(one.calls.state.state == "live" for one in workspaces.values()))
        try:
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Site(port, store, sessions, workspace, runtime, log, rights, host, beside, paces)
        finally:
            server.should_exit = True
            await serving
    await redis.aclose()
    await store.close()
