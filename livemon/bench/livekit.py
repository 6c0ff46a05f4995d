"""`livemon bench livekit`: what livemon costs a LiveKit agent in its own loop while nobody listens, beside it without it."""

import asyncio
import importlib
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from livemon.bench import process
from livemon.bench.errors import BenchError
from livemon.bench.figures import table
from livemon_runtime import Runtime

_WARM_UP_S = 2.0

WHAT = """\
CPU time of the agents' process for each call, in shares of one core; both sides speak all the time, nobody listens. The
models, the room and its network cost nothing here, so that a real agent's own share is larger, and livemon's the same. In it:
all that livemon's runtime does in that process, its connections to Redis too. Rounds with and without livemon take turns; the
figures are medians."""


@dataclass(frozen=True)
class Round:
    """Seconds of CPU a second and call."""

    alone: float
    watched: float


async def run(calls: int, seconds: float, rounds: int, say: Callable[[str], None]) -> list[Round]:
    """Raises `BenchError` if LiveKit Agents is not installed here."""
    try:
        importlib.import_module("livekit.agents")
    except ImportError as error:
        raise BenchError(
            "This needs LiveKit Agents: pip install 'livemon-runtime[livekit]' in livemon's environment."
        ) from error
    results: list[Round] = []
    quiet = process.quiet(livekit=logging.CRITICAL, livemon_runtime=logging.ERROR)
    with quiet, process.scratch() as folder, process.valkey(folder) as url:
        for n in range(rounds):
            alone = await _cost(None, calls, seconds)
            watched = await _cost(url, calls, seconds)
            results.append(Round(alone, watched))
            say(f"round {n + 1} of {rounds}: {alone:.2%} without livemon, {watched:.2%} with it")
    return results


async def _cost(url: str | None, calls: int, seconds: float) -> float:
    from livemon.bench.livekit_bots import BenchBot
    from livemon_runtime.adapters.livekit import watch

    async with AsyncExitStack() as stack:
        bots = [BenchBot() for _ in range(calls)]
        if url is not None:
            runtime = await stack.enter_async_context(Runtime(url, name="bench"))
            await runtime.alive.wait()
            for bot in bots:
                watch(runtime, bot.session)
        for bot in bots:
            await bot.start()
        async with asyncio.TaskGroup() as tasks:
            talking = [tasks.create_task(bot.talk()) for bot in bots]
            await asyncio.sleep(_WARM_UP_S)
            cpu, began = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cost = (time.process_time() - cpu) / (time.monotonic() - began) / calls
            for task in talking:
                task.cancel()
        for bot in bots:
            await bot.stop()
    return cost


def report(results: Sequence[Round]) -> str:
    alone = statistics.median(one.alone for one in results)
    watched = statistics.median(one.watched for one in results)
    added = statistics.median(one.watched - one.alone for one in results)
    rows = [
        ["the agent alone", f"{alone:.3%}", "1.00"],
        ["with livemon", f"{watched:.3%}", f"{watched / alone:.2f}"],
        ["what livemon adds", f"{added:.3%}", f"{added / alone:.2f}"],
    ]
    return "\n".join([table(["a call, not listened to", "of a core", "ratio"], rows), "", WHAT])
