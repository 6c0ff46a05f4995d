"""The live part of one node on a real Valkey, with shortened times, and a runtime's side written from docs/protocol.md."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client import REGISTRY
from redis.asyncio import Redis

from livemon.calls.feed import CallFeed, FeedState, FeedTiming
from livemon.calls.list_feed import ListFeed
from livemon.calls.presence import Presence
from livemon.calls.registry import Change, LiveCall
from livemon.calls.transcript_feed import Transcripts
from livemon.control.commands import Control
from livemon.redis_client import connect
from livemon_runtime.keys import Keys
from tests.calls.making import call_data, ended_data, state_json

QUICK = FeedTiming(check_s=0.1, repair_s=600, lost_after_s=600, backoff_s=0.05, max_backoff_s=0.2)
"""Looks often; repairs and gives up only in tests that ask for it."""


def quick(**changed: float) -> FeedTiming:
    return replace(QUICK, **changed)


async def until(look: Callable[[], Any], within: float = 60) -> Any:
    """What `look` answers (or what it answers resolves to) as soon as it is true."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if isinstance(seen, Awaitable):
            seen = await seen
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last seen: {seen!r}")
        await asyncio.sleep(0.01)


@dataclass
class LivePart:
    """One node, and everything that it has told."""

    redis: Redis
    keys: Keys
    calls: CallFeed
    presence: Presence
    list_feed: ListFeed
    transcripts: Transcripts
    control: Control
    changes: list[Change] = field(default_factory=list)
    states: list[FeedState] = field(default_factory=list)

    async def call(self, call_id: str = "call-1", **fields: Any) -> LiveCall:
        """The call, once its row is there and its fields (those of the protocol's Call, or of `LiveCall`) are so."""
        return await until(lambda: self._with(call_id, fields))

    def _with(self, call_id: str, fields: dict[str, Any]) -> LiveCall | None:
        live = self.calls.get(call_id)
        if live is None:
            return None
        own = {name: getattr(live, name) if hasattr(live, name) else getattr(live.call, name) for name in fields}
        return live if own == fields else None

    async def ended(self, call_id: str = "call-1") -> LiveCall:
        """How the call ended, once it has."""
        change = await until(
            lambda: next((one for one in self.changes if one.call_id == call_id and one.now.over), None)
        )
        return change.now

    async def state(self, state: str) -> FeedState:
        return await until(lambda: self.calls.state if self.calls.state.state == state else None)

    @property
    def since(self) -> int | None:
        return self.calls.state.since

    def count(self, metric: str, **labels: str) -> float:
        """A counter of this workspace."""
        return REGISTRY.get_sample_value(f"{metric}_total", {"workspace": self.keys.workspace, **labels}) or 0

    def dropped(self, kind: str, reason: str, runtime: str) -> float:
        return self.count("livemon_input_dropped", kind=kind, reason=reason, runtime=runtime)


def make(url: str, keys: Keys, timing: FeedTiming, node_id: str, deadline_ms: int) -> LivePart:
    redis = connect(url)
    calls = CallFeed(redis, keys, timing=timing)
    presence = Presence(redis, keys, node_id, now=calls.now, poll_s=0.05)
    part = LivePart(
        redis,
        keys,
        calls,
        presence,
        ListFeed(calls, presence),
        Transcripts(redis, keys, calls, presence),
        Control(redis, keys, calls, deadline_ms),
    )
    calls.changed.append(part.changes.extend)
    calls.state_changed.append(part.states.append)
    return part


@asynccontextmanager
async def live_part(
    url: str,
    keys: Keys,
    *,
    timing: FeedTiming = QUICK,
    node_id: str = "node-1",
    deadline_ms: int = 5_000,
    live: bool = True,
) -> AsyncGenerator[LivePart]:
    """It runs while the block lasts, and is live at its beginning (unless Redis is not there: `live=False`)."""
    part = make(url, keys, timing, node_id, deadline_ms)
    async with running(part.calls.run(), part.presence.run(), part.list_feed.run(), part.transcripts.run()):
        if live:
            await part.state("live")
        yield part
    await part.redis.aclose()


@asynccontextmanager
async def running(*coroutines: Any) -> AsyncGenerator[None]:
    """These run while the block lasts; one that fails fails the test."""
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one) for one in coroutines]
        yield
        for task in started:
            task.cancel()


@dataclass
class RawRuntime:
    """A runtime as anyone could write it: what it does stands in docs/protocol.md, and nothing keeps it from mistakes."""

    redis: Redis
    keys: Keys
    runtime_id: str = "rt-1"
    revs: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def alive(self, ttl_ms: int = 600_000) -> None:
        await self.redis.set(self.keys.runtime(self.runtime_id), '{"name": "raw", "version": "1"}', px=ttl_ms)

    async def gone(self) -> None:
        """Its key has expired."""
        await self.redis.delete(self.keys.runtime(self.runtime_id))

    async def announce(self, call_id: str = "call-1", *, resumed: bool = False, **fields: Any) -> None:
        self.revs[call_id] = (secrets.token_hex(4), 0)
        await self.write("call_started", call_data(call_id, **fields), resumed=resumed)

    async def update(self, call_id: str = "call-1", *, told: bool = True, **fields: Any) -> None:
        await self.write("call_updated", call_data(call_id, **fields), told=told)

    async def end(self, call_id: str = "call-1", reason: str = "user_hangup", *, told: bool = True) -> None:
        await self.write("call_ended", ended_data(call_id, reason), told=told)

    async def write(self, kind: str, data: dict[str, Any], *, told: bool = True, resumed: bool = False) -> None:
        """One atomic change: hash, index and (unless `told` is false: then it is lost) the event."""
        call_id = data["call_id"]
        incarnation, rev = self.revs[call_id]
        self.revs[call_id] = (incarnation, rev + 1)
        key = self.keys.call(call_id)
        pipeline = self.redis.pipeline(transaction=True)
        written = {"incarnation": incarnation, "rev": rev + 1, "data": json.dumps(data), "runtime": self.runtime_id}
        pipeline.hset(key, mapping={**written, "generation": 0, "controller": "", "claim": ""})
        if data["call_status"] in ("ended", "error"):
            pipeline.zrem(self.keys.calls, call_id)
        else:
            pipeline.zadd(self.keys.calls, {call_id: data["start_timestamp"]})
        if told:
            state = state_json(data, self.runtime_id, resumed)
            pipeline.xadd(self.keys.events, self.event(kind, call_id, incarnation, rev + 1, state))
        await pipeline.execute()

    def event(self, kind: str, call_id: str, incarnation: str, rev: int, data: bytes | str) -> dict[str, Any]:
        return {"type": kind, "call_id": call_id, "incarnation": incarnation, "rev": rev, "data": data}

    async def say(self, kind: str, call_id: str, data: bytes | str, *, rev: int | None = None) -> None:
        """An event alone, whatever it says."""
        incarnation, last = self.revs.get(call_id, ("none", 0))
        event = self.event(kind, call_id, incarnation, last + 1 if rev is None else rev, data)
        await self.redis.xadd(self.keys.events, event)

    async def append(self, call_id: str, n: int, **entry: Any) -> None:
        await self.redis.xadd(self.keys.transcript(call_id), {"data": json.dumps(entry)}, id=f"{n}-0")

    async def say_partial(self, call_id: str, **entry: Any) -> int:
        """Publish it; answers how many heard it."""
        data = json.dumps({"final": False, **entry})
        return await self.redis.execute_command("SPUBLISH", self.keys.partials(call_id), data)
