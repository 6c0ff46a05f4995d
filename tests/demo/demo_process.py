"""The demo as a process of its own, and livemon's end of the protocol to look at it with."""

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import redis.asyncio

from livemon_runtime.keys import Keys, Voice
from livemon_runtime.rtp import RtpPacket

KEYS = Keys()


@dataclass
class Watcher:
    """What livemon could know: calls, events and transcripts in Redis; and the commands that it could send."""

    redis: redis.asyncio.Redis

    async def calls(self) -> list[dict[str, Any]]:
        """The calls in the list, oldest first."""
        ids = [call_id.decode() for call_id in await self.redis.zrange(KEYS.calls, 0, -1)]
        stored = [await self.redis.hget(KEYS.call(call_id), "data") for call_id in ids]
        return [json.loads(data) for data in stored if data]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        entries = await self.redis.xrange(KEYS.events)
        return [json.loads(fields[b"data"]) for _, fields in entries if fields[b"type"] == kind.encode()]

    async def transcript(self, call_id: str) -> list[dict[str, Any]]:
        return [json.loads(fields[b"data"]) for _, fields in await self.redis.xrange(KEYS.transcript(call_id))]

    async def command(self, call_id: str, kind: str, **fields: Any) -> str:
        """Send a command to the call's runtime; its id."""
        runtime_id = (await self.redis.hget(KEYS.call(call_id), "runtime")).decode()
        seconds, micros = await self.redis.time()
        command = {
            "command_id": secrets.token_hex(8),
            "call_id": call_id,
            "type": kind,
            "by": "u1",
            "by_name": "Maya",
            "deadline": seconds * 1000 + micros // 1000 + 5_000,
            **fields,
        }
        await self.redis.xadd(KEYS.commands(runtime_id), {"data": json.dumps(command)})
        return str(command["command_id"])

    async def result(self, command_id: str) -> dict[str, Any]:
        """What the runtime said to a command."""

        async def answered() -> list[dict[str, Any]]:
            return [result for result in await self.events("command_result") if result["command_id"] == command_id]

        return (await self.until(answered))[0]

    async def until(self, seen: Callable[[], Any], timeout: float = 60) -> Any:
        """Look until `seen` answers something true, which is returned."""
        async with asyncio.timeout(timeout):
            while not (answer := await seen()):
                await asyncio.sleep(0.02)
        return answer


@asynccontextmanager
async def demo(url: str, calls: int, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m livemon.demo`, killed at the end if it is still there."""
    command = [sys.executable, "-m", "livemon.demo", "--redis", url, "--calls", str(calls), "--seed", "7", *more]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet of a voice, and the loop's time at which it came."""

    packet: RtpPacket
    at: float


async def listen(
    redis: redis.asyncio.Redis, call_id: str, until: Callable[[dict[Voice, list[Heard]]], bool]
) -> dict[Voice, list[Heard]]:
    """Tap a call as a node does, renewing it, and gather both voices until there is enough of them."""
    heard: dict[Voice, list[Heard]] = {"caller": [], "agent": []}
    channels: dict[bytes, Voice] = {KEYS.audio(call_id, voice).encode(): voice for voice in heard}
    loop = asyncio.get_running_loop()
    async with redis.pubsub() as pubsub, asyncio.timeout(90):
        await pubsub.ssubscribe(*channels)
        await _renew_tap(redis, call_id)
        await Watcher(redis).command(call_id, "tap")
        while not until(heard):
            await _renew_tap(redis, call_id)
            message = await pubsub.get_message(timeout=1)
            if message and message["type"] == "smessage":
                packet = RtpPacket.parse(message["data"])
                heard[channels[message["channel"]]].append(Heard(packet, loop.time()))
    return heard


async def _renew_tap(redis: redis.asyncio.Redis, call_id: str) -> None:
    seconds, _ = await redis.time()
    await redis.zadd(KEYS.tap(call_id), {"node-1": seconds * 1000 + 15_000})
