"""What waits to be sent on one socket: bounded, and never a growing backlog. No I/O.

A socket that falls behind loses everything that waits, and gets a fresh snapshot once it reads again.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from livemon.metrics import SLOW_SOCKETS

LIMIT = 64


class Outbox:
    """Messages for one socket, each already encoded; `fresh` makes those that a reader needs who knows nothing yet."""

    def __init__(self, feed: str, fresh: Callable[[], list[str]], limit: int = LIMIT) -> None:
        self._feed = feed
        self._fresh = fresh
        self._limit = limit
        self._waiting: deque[str] = deque()
        self._behind = True
        self._ready = asyncio.Event()
        self._ready.set()

    def offer(self, message: str) -> None:
        """Queue one message, unless a snapshot is due that will hold it."""
        if self._behind:
            return
        if len(self._waiting) >= self._limit:
            SLOW_SOCKETS.labels(self._feed).inc()
            self.renew()
            return
        self._waiting.append(message)
        self._ready.set()

    @property
    def ready(self) -> bool:
        """Whether `take` would answer at once."""
        return self._ready.is_set()

    def renew(self) -> None:
        """Forget what waits: the next that is taken is a snapshot."""
        self._waiting.clear()
        self._behind = True
        self._ready.set()

    async def take(self) -> list[str]:
        """Wait for messages and take all there are; the first time, and after falling behind, a snapshot."""
        await self._ready.wait()
        self._ready.clear()
        if self._behind:
            self._behind = False
            self._waiting.clear()
            return self._fresh()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages
