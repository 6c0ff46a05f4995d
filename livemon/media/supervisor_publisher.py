"""Publishes supervisors' packets, each channel from a bounded queue of its own: what is late is worth nothing."""

import asyncio
import time
from collections import deque
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from .metrics import MICROPHONE_LOST, MICROPHONE_PACKETS

MOST_WAITING = 100
"""Packets of one channel."""
BATCH = 200
A_TURN = 10
"""Packets of one channel before it is the next one's turn."""
LATE_S = 0.5
TIMEOUT_S = 1.0
BACKOFF_S = 0.1

_log = structlog.get_logger(__name__)


class SupervisorPublisher:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[str, deque[tuple[float, bytes]]] = {}
        """By channel; whose turn it is stands first."""
        self._wake = asyncio.Event()

    def say(self, channel: str, packet: bytes) -> None:
        """Queue a packet; the oldest goes if there are too many. Never blocks."""
        waiting = self._waiting.setdefault(channel, deque())
        if len(waiting) >= MOST_WAITING:
            waiting.popleft()
            MICROPHONE_LOST.labels("queue_full").inc()
        waiting.append((time.monotonic(), packet))
        self._wake.set()

    def forget(self, channel: str) -> None:
        """Not one packet more on that channel than is on its way already."""
        self._waiting.pop(channel, None)

    async def run(self) -> None:
        """Send until cancelled; while Redis is away, what was said is lost."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._batch():
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        await self._send(batch)
                except (RedisError, OSError, TimeoutError) as error:
                    MICROPHONE_LOST.labels("redis_away").inc(len(batch))
                    _log.warning("a supervisor's voice could not be sent", packets=len(batch), why=str(error))
                    await asyncio.sleep(BACKOFF_S)

    def _batch(self) -> list[tuple[str, bytes]]:
        oldest = time.monotonic() - LATE_S
        batch: list[tuple[str, bytes]] = []
        while self._waiting and len(batch) < BATCH:
            channel, waiting = next(iter(self._waiting.items()))
            del self._waiting[channel]
            turn = list(islice(waiting, A_TURN))
            if rest := deque(islice(waiting, A_TURN, None)):
                self._waiting[channel] = rest  # at the end again
            in_time = [(channel, packet) for at, packet in turn if at >= oldest]
            MICROPHONE_LOST.labels("late").inc(len(turn) - len(in_time))
            batch += in_time
        return batch

    async def _send(self, batch: list[tuple[str, bytes]]) -> None:
        pipeline: Any = self._redis.pipeline(transaction=False)
        for channel, packet in batch:
            pipeline.execute_command("SPUBLISH", channel, packet)
        await pipeline.execute()
        MICROPHONE_PACKETS.inc(len(batch))
