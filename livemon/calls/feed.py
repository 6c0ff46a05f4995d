"""The shell around the registry: it follows one workspace's calls in Redis (docs/protocol.md, «Snapshot and tail»).

One task does everything in turn (read a batch of events, read wanted hashes, check the runtimes, repair), so that nothing
it reads can be older than what it already knows. Away from Redis the calls stay as they are and the state is stale.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon.metrics import EVENTS, FEED_STALE, LIVE_CALLS, REPAIRS, SNAPSHOTS
from livemon.redis_client import BLOCK_MS
from livemon_runtime.errors import InvalidName, ProtocolError
from livemon_runtime.keys import Keys, check_id
from livemon_runtime.protocol import CommandResult

from .clock import RedisClock
from .drops import Drops
from .events import CallEvent, read_event
from .limits import RateLimit
from .liveness import LOST_AFTER_MS
from .pace import Pace
from .registry import Change, LiveCall, Registry
from .runtimes import RuntimeWatch
from .stored import PIPELINE, Found, Pair, StreamPosition, entry_id, index_revs, live_ids, read_calls, stream_position

AWAY = (RedisError, OSError, TimeoutError)
"""What a command raises when Redis cannot be reached, or answers with an error."""

EVENTS_A_READ = 100
"""As many as may have the protocol's 256 kB each without filling this process."""

_log = structlog.get_logger("livemon.calls")


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """How often the feed looks, in seconds; tests shorten it."""

    check_s: float = 5.0
    repair_s: float = 30.0
    lost_after_s: float = LOST_AFTER_MS / 1000
    backoff_s: float = 0.25
    max_backoff_s: float = 5.0


class State(StrEnum):
    LIVE = "live"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class FeedState:
    """`since` (ms, Redis's clock): since when the calls may be out of date; None while live or before the first answer."""

    state: State
    since: int | None


class CallFeed:
    """Follows the calls of one workspace while `run()` runs.

    Listeners are plain functions called in the event loop: they must return at once and not raise.
    """

    def __init__(self, redis: Redis, keys: Keys, *, timing: FeedTiming | None = None) -> None:
        self.registry = Registry()
        self.keys = keys
        self.drops = Drops(keys.workspace)
        self.state = FeedState(State.STALE, None)
        self.changed: list[Callable[[list[Change]], None]] = []
        self.answered: list[Callable[[CommandResult], None]] = []
        self.state_changed: list[Callable[[FeedState], None]] = []
        self._redis = redis
        self._timing = timing or FeedTiming()
        self._clock = RedisClock()
        lost_after_ms = int(self._timing.lost_after_s * 1000)
        self._runtimes = RuntimeWatch(redis, keys, self.registry, self.now, lost_after_ms)
        self._pace = Pace()
        self._rates = RateLimit(rate=100, burst=200)
        self._cursor: str | None = None
        self._read_count = 0
        """Which entry of the stream, counted from its first ever, the cursor is."""
        self._check_at = 0.0
        self._repair_at = 0.0

    def now(self) -> int:
        """Redis's time in milliseconds."""
        return self._clock.now()

    def get(self, call_id: str) -> LiveCall | None:
        """The call if it is live."""
        return self.registry.get(call_id)

    async def find(self, call_id: str) -> LiveCall | None:
        """The call, live or ended within the last hour. Raises one of `AWAY` if it must ask Redis and cannot."""
        known = self.registry.get(call_id)
        if known is not None:
            return known
        try:
            check_id("call_id", call_id)
        except InvalidName:
            return None
        stored = (await self._read([call_id], index=False)).calls.get(call_id)
        if stored is None:
            return None
        return LiveCall(stored.call, stored.incarnation, stored.rev, stored.runtime, stored.controller, stored.claim)

    async def run(self) -> None:
        """Follow Redis until cancelled, through outages."""
        backoff = self._timing.backoff_s
        try:
            while True:
                try:
                    await self._begin()
                    backoff = self._timing.backoff_s
                    await self._follow()
                except AWAY as error:
                    self._set_stale(error)
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, self._timing.max_backoff_s)
        finally:
            self._set_state(FeedState(State.STALE, self.now()))

    # --- state

    def _set_stale(self, error: Exception) -> None:
        self._runtimes.interrupted()
        if self.state.state is State.LIVE:
            _log.warning("Redis is away: the calls are shown as they were.", workspace=self._ws, error=str(error))
            self._set_state(FeedState(State.STALE, self.now()))

    def _set_state(self, state: FeedState) -> None:
        FEED_STALE.labels(self._ws).set(state.state is State.STALE)
        if state == self.state:
            return
        self.state = state
        for listener in self.state_changed:
            listener(state)

    @property
    def _ws(self) -> str:
        return self.keys.workspace

    def _tell(self, changes: list[Change]) -> None:
        if not changes:
            return
        LIVE_CALLS.labels(self._ws).set(len(self.registry))
        for listener in self.changed:
            listener(changes)

    # --- snapshot

    async def _begin(self) -> None:
        """Take a snapshot, keeping the cursor if the events after it are all still there."""
        position = await self._position()
        cause = "start" if self._cursor is None else "reconnect"
        if self._cursor is None or position.broken(self._cursor, self._read_count):
            cause = "start" if self._cursor is None else "trimmed"
            self._cursor, self._read_count = position.last, position.added
        await self._snapshot(cause)
        if self.state.state is State.STALE:
            _log.info("The calls are live.", workspace=self._ws, calls=len(self.registry))
            self._set_state(FeedState(State.LIVE, None))

    async def _snapshot(self, cause: str) -> None:
        SNAPSHOTS.labels(self._ws, cause).inc()
        found = Found()
        for some in await live_ids(self._redis, self.keys):
            found.add(await self._read(some))
        missing = list(self.registry.ids() - found.calls.keys() - found.unreadable)
        # A call that is no longer in the index may have ended meanwhile: its hash, which stays for an hour, knows.
        for start in range(0, len(missing), PIPELINE):
            found.add(await self._read(missing[start : start + PIPELINE]))
        changes, refused = self.registry.snapshot(found.calls, self.now(), found.unreadable)
        for error in refused:
            self.drops.drop("call", error, None, self.now())
        self._tell(changes)
        await self._check()

    async def _read(self, call_ids: Iterable[str], *, index: bool = True) -> Found:
        """What Redis holds of these calls; what is malformed is dropped."""

        def refuse(call_id: str, runtime: str | None, error: ProtocolError) -> None:
            self.drops.drop("call", error, runtime, self.now(), call_id)

        return await read_calls(self._redis, self.keys, list(call_ids), refuse, index=index)

    async def _position(self) -> StreamPosition:
        asked = time.monotonic()
        position, redis_time = await stream_position(self._redis, self.keys)
        self._clock.observe(redis_time, asked, time.monotonic())
        return position

    # --- tail

    async def _follow(self) -> None:
        """Read events and do what is due, until a snapshot is needed."""
        self._repair_at = time.monotonic() + self._timing.repair_s
        while True:
            await self._read_events(BLOCK_MS)
            if time.monotonic() >= self._check_at:
                if (await self._position()).broken(self._cursor or "0-0", self._read_count):
                    return
                await self._check()
            if time.monotonic() >= self._repair_at:
                await self._repair()
                self._repair_at = time.monotonic() + self._timing.repair_s

    async def _read_events(self, block_ms: int | None) -> int:
        """Take the next batch of events; answers how many there were."""
        due = min(self._check_at, self._repair_at) - time.monotonic()
        if block_ms is not None:
            block_ms = max(1, min(block_ms, int(due * 1000)))
        answer = await self._redis.xread({self.keys.events: self._cursor or "0-0"}, count=EVENTS_A_READ, block=block_ms)
        batches = cast("list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", answer)
        entries = batches[0][1] if batches else []
        changes: list[Change] = []
        for event_id, fields in entries:
            self._cursor = event_id.decode()
            changes += self._event(fields)
            await self._pace.after(len(fields.get(b"data", b"")))
        self._read_count += len(entries)
        EVENTS.labels(self._ws).inc(len(entries))
        self._tell(changes)
        await self._read_wanted()
        return len(entries)

    async def _read_events_until(self, last: str) -> None:
        """Read the events up to this id: no further, for there may always be more."""
        while entry_id(self._cursor or "0-0") < entry_id(last) and await self._read_events(None):
            pass

    def _event(self, fields: dict[bytes, bytes]) -> list[Change]:
        now = self.now()
        call_id, runtime = "", None
        try:
            event = read_event(fields)
            if event is None:
                return []
            if isinstance(event, CommandResult):
                for listener in self.answered:
                    listener(event)
                return []
            call_id = event.call_id
            known = self.registry.get(call_id)
            runtime = known.runtime if known else None
            self._admit(event, now)
            if runtime is not None and self._runtimes.is_quiet(runtime):
                self._check_at = 0.0  # it speaks again: look at once
            return self.registry.event(event, now)
        except ProtocolError as error:
            self.drops.drop("event", error, runtime, now, call_id)
        except Exception as error:
            _log.exception("An event could not be taken; the next repair sets its call right.", call_id=call_id)
            self.drops.drop("event", ProtocolError("failed", type(error).__name__), runtime, now, call_id)
        return []

    def _admit(self, event: CallEvent, now: int) -> None:
        """Refuse a flood. An end is always taken; what is refused comes in by the next repair."""
        if event.type != "call_ended" and not self._rates.allow(event.call_id, now):
            raise ProtocolError("too_fast", "more than 100 events a second from one call")

    async def _read_wanted(self) -> None:
        wanted = self.registry.take_wanted()
        if not wanted:
            return
        try:
            found = await self._read(wanted)
        except AWAY:
            self.registry.wanted |= wanted
            raise
        changes: list[Change] = []
        for call_id, started in wanted.items():
            changes += self._take(call_id, found, started)
        self._tell(changes)

    def _take(self, call_id: str, found: Found, started: bool = False) -> list[Change]:
        """What was found of a call. One whose hash breaks the protocol stays as it was while its runtime is heard."""
        stored = found.calls.get(call_id)
        known = self.registry.get(call_id)
        if call_id in found.unreadable and (known is None or not self._runtimes.is_quiet(known.runtime)):
            return []
        try:
            return self.registry.stored(call_id, stored, self.now(), started)
        except ProtocolError as error:
            self.drops.drop("call", error, stored.runtime if stored else None, self.now(), call_id)
            return []

    # --- repair

    async def _repair(self) -> None:
        """Compare ids, incarnations and revs with Redis, and read again what differs once the tail has been read."""
        index: dict[str, Pair] = {}
        for some in await live_ids(self._redis, self.keys):
            index |= await index_revs(self._redis, self.keys, some)
            await self._read_events(None)
        suspects = self._differing(index)
        if suspects:
            await self._read_events_until((await self._position()).last)  # it may only not have been read yet
            suspects &= self._differing(index)
        if not suspects:
            return
        found = await self._read(suspects)
        changes: list[Change] = []
        for call_id in suspects:
            changes += self._take(call_id, found)
        if changes:
            REPAIRS.labels(self._ws).inc(len(changes))
            _log.info("Calls differed from Redis and were read again.", workspace=self._ws, calls=len(changes))
        self._tell(changes)

    def _differing(self, index: dict[str, Pair]) -> set[str]:
        differ = {
            call_id for call_id, (incarnation, rev) in index.items() if self.registry.differs(call_id, incarnation, rev)
        }
        return differ | (self.registry.ids() - index.keys() - self.registry.vanished.keys())

    async def _check(self) -> None:
        """Look after the runtimes, and forget what is over for long enough."""
        self._check_at = time.monotonic() + self._timing.check_s
        self._rates.forget_idle(self.now())
        self.registry.expire(self.now())
        self._tell(await self._runtimes.look())
        await self._runtimes.end_lost()
