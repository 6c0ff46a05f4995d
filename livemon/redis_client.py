"""The one way livemon connects to Redis or Valkey: every call has a timeout, and no write is ever repeated by the client.

redis-py retries by default, which would send a command or an event twice; whoever reads here retries by itself.
"""

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
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
        client_name="livemon",
    )
