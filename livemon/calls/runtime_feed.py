"""The runtimes of a workspace, told to whoever follows them (docs/interfaces.md, «The runtimes' socket»).

No index of runtimes is in Redis, so their keys are looked for; only while somebody follows, and so many keys a look, however
large the database is. A runtime whose call comes is looked at by name, at once. It writes nothing, and knows no socket.
"""

import asyncio
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from livemon.masking.text import mask_text
from livemon_runtime.errors import InvalidName
from livemon_runtime.keys import Keys, check_id

from .encoding import encode
from .feed import AWAY, CallFeed, FeedState
from .list_feed import SILENCE_MS, feed_json
from .outbox import Outbox
from .registry import Change, LiveCall
from .roster import Connection, Present, Roster
from .rows import CAPABILITIES
from .sight import Sight

LOOK_S = 2.0
"""Between two looks, unless a call comes of a runtime that is not known yet."""
PAUSE_S = 0.25
"""Between two messages: many calls may change at once."""
KEYS_A_STEP, STEPS_A_LOOK = 1_000, 20
"""What one look goes through of a database; the next goes on from there."""
QUIET_S = 4.0
"""So long nobody is told that nothing has changed."""
MAX_VALUE = 2_048
"""Bytes of what a runtime says of itself that are read."""
TOLD = 50
"""Runtimes that a page is told of; those beyond are counted."""

Message = dict[str, Any]

_log = structlog.get_logger("livemon.calls")


@dataclass(slots=True)
class _Search:
    """What is known since somebody follows. `unknown`: whose call has come, and whose key nobody has looked at yet."""

    roster: Roster = field(default_factory=Roster)
    unknown: set[str] = field(default_factory=set[str])
    cursor: int = 0
    looked: bool = False
    """Whether all keys have been gone through once."""
    refused: bool = False
    begun: bool = False
    """Whether Redis was asked at all: nothing is told before, for nothing is known."""


class RuntimeFeed:
    """One workspace's; `run` looks and tells."""

    def __init__(self, redis: Redis, keys: Keys, calls: CallFeed, *, look_s: float = LOOK_S) -> None:
        self._redis, self._keys, self._calls, self._look_s = redis, keys, calls, look_s
        self._outboxes: dict[Outbox, Sight] = {}
        self._followed, self._called, self._news = asyncio.Event(), asyncio.Event(), asyncio.Event()
        """Somebody follows; there is something to look at by name; there may be something to tell."""
        self._search = _Search()
        self._look_at = self._told_at = 0.0
        self._told: Message | None = None
        calls.changed.append(self._on_changes)
        calls.state_changed.append(self._on_state)

    @contextmanager
    def connect(self, sight: Sight) -> Generator[Outbox]:
        """An outbox for one connection, beginning with what is so."""
        if not self._outboxes:
            self._search = _Search()
            self._search.roster.take_all(self._calls.registry)
            self._look_at = 0.0
            self._told = None
        outbox = Outbox("runtimes", lambda: self._fresh(sight))
        self._outboxes[outbox] = sight
        self._followed.set()
        self._called.set()
        try:
            yield outbox
        finally:
            del self._outboxes[outbox]
            if not self._outboxes:
                self._followed.clear()

    async def run(self) -> None:
        """Look and tell while somebody follows; whoever waits for Redis's answer holds up nobody who is to be told."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_looking())
            tasks.create_task(self._keep_telling())

    async def _keep_looking(self) -> None:
        while True:
            await self._followed.wait()
            await self._look(self._search)
            self._news.set()
            await asyncio.sleep(PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._look_at - time.monotonic())):
                    await self._called.wait()
            self._called.clear()

    async def _keep_telling(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_MS / 1000):
                    await self._news.wait()
            self._news.clear()
            self._tell()
            await asyncio.sleep(PAUSE_S)

    def _fresh(self, sight: Sight) -> list[str]:
        return [self._encoded(self._message(), sight)] if self._search.begun else []

    # --- looking

    async def _look(self, search: _Search) -> None:
        """Once it is due; before, only at those whose call has come."""
        names, search.unknown = search.unknown, set()
        try:
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + self._look_s
                names |= search.roster.wanted | await self._some(search)
            found = await self._values(names)
        except AWAY:
            pass  # the feed of the calls says so
        else:
            search.roster.look(found, self._calls.now())
        search.begun = True

    async def _some(self, search: _Search) -> set[str]:
        """The runtimes among the next keys of the database; none if Redis does not let livemon look."""
        found = set[str]()
        try:
            await self._scan(search, found)
            search.refused = False
        except ResponseError as error:
            if not search.refused:
                _log.warning("Redis does not let livemon look for runtimes.", why=str(error))
            search.refused = True
        return found

    async def _scan(self, search: _Search, found: set[str]) -> None:
        pattern = self._keys.runtime("*")
        for _ in range(STEPS_A_LOOK):
            answer = await self._redis.scan(search.cursor, match=pattern, count=KEYS_A_STEP, _type="string")
            search.cursor, keys = cast("tuple[int, list[bytes]]", answer)
            found |= self._ids(keys)
            if not search.cursor:
                search.looked = True
                return

    def _ids(self, keys: Iterable[bytes]) -> set[str]:
        prefix, found = len(self._keys.runtime("")), set[str]()
        for key in keys:
            try:
                found.add(check_id("runtime_id", key.decode(errors="replace")[prefix:]))
            except InvalidName:
                continue
        return found

    async def _values(self, runtimes: Iterable[str]) -> dict[str, bytes]:
        asked = list(runtimes)
        if not asked:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        for runtime in asked:
            pipeline.getrange(self._keys.runtime(runtime), 0, MAX_VALUE - 1)
        return dict(zip(asked, cast("list[bytes]", await pipeline.execute()), strict=True))

    # --- telling

    def _tell(self) -> None:
        """What is so, to everybody, if it is not what was told last; and now and then that nothing has changed."""
        if not self._search.begun or not self._outboxes:
            return
        message = self._message()
        if message != self._told:
            self._told = message
            self._say(message)
        elif time.monotonic() - self._told_at >= QUIET_S:
            self._say({"t": "tick"})

    def _say(self, message: Message) -> None:
        self._told_at = time.monotonic()
        encoded: dict[bool, str] = {}
        for outbox, sight in self._outboxes.items():
            if sight.unmasked not in encoded:
                encoded[sight.unmasked] = self._encoded(message, sight)
            outbox.offer(encoded[sight.unmasked])

    def _message(self) -> Message:
        roster = self._search.roster
        there, latest = roster.there, roster.latest
        return {
            "t": "runtimes",
            "feed": feed_json(self._calls.state),
            "state": roster.connection,
            "looked": self._search.looked or roster.connection is not Connection.WAITING,
            "refused": self._search.refused,
            "call": latest and self._call(latest),
            "runtimes": [self._runtime(one) for one in there[:TOLD]],
            "more": max(0, len(there) - TOLD),
        }

    def _runtime(self, one: Present) -> Message:
        latest = self._search.roster.latest_of(one.runtime_id)
        return {
            "id": one.runtime_id,
            "name": one.name,
            "version": one.version,
            "since": one.since,
            "speaks": one.speaks,
            "calls": sum(live.listed for live in self._calls.registry.calls_of(one.runtime_id)),
            "call": latest and self._call(latest),
            "caps": latest and [cap for cap in CAPABILITIES if cap in latest.call.capabilities],
            "audio": latest and latest.call.audio is not None,
        }

    def _call(self, live: LiveCall) -> Message:
        call = live.call
        return {
            "id": call.call_id,
            "agent": call.agent_name or call.agent_id or "",
            "start": call.start_timestamp,
            "over": live.over,
            "there": self._search.roster.is_there(live.runtime),
        }

    def _encoded(self, message: Message, sight: Sight) -> str:
        """As it leaves for somebody; whoever sees no numbers sees none in a name either."""
        whole = {**message, "now": self._calls.now()}
        if message["t"] == "runtimes":
            whole["masked"] = not sight.unmasked
        return encode(whole if sight.unmasked else _masked(whole)).decode()

    # --- news

    def _on_changes(self, changes: list[Change]) -> None:
        if not self._outboxes:
            return
        for change in changes:
            runtime = change.now.runtime
            new = self._search.roster.latest_of(runtime) is None
            self._search.roster.take(change.now)
            if new and self._search.roster.latest_of(runtime) is not None:
                self._search.unknown.add(runtime)
                self._called.set()
        self._news.set()

    def _on_state(self, _: FeedState) -> None:
        self._look_at = 0.0
        self._called.set()
        self._news.set()


_NAMES = frozenset({"name", "version", "agent"})


def _masked(value: Any) -> Any:
    """Names and versions masked, at any depth; everything else is ids, states and times."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            name: mask_text(one) if name in _NAMES and isinstance(one, str) else _masked(one)
            for name, one in fields.items()
        }
    return [_masked(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value
