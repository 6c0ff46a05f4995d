"""Synthetic calls written straight into Redis, as a thousand runtimes would: the load that a benchmark runs under.

Writes what docs/protocol.md says, in pipelines: the SDK is measured by itself, not here.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis.asyncio

from livemon_runtime.keys import Keys
from livemon_runtime.protocol import EVENTS_KEPT, RUNTIME_TTL_S

RUNTIME_ID = "bench-runtime"
ONE_IN_SHOWS = 10
"""One change in so many shows in the list (here: another agent has the call); the others change what only the call's page
shows, as most of a real call's changes do."""

PROBE_MARK = "@"
"""Stands before the time of writing (ms since the epoch) in the probe's text, by which a page finds it."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class SyntheticCall:
    """One call as it stands in Redis."""

    data: dict[str, Any]
    rev: int = 1

    @property
    def call_id(self) -> str:
        return str(self.data["call_id"])


@dataclass
class Load:
    """`count` live calls of one runtime, of which `changes_per_s` change each second while `run` runs."""

    client: "redis.asyncio.Redis"
    count: int
    keys: Keys = field(default_factory=Keys)
    calls: list[SyntheticCall] = field(default_factory=list["SyntheticCall"])
    written: int = 0
    _changes: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a load, not a secret

    async def fill(self) -> None:
        """Put all calls there, started in the last half hour, the newest last."""
        start = now_ms() - 1_800_000
        self.calls = [SyntheticCall(self._call(n, start + n * 1_800_000 // self.count)) for n in range(self.count)]
        await self.heartbeat()
        for offset in range(0, self.count, 500):
            await self._write(self.calls[offset : offset + 500], "call_started")

    def _call(self, number: int, start: int) -> dict[str, Any]:
        return {
            "call_id": f"call_{number:06d}",
            "call_type": "web_call" if number % 5 == 0 else "phone_call",
            "direction": "inbound",
            "from_number": f"+1212555{number % 10_000:04d}",
            "to_number": "+12125550100",
            "agent_id": "agent_bench",
            "agent_name": f"Booking {number % 40}",
            "agent_version": 3,
            "start_timestamp": start,
            "call_status": "ongoing",
            "metadata": {},
            "audio": {"caller": "opus", "agent": "opus"},
            "capabilities": ["listen", "end"],
        }

    async def heartbeat(self) -> None:
        info = orjson.dumps({"name": "bench", "version": "1", "protocol": 1})
        await self.client.set(self.keys.runtime(RUNTIME_ID), info, ex=RUNTIME_TTL_S * 8)

    async def change(self, calls: list[SyntheticCall]) -> None:
        """One more `rev` for each of `calls`; every `ONE_IN_SHOWS`th of all changes is one of the row."""
        for call in calls:
            call.rev += 1
            self._changes += 1
            if self._changes % ONE_IN_SHOWS == 0:
                call.data["agent_name"] = f"Booking {self._random.randrange(1_000)}"
            else:
                call.data["metadata"] = {"step": self._changes}
        await self._write(calls, "call_updated")

    async def probe(self) -> int:
        """Change the newest call's agent to the time of writing (returned), to be found on the screen."""
        newest = self.calls[-1]
        at = now_ms()
        newest.data["agent_name"] = f"{PROBE_MARK}{at}"
        newest.rev += 1
        await self._write([newest], "call_updated")
        return at

    async def _write(self, calls: list[SyntheticCall], event: str) -> None:
        async with self.client.pipeline(transaction=False) as pipe:
            for call in calls:
                data = orjson.dumps(call.data)
                state = orjson.dumps({"call": call.data, "controller": None, "claim": None, "runtime": RUNTIME_ID})
                fields = {"incarnation": "1", "rev": call.rev, "data": data, "runtime": RUNTIME_ID, "generation": 0}
                pipe.hset(self.keys.call(call.call_id), mapping={**fields, "controller": "", "claim": ""})
                pipe.zadd(self.keys.calls, {call.call_id: call.data["start_timestamp"]})
                entry: dict[Any, Any] = {
                    "type": event,
                    "call_id": call.call_id,
                    "incarnation": "1",
                    "rev": call.rev,
                    "data": state,
                }
                pipe.xadd(self.keys.events, entry, maxlen=EVENTS_KEPT, approximate=True)
            await pipe.execute()
        self.written += len(calls)

    async def run(self, changes_per_s: int, seconds: float) -> None:
        """Change random calls (never the newest, which is the probe's), evenly spread, for `seconds`."""
        period = 0.02
        began = asyncio.get_running_loop().time()
        done = 0
        while (elapsed := asyncio.get_running_loop().time() - began) < seconds:
            due = int(elapsed * changes_per_s) - done
            if due > 0:
                await self.change([self._random.choice(self.calls[:-1]) for _ in range(due)])
                done += due
            await asyncio.sleep(period)
