"""What the tests of the runtime share: how Redis is read from livemon's end, and commands as livemon sends them."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Call, Runtime
from livemon_runtime.keys import Keys


async def eventually(look: Callable[[], Awaitable[Any]], within: float = 60) -> Any:
    """What `look` answers as soon as it is true; the time is generous, and asserts nothing but that it comes."""
    deadline = time.monotonic() + within
    while not (seen := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last seen: {seen!r}")
        await asyncio.sleep(0.01)
    return seen


@dataclass
class Livemon:
    """The other end of the protocol, in as few words as the tests need."""

    redis: redis.asyncio.Redis
    keys: Keys

    async def transcript(self, call_id: str) -> list[dict[str, Any]]:
        return [json.loads(fields[b"data"]) for _, fields in await self.redis.xrange(self.keys.transcript(call_id))]

    async def contents(self, call_id: str) -> list[str]:
        return [entry.get("content", "") for entry in await self.transcript(call_id)]

    async def numbers(self, call_id: str) -> list[str]:
        return [entry_id.decode() for entry_id, _ in await self.redis.xrange(self.keys.transcript(call_id))]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """The stored hash, its JSON read; None if there is none."""
        stored = {k.decode(): v.decode() for k, v in (await self.redis.hgetall(self.keys.call(call_id))).items()}
        for name in ("data", "controller", "claim"):
            if stored.get(name):
                stored[name] = json.loads(stored[name])
        return stored or None

    async def status(self, call_id: str) -> str | None:
        stored = await self.call(call_id)
        return stored and stored["data"]["call_status"]

    async def listed(self) -> list[str]:
        return [call_id.decode() for call_id in await self.redis.zrange(self.keys.calls, 0, -1)]

    async def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Their fields, with `data` read."""
        events: list[dict[str, Any]] = []
        for _, fields in await self.redis.xrange(self.keys.events):
            event: dict[str, Any] = {name.decode(): value.decode() for name, value in fields.items()}
            event["data"] = json.loads(event["data"])
            if kind in (None, event["type"]):
                events.append(event)
        return events

    async def now(self) -> int:
        seconds, microseconds = await self.redis.time()
        return seconds * 1000 + microseconds // 1000

    async def results(self, command_id: str) -> list[dict[str, Any]]:
        results = [event["data"] for event in await self.events("command_result")]
        return [result for result in results if result["command_id"] == command_id]

    async def send(self, runtime_id: str, call_id: str, kind: str, **fields: Any) -> str:
        """Send a command; answers its id."""
        command = {
            "command_id": secrets.token_hex(8),
            "call_id": call_id,
            "type": kind,
            "by": "u-1",
            "by_name": "Grace",
            "deadline": await self.now() + 5_000,
            **fields,
        }
        await self.redis.xadd(self.keys.commands(runtime_id), {"data": json.dumps(command)})
        return command["command_id"]

    async def ask(self, runtime: Runtime, call: Call | str, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and await its result."""
        call_id = call if isinstance(call, str) else call.call_id
        command_id = await self.send(runtime.runtime_id, call_id, kind, **fields)
        results = await eventually(lambda: self.results(command_id))
        return results[0]

    async def claim(
        self, call_id: str, claim_id: str, *, generation: int = 1, lasts_ms: int = 5_000, user_id: str = "u-1"
    ) -> dict[str, Any]:
        """Claim as livemon's script leaves it in the hash."""
        claim = {
            "user_id": user_id,
            "name": "Grace",
            "claim_id": claim_id,
            "generation": generation,
            "deadline": await self.now() + lasts_ms,
        }
        key = self.keys.call(call_id)
        await self.redis.hset(key, mapping={"claim": json.dumps(claim), "generation": generation})
        await self.redis.hincrby(key, "rev", 1)
        return claim


@pytest.fixture
async def livemon(valkey: redis.asyncio.Redis) -> Livemon:
    return Livemon(valkey, Keys())


@pytest.fixture
async def runtime(valkey_url: str) -> AsyncIterator[Runtime]:
    async with Runtime(valkey_url, name="front-desk", version="1.2") as running:
        yield running
