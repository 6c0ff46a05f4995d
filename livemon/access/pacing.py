"""How often somebody may ask the API for programs: counted in Redis, for all nodes together, by the library `limits`.

While Redis is away each node counts by itself, in memory: an outage lets nobody be refused who would not be otherwise.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import SlidingWindowCounterRateLimiter

TIMEOUT_S = 0.5
"""For so long Redis is waited for."""
AWAY_S = 5.0
"""For so long it is not asked again after it was away."""
PREFIX = "livemon:pace"

_AWAY = (RedisError, OSError, TimeoutError)
_log = structlog.get_logger(__name__)


class Pace(StrEnum):
    """What is counted together: whoever reads too often can still act."""

    READ = "read"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class TooOften:
    """`limit` requests a minute are answered; the next one in `wait_s`."""

    limit: int
    wait_s: int


class Pacing:
    """The counts of one node. `redis` is asked for at the first request; `limits`: requests a minute."""

    def __init__(self, redis: Callable[[], Redis], limits: Mapping[Pace, int]) -> None:
        self._redis, self._limits = redis, limits
        self._counts: _Counts | None = None
        self._away_until = 0.0

    async def take(self, pace: Pace, who: str) -> TooOften | None:
        """Count one request of `who`; why it is not to be answered, None if it is."""
        if self._counts is None:
            self._counts = _Counts(self._redis(), self._limits)
        counts = self._counts
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    return await counts.take(counts.shared, pace, who)
            except _AWAY as error:
                self._away_until = time.monotonic() + AWAY_S
                _log.warning("Requests are counted by this node alone: Redis is away.", error=str(error))
        return await counts.take(counts.own, pace, who)


class _Counts:
    """`limits` itself, which takes a moment to import: for those whose programs ask."""

    def __init__(self, redis: Redis, limits: Mapping[Pace, int]) -> None:
        from limits import RateLimitItemPerMinute
        from limits.aio.storage import MemoryStorage, RedisStorage
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        pool = redis.connection_pool
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, connection_pool=pool)  # pyright: ignore[reportArgumentType]
        self.shared = SlidingWindowCounterRateLimiter(storage)
        self.own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limits: Mapping[Pace, RateLimitItem] = {
            pace: RateLimitItemPerMinute(limit) for pace, limit in limits.items()
        }

    async def take(self, limiter: "SlidingWindowCounterRateLimiter", pace: Pace, who: str) -> TooOften | None:
        limit = self._limits[pace]
        if await limiter.hit(limit, pace, who):
            return None
        stats = await limiter.get_window_stats(limit, pace, who)
        return TooOften(limit.amount, min(60, max(1, math.ceil(stats.reset_time - time.time()))))
