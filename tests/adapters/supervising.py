"""How livemon takes a call of a bot's over, and how its supervisor speaks: through Redis, by livemon's own scripts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol

import numpy as np

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon_runtime import Call, Codec, Runtime
from livemon_runtime.packetizer import Packetizer
from tests.runtime.conftest import Livemon, eventually

SUPERVISOR = 2_000
"""The supervisor's voice: samples of this value."""


class Bot(Protocol):
    call: Call


async def take_over(livemon: Livemon, runtime: Runtime, bot: Bot) -> None:
    """Return once the agent has to be silent."""
    await eventually(lambda: livemon.call("c-1"))
    scripts = ClaimScripts(livemon.redis, livemon.keys)
    await scripts.claim(Asking("c-1", "u-1", "Grace", "k-1", "c-k-1", 30_000, 2**52), runtime.runtime_id)
    await eventually(lambda: silent(bot))


async def silent(bot: Bot) -> bool:
    return bot.call.agent_silent


@contextlib.asynccontextmanager
async def talking(livemon: Livemon, bot: Bot) -> AsyncIterator[None]:
    """The supervisor speaks, 20 ms after 20 ms, as their browser does."""
    codec = bot.call.supervisor_codec
    assert codec is not None
    over = asyncio.Event()
    task = asyncio.create_task(_talk(livemon, codec, over))
    try:
        yield
    finally:
        over.set()  # not cancelled: `asyncio.wait_for`, within redis-py, may swallow that before Python 3.12
        await task


async def _talk(livemon: Livemon, codec: Codec, over: asyncio.Event) -> None:
    packetizer = Packetizer(codec)
    while not over.is_set():
        await _say(livemon, codec, packetizer, SUPERVISOR)


async def say(livemon: Livemon, bot: Bot, *levels: int) -> None:
    """The supervisor says this, 20 ms of each level, once the runtime hears them."""
    codec = bot.call.supervisor_codec
    assert codec is not None
    await eventually(lambda: _is_heard(livemon))
    packetizer = Packetizer(codec)
    for level in levels:
        await _say(livemon, codec, packetizer, level)


async def _is_heard(livemon: Livemon) -> bool:
    channel = livemon.keys.supervisor("c-1", "k-1")
    counted: Any = await livemon.redis.execute_command("PUBSUB", "SHARDNUMSUB", channel)
    return dict(zip(counted[::2], counted[1::2], strict=True)).get(channel.encode(), 0) > 0


async def _say(livemon: Livemon, codec: Codec, packetizer: Packetizer, level: int) -> None:
    frame = np.full(codec.form.clock // 50, level, dtype="<i2").tobytes()
    for packet in packetizer.packets(frame, asyncio.get_running_loop().time()):
        await livemon.redis.execute_command("SPUBLISH", livemon.keys.supervisor("c-1", "k-1"), packet)
    await asyncio.sleep(0.02)
