"""Watching the runtimes that have calls, for the feed: which are heard, which are quiet, and ending what is lost.

It reads the runtimes' keys, and writes nothing but the end of a call whose runtime did not come back.
"""

import time
from collections.abc import Callable
from typing import cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from livemon_runtime.keys import Keys

from .ending import end_lost
from .liveness import LOST_AFTER_MS, Liveness
from .patience import Patience
from .registry import Change, Registry

_log = structlog.get_logger("livemon.calls")


class RuntimeWatch:
    """One workspace's runtimes. Not for two tasks at once."""

    def __init__(
        self, redis: Redis, keys: Keys, registry: Registry, now: Callable[[], int], lost_after_ms: int = LOST_AFTER_MS
    ) -> None:
        self._redis, self._keys, self._registry, self._now = redis, keys, registry, now
        self._liveness = Liveness(lost_after_ms)
        self._vanished = Patience(lost_after_ms)
        self._lost: set[str] = set()

    def interrupted(self) -> None:
        """Redis did not answer: nothing is known of this time."""
        self._liveness.interrupted()
        self._vanished.interrupted()

    def is_quiet(self, runtime: str) -> bool:
        return self._liveness.is_quiet(runtime)

    async def look(self) -> list[Change]:
        """Look which runtimes are alive; answers what that changes. Raises what `redis` raises."""
        runtimes = self._registry.runtimes()
        pipeline = self._redis.pipeline(transaction=False)
        for runtime in runtimes:
            pipeline.pttl(self._keys.runtime(runtime))
        ttls = dict(zip(runtimes, cast("list[int]", await pipeline.execute()), strict=True))
        elapsed_ms = time.monotonic() * 1000
        verdicts = self._liveness.check(ttls, self._now(), elapsed_ms)
        changes: list[Change] = []
        for runtime, since in verdicts.quiet.items():
            changes += self._registry.quiet(runtime, since)
        for runtime in verdicts.heard:
            changes += self._registry.heard(runtime)
        changes += self._registry.give_up(self._vanished.check(self._registry.vanished, elapsed_ms), self._now())
        self._lost = verdicts.lost
        return changes

    async def end_lost(self) -> None:
        """End in Redis the calls of runtimes that are gone for good; it comes back as events. Raises what `redis` raises."""
        while self._lost:
            await self._end_calls_of(self._lost.pop())

    async def _end_calls_of(self, runtime: str) -> None:
        for known in self._registry.calls_of(runtime):
            if known.call.call_id in self._registry.vanished:
                continue
            try:
                await end_lost(self._redis, self._keys, known, self._now())
            except ResponseError as error:
                _log.error(
                    "A lost call could not be ended: Redis refused the script.",
                    workspace=self._keys.workspace, call_id=known.call.call_id, error=str(error),
                )  # fmt: skip
