"""One side of `livemon bench pipecat`, in a process of its own: bots that talk, with livemon or without, and what they cost.

    python -m livemon.bench.pipecat_process CALLS [REDIS_URL]

Says `ready` once all of them talk; then answers each line on its input with the CPU seconds that the process has used so
far and the seconds that its bots have talked, all together, and ends when its input does.
"""

import asyncio
import logging
import sys
import time
from contextlib import AsyncExitStack

from loguru import logger
from pipecat.workers.runner import WorkerRunner

from livemon.bench.pipecat_bots import FRAME_S, BenchBot
from livemon_runtime import Runtime
from livemon_runtime.adapters.pipecat import watch

_WARM_UP_S = 2.0


async def run(calls: int, url: str | None) -> None:
    async with AsyncExitStack() as stack:
        bots = [BenchBot() for _ in range(calls)]
        if url is not None:
            runtime = await stack.enter_async_context(Runtime(url, name="bench"))
            await runtime.alive.wait()
            for bot in bots:
                watch(runtime, bot.worker, bot.transport)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(*(bot.worker for bot in bots))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(runner.run())
            talking = [tasks.create_task(bot.talk()) for bot in bots]
            await asyncio.sleep(_WARM_UP_S)
            await _answer(bots)
            for task in talking:
                task.cancel()
            await runner.cancel()
            await running


async def _answer(bots: list[BenchBot]) -> None:
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    _say("ready")
    while await asked.readline():
        _say(f"{time.process_time()} {sum(bot.frames for bot in bots) * FRAME_S}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logger.remove()
    logging.getLogger("livemon_runtime").setLevel(logging.ERROR)
    asyncio.run(run(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
