"""Hears what a runtime publishes: everything on some channels, each message with the time at which it came."""

import asyncio
import contextlib
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from typing import Any

from redis.asyncio import Redis

from .beside import beside

_MOST_KEPT = 20_000


class Ears:
    """`heard[channel]`: (monotonic seconds, message), oldest first, the newest 20,000."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub: Any = redis.pubsub(ignore_subscribe_messages=True)
        self.heard: defaultdict[str, deque[tuple[float, bytes]]] = defaultdict(lambda: deque(maxlen=_MOST_KEPT))

    @contextlib.asynccontextmanager
    async def on(self, *channels: str) -> AsyncGenerator["Ears"]:
        """Hears these as long as the block lasts."""
        await self._pubsub.ssubscribe(*channels)
        try:
            async with beside(self._hear):
                yield self
        finally:
            await self._pubsub.aclose()

    async def _hear(self, over: asyncio.Event) -> None:
        while not over.is_set():
            message = await self._pubsub.get_message(timeout=1)
            if message:
                self.heard[message["channel"].decode()].append((time.monotonic(), message["data"]))

    def since(self, channel: str, when: float) -> list[tuple[float, bytes]]:
        """What came on that channel after `when` (monotonic seconds)."""
        return [(at, message) for at, message in self.heard[channel] if at > when]
