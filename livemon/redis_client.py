"""The one way livemon connects to Redis or Valkey: every call has a timeout, and no write is ever repeated by the client.

redis-py retries by default, which would send a command or an event twice; whoever reads here retries by itself.
"""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

BLOCK_MS = 1_000
"""The longest that a blocking read may wait in Redis; well below `SOCKET_TIMEOUT_S`."""

CONNECT_TIMEOUT_S = 3.0
SOCKET_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 4_000


def connect(url: str) -> Redis:
    """A client of `url` (`redis://`, `rediss://`, `unix://`) whose answers are bytes. It connects at the first command."""
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
        client_name="livemon",
    )
    pool: Any = client.connection_pool
    pool.connection_class = type("Connection", (_Cancellable, pool.connection_class), {})
    return client


class _Cancellable:
    """A connection on which a task that is cancelled while it sends is cancelled.

    redis-py sends under `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes in the same turn
    of the loop in which the bytes went out; a task that goes on in a loop would then never end.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        connection: Any = super()
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await connection.send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            await connection.disconnect(nowait=True)  # its answer is nobody's now
            raise asyncio.CancelledError
