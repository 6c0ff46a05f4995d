"""`livemon bench sdk`: what the SDK costs in a bot's own loop, beside the same loop without it; and whether any call of it
ever takes longer while Redis does not answer.
"""

import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace

import psutil

from livemon.bench import process
from livemon.bench.bots import RUNTIME_ID, SPEAKING, Order, Report, Timing
from livemon.bench.errors import BenchError
from livemon.bench.figures import table
from livemon.media.taps import Taps
from livemon.redis_client import connect
from livemon_runtime.keys import Keys

BEFORE_S = 2.0
"""How long the bots speak before Redis is stopped."""
TIMEOUT_S = 120.0

WHAT = """\
Each call speaks all the time: two packets of Opus every 20 ms, a partial turn every 100 ms, a turn every 3 s, a tool every 10 s.
Nobody listens or reads. Of a core: CPU time of the bots' process for each call, with all that the SDK does there, its connections
to Redis included. Rounds with and without livemon take turns, the figures are medians. The loop alone calls nothing."""

STOPPED = """\
Milliseconds that each method kept the bot's loop, while Redis answers and while it is stopped (SIGSTOP). Half of the calls are
listened to, the others end after 10 s, and new ones begin. Left out: calls in which the system gave the core to another process
or Python collected garbage. Waited: calls in which the thread let go of the core by itself, as whatever blocks does."""


@dataclass
class Result:
    """`rounds`: of a core a call, without livemon and with it; then a run with Redis there, and one with it stopped."""

    calls: int
    rounds: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    answering: Report | None = None
    stopped: Report | None = None
    stopped_s: float = 0.0


async def run(calls: int, seconds: float, rounds: int, stopped_s: float, say: Callable[[str], None]) -> Result:
    result = Result(calls, stopped_s=stopped_s)
    with process.scratch() as folder, process.valkey_process(folder) as (url, valkey):
        for n in range(rounds):
            alone = (await _measure(Order("", calls, seconds))).cpu
            watched = (await _measure(Order(url, calls, seconds))).cpu
            result.rounds.append((alone, watched))
            say(f"round {n + 1} of {rounds}: {alone:.3%} of a core a call without livemon, {watched:.3%} with it")
        order = Order(url, calls, stopped_s + 2 * BEFORE_S, times=True, name="answering")
        say(f"every call of the SDK, {order.seconds:.0f} s with Redis …")
        async with _listened(order):
            result.answering = await _measure(order)
        order = replace(order, name="stopped")
        say(f"… and the same with Redis stopped for {stopped_s:.0f} s of it")
        async with _listened(order):
            result.stopped = await _measure(order, lambda: _stop(valkey, stopped_s))
    return result


async def _measure(order: Order, meanwhile: Callable[[], Awaitable[None]] | None = None) -> Report:
    """Have the bots speak in a process of their own; `meanwhile` runs while they do. Raises `BenchError`."""
    command = [sys.executable, "-m", "livemon.bench.bots", json.dumps(asdict(order))]
    bots = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert bots.stdout is not None
    try:
        async with asyncio.timeout(order.seconds + TIMEOUT_S):
            line = await bots.stdout.readline()
            if line.strip() == SPEAKING and meanwhile is not None:
                await meanwhile()
            *_, last = [line, *[line async for line in bots.stdout]]
            await bots.wait()
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            bots.kill()
        await bots.wait()
        if isinstance(error, TimeoutError):
            raise BenchError("the bots' process did not end in time") from error
        raise
    try:
        told = json.loads(last)
    except ValueError as error:
        raise BenchError("the bots' process ended at once; what went wrong stands above") from error
    return Report(told["cpu"], {name: Timing(**timing) for name, timing in told["timings"].items()}, told["dropped"])


async def _stop(valkey: psutil.Process, seconds: float) -> None:
    await asyncio.sleep(BEFORE_S)
    valkey.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        valkey.resume()


@asynccontextmanager
async def _listened(order: Order) -> AsyncGenerator[None]:
    """Ask for the audio of the bots' lasting calls, as a node does, while the block runs."""
    redis = connect(order.url)
    taps = Taps(redis, Keys(), "bench", lambda _: RUNTIME_ID)
    try:
        for number in range(order.lasting):
            await taps.want(order.call_id(number) or "", "bench", "bench")
        renewing = asyncio.create_task(taps.run())
        yield
        renewing.cancel()
    finally:
        await redis.aclose()


def report(result: Result) -> str:
    alone = statistics.median(alone for alone, _ in result.rounds)
    watched = statistics.median(watched for _, watched in result.rounds)
    added = statistics.median(watched - alone for alone, watched in result.rounds)
    costs = [
        ["the loop alone", f"{alone:.3%}", "1.00"],
        ["with livemon", f"{watched:.3%}", f"{watched / alone:.2f}"],
        ["what livemon adds", f"{added:.3%}", f"{added / alone:.2f}"],
    ]
    cost = table([f"a call of {result.calls}, not listened to", "of a core", "ratio"], costs)
    return "\n\n".join([cost, WHAT, _times(result), STOPPED])


def _times(result: Result) -> str:
    assert result.answering is not None
    assert result.stopped is not None
    rows: list[list[str]] = []
    for name, stopped in sorted(result.stopped.timings.items()):
        answering = result.answering.timings.get(name, Timing())
        times = [answering.p999_ms, stopped.p999_ms, answering.longest_ms, stopped.longest_ms]
        counts = [stopped.calls, stopped.waited, stopped.left_out]
        rows.append([name, *(f"{ms:.3f}" for ms in times), *map(str, counts)])
    head = [f"Redis stopped for {result.stopped_s:.0f} s", "p99.9", "stopped", "longest", "stopped"]
    added = max(float(row[4]) for row in rows) - max(float(row[3]) for row in rows)
    dropped = ", ".join(f"{name} {count}" for name, count in sorted(result.stopped.dropped.items())) or "nothing"
    words = (
        f"The longest call of all took {added:+.3f} ms with Redis stopped. What the SDK dropped meanwhile: {dropped}."
    )
    return "\n\n".join([table([*head, "calls", "waited", "left out"], rows), words])
