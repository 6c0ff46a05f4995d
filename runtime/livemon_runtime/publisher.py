"""Publishes audio on its own connection, from a bounded queue: audio is live, and what is late is worth nothing."""

import asyncio
from collections import deque

from redis.exceptions import ResponseError

from .clock import Clock
from .connection import AWAY, Backoff, Connection
from .drops import Drops

_MOST_WAITING = 2_000
_LATE_S = 1.0
_BATCH = 500


class Publisher:
    def __init__(self, connection: Connection, clock: Clock, drops: Drops) -> None:
        self._connection, self._clock, self._drops = connection, clock, drops
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._wake = asyncio.Event()

    def say(self, channel: str, packet: bytes) -> None:
        """Queue a packet; the oldest goes if there are too many. Never blocks."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self._drops.drop("packet_queue_full", "Redis takes audio more slowly than it is spoken")
        self._waiting.append((self._clock.monotonic(), channel, packet))
        self._wake.set()

    async def run(self) -> None:
        backoff = Backoff()
        while True:
            await self._wake.wait()
            try:
                await self._publish()
            except AWAY:
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()

    async def _publish(self) -> None:
        oldest = self._clock.monotonic() - _LATE_S
        batch: list[tuple[str, str, bytes]] = []
        while self._waiting and len(batch) < _BATCH:
            at, channel, packet = self._waiting.popleft()
            if at < oldest:
                self._drops.drop("packet_late", "Redis was away or slow")
            else:
                batch.append(("SPUBLISH", channel, packet))
        if not self._waiting:
            self._wake.clear()
        if batch:
            await self._send(batch)

    async def _send(self, batch: list[tuple[str, str, bytes]]) -> None:
        try:
            answers = await self._connection.run(batch)
        except AWAY as error:
            self._drops.drop("packet_lost", f"Redis is away: {error}", len(batch))
            raise
        for answer in answers:
            if isinstance(answer, ResponseError):
                self._drops.drop("packet_refused_by_redis", str(answer))
