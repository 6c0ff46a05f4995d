"""`livemon bench pipecat`: what livemon costs a Pipecat bot in its own loop while nobody listens, beside the bot without it.

All run at once, each in a process of its own and on the same core: what the machine does besides slows them down alike. And
what they cost is counted by what was spoken, not by the clock: bots that come too late for want of the core cost no less.
"""

import asyncio
import contextlib
import importlib.util
import os
import statistics
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from livemon.bench import process
from livemon.bench.errors import BenchError
from livemon.bench.figures import table

_START_S = 60.0
_ANSWER_S = 30.0
_WINDOW_S = 2.0

WHAT = """\
CPU time of the bots' process for a second of a call, in shares of one core; both sides speak all the time, nobody listens. The
models cost nothing here, so that a real bot's own share is larger, and livemon's the same. In it: all that livemon's runtime
does in that process, its connections to Redis too. In each round, in new processes on the same core and at the same time: the
bots with livemon, those without, and those without once more, which shows how far the measure itself can be trusted. The
figures are medians of the rounds; what is added, that of the rounds' own differences."""


@dataclass(frozen=True)
class Round:
    """Seconds of CPU for a second of one call: medians of the round's windows, and of their differences to `alone`."""

    alone: float
    watched: float
    added: float
    again: float
    """What the bots without livemon differ by from themselves."""


async def run(calls: int, seconds: float, rounds: int, say: Callable[[str], None]) -> list[Round]:
    """Raises `BenchError` if Pipecat is not installed here, or if the bots do not start."""
    if importlib.util.find_spec("pipecat") is None:
        raise BenchError("This needs Pipecat: pip install 'livemon-runtime[pipecat]' in livemon's environment.")
    results: list[Round] = []
    with process.scratch() as folder, process.valkey(folder) as url:
        for n in range(rounds):
            results.append(one := await _round(calls, seconds, url))
            say(
                f"round {n + 1} of {rounds}: {one.alone:.2%} without livemon, {one.added:+.3%} with it ({one.again:+.3%})"
            )
    return results


async def _round(calls: int, seconds: float, url: str) -> Round:
    async with _bots(calls) as alone, _bots(calls, url) as watched, _bots(calls) as again:
        windows = [await _window((alone, watched, again)) for _ in range(max(1, round(seconds / _WINDOW_S)))]
    columns = [*zip(*windows, strict=True)]
    medians = [statistics.median(column) for column in columns]
    added, noise = (
        statistics.median(cost - base for base, cost in zip(columns[0], column, strict=True)) for column in columns[1:]
    )
    return Round(medians[0], medians[1], added, noise)


async def _window(all_bots: Sequence[Process]) -> list[float]:
    before = [await _spent(bots) for bots in all_bots]
    await asyncio.sleep(_WINDOW_S)
    after = [await _spent(bots) for bots in all_bots]
    costs: list[float] = []
    for (cpu, talked), (cpu_then, talked_then) in zip(before, after, strict=True):
        if talked_then <= talked:
            raise BenchError(f"The bots said nothing for {_WINDOW_S:g} s: this machine is too busy to measure.")
        costs.append((cpu_then - cpu) / (talked_then - talked))
    return costs


@asynccontextmanager
async def _bots(calls: int, *url: str) -> AsyncGenerator[Process]:
    command = [sys.executable, "-m", "livemon.bench.pipecat_process", str(calls), *url]
    bots = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(bots.pid, {min(os.sched_getaffinity(0))})
        if await _line(bots, _START_S) != "ready":
            raise BenchError("The bots did not start.")
        yield bots
    finally:
        with contextlib.suppress(ProcessLookupError):
            bots.kill()
        await bots.wait()


async def _spent(bots: Process) -> tuple[float, float]:
    """Seconds of CPU, and of talk."""
    assert bots.stdin
    bots.stdin.write(b"\n")
    cpu, talked = (await _line(bots, _ANSWER_S)).split()
    return float(cpu), float(talked)


async def _line(bots: Process, within_s: float) -> str:
    assert bots.stdout
    try:
        async with asyncio.timeout(within_s):
            return (await bots.stdout.readline()).decode().strip()
    except TimeoutError as error:
        raise BenchError(f"The bots' process said nothing for {within_s:g} s.") from error


def report(results: Sequence[Round]) -> str:
    alone, watched, added, again = (
        statistics.median(getattr(one, name) for one in results) for name in ("alone", "watched", "added", "again")
    )
    rows = [
        ["the bot alone", f"{alone:.3%}", "1.00"],
        ["with livemon", f"{watched:.3%}", f"{watched / alone:.2f}"],
        ["what livemon adds", f"{added:+.3%}", f"{added / alone:+.3f}"],
        ["what nothing adds: the bot alone, once more", f"{again:+.3%}", f"{again / alone:+.3f}"],
    ]
    return "\n".join([table(["a call, not listened to", "of a core", "ratio"], rows), "", WHAT])
