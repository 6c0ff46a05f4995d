"""A stand-in for Twilio's REST API: it ends calls, or answers what a test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.conftest import free_port


@dataclass
class Rest:
    port: int
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, authorization, form."""
    answers: list[int] = field(default_factory=list)
    """Statuses to give first."""
    hangs: bool = False
    ended: Callable[[], Any] | None = None
    """What Twilio does when a call is completed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def complete(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append((request.path, request.headers.get("Authorization", ""), form))
        if self.hangs:
            await asyncio.sleep(30)
        if self.answers and (status := self.answers.pop(0)) != 200:
            message = {"code": 20_000 + status, "message": "Not today", "status": status}
            return web.json_response(message, status=status)
        if self.ended:
            await self.ended()
        return web.json_response({"sid": request.match_info["sid"], "status": "completed"})


@contextlib.asynccontextmanager
async def twilio_rest() -> AsyncIterator[Rest]:
    rest = Rest(free_port())
    app = web.Application()
    app.router.add_post("/2010-04-01/Accounts/{account}/Calls/{sid}.json", rest.complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", rest.port).start()
    try:
        yield rest
    finally:
        await runner.cleanup()
