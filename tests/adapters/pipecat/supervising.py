"""How livemon takes a call of the bot's over, and how its supervisor speaks: through Redis, by livemon's own scripts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import numpy as np

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon_runtime import Codec, Runtime
from livemon_runtime.packetizer import Packetizer
from tests.adapters.pipecat.bot import Bot
from tests.adapters.pipecat.caller import SUPERVISOR
from tests.runtime.conftest import Livemon, eventually


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
    task = asyncio.create_task(_talk(livemon, codec))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _talk(livemon: Livemon, codec: Codec) -> None:
    packetizer = Packetizer(codec)
    loop = asyncio.get_running_loop()
    channel = livemon.keys.supervisor("c-1", "k-1")
    frame = np.full(codec.form.clock // 50, SUPERVISOR, dtype="<i2").tobytes()
    while True:
        for packet in packetizer.packets(frame, loop.time()):
            await livemon.redis.execute_command("SPUBLISH", channel, packet)
        await asyncio.sleep(0.02)
