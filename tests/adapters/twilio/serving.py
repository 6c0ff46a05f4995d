"""A gateway for a test, in its own loop; and how livemon takes one of its calls over."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon_runtime import Codec, Runtime
from livemon_runtime.adapters.twilio import Gateway, Options
from livemon_runtime.packetizer import Packetizer
from livemon_runtime.rtp import RtpPacket
from tests.adapters.twilio.carrier import TOKEN, sid
from tests.adapters.twilio.tones import SUPERVISOR, frames, pitch_of_mu_law
from tests.conftest import free_port
from tests.runtime.conftest import Livemon, eventually


@contextlib.asynccontextmanager
async def gateway(
    runtime: Runtime, bot: str, redis: str = "redis://127.0.0.1:1/0", engine: Any = None, **more: Any
) -> AsyncIterator[Gateway]:
    options = Options(**{"bot": bot, "port": free_port(), "auth_token": TOKEN, **more})
    async with Gateway(options, runtime, redis, engine) as serving:
        yield serving


async def over(look: Callable[[], Any]) -> bool:
    return bool(look())


async def soon(look: Callable[[], Any]) -> None:
    await eventually(lambda: over(look))


async def take_over(
    livemon: Livemon, runtime: Runtime | str, call_id: str = sid(), claim: str = "k-1", **more: Any
) -> None:
    """Return once livemon says that the supervisor has the caller."""
    await eventually(lambda: livemon.call(call_id))
    scripts = ClaimScripts(livemon.redis, livemon.keys)
    asking = Asking(call_id, more.get("user", "u-1"), "Grace", claim, f"c-{claim}", more.get("grace_ms", 30_000), 2**52)
    await scripts.claim(asking, runtime if isinstance(runtime, str) else runtime.runtime_id)
    await eventually(lambda: held(livemon, call_id, claim))


async def held(livemon: Livemon, call_id: str, claim: str) -> bool:
    stored = await livemon.call(call_id)
    return bool(stored and stored.get("controller") and stored["controller"]["claim_id"] == claim)


@contextlib.asynccontextmanager
async def talking(
    livemon: Livemon, call_id: str = sid(), claim: str = "k-1", pace: float = 0.02
) -> AsyncIterator[None]:
    """The supervisor speaks, 20 ms after 20 ms, as their browser does; or faster than that."""
    task = asyncio.create_task(_talk(livemon, call_id, claim, pace))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _talk(livemon: Livemon, call_id: str, claim: str, pace: float) -> None:
    packetizer, loop = Packetizer(Codec.PCMU), asyncio.get_running_loop()
    due = loop.time()
    for frame in frames(SUPERVISOR):
        for packet in packetizer.packets(frame, loop.time()):
            await livemon.redis.execute_command("SPUBLISH", livemon.keys.supervisor(call_id, claim), packet)
        due += pace
        await asyncio.sleep(max(0.0, due - loop.time()))


async def ended(livemon: Livemon, reason: str, call_id: str = sid()) -> bool:
    stored = await livemon.call(call_id)
    return bool(stored) and stored["data"].get("disconnection_reason") == reason


class Listener:
    """Somebody who listens to both of a call's voices."""

    def __init__(self, livemon: Livemon, runtime: Runtime, call_id: str = sid()) -> None:
        self._livemon, self._runtime, self._call_id = livemon, runtime, call_id
        self._pubsub: Any = livemon.redis.pubsub(ignore_subscribe_messages=True)
        self._task: asyncio.Task[None] | None = None
        self.heard: dict[str, bytes] = {"caller": b"", "agent": b""}
        self.packets: dict[str, list[tuple[float, RtpPacket]]] = {"caller": [], "agent": []}

    async def __aenter__(self) -> "Listener":
        keys = self._livemon.keys
        await self._pubsub.ssubscribe(*(keys.audio(self._call_id, voice) for voice in ("caller", "agent")))
        await self._livemon.redis.zadd(keys.tap(self._call_id), {"node-1": await self._livemon.now() + 600_000})
        await self._livemon.send(self._runtime.runtime_id, self._call_id, "tap")
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._pubsub.aclose()

    async def _listen(self) -> None:
        while True:
            message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message:
                voice = message["channel"].decode().rsplit(":", 1)[1]
                packet = RtpPacket.parse(message["data"])
                self.packets[voice].append((time.monotonic(), packet))
                self.heard[voice] += packet.payload

    def pitches(self, voice: str) -> list[int]:
        sound = self.heard[voice]
        return [pitch_of_mu_law(sound[at : at + 160]) for at in range(0, len(sound) - 159, 160)]
