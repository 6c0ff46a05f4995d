"""The list's socket as a page has it, for tests that look at livemon from outside."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from livemon.access.guard import COOKIE
from tests.livemon_process import LivemonProcess, any_certificate

PATIENCE_S = 45


@asynccontextmanager
async def list_feed(process: LivemonProcess, cookie: str) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"{process.url.replace('http', 'ws', 1)}/feed/calls",
        origin=process.url,
        additional_headers={"Cookie": f"{COOKIE}={cookie}"},
        ssl=any_certificate() if process.url.startswith("https") else None,
        max_size=None,
        open_timeout=PATIENCE_S,
    ) as socket:
        yield socket


async def until(socket: ClientConnection, fits: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The first message that fits."""
    async with asyncio.timeout(PATIENCE_S):
        while not fits(message := json.loads(await socket.recv())):
            pass
    return message


def shows(call_id: str) -> Callable[[dict[str, Any]], bool]:
    """A message that has this call among its rows."""
    return lambda message: any(row["id"] == call_id for row in [*message.get("calls", []), *message.get("put", [])])
