"""`livemon bench list`: event in Redis → row on the screen, with thousands of live calls and many open pages."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio

from livemon.bench import process, viewers
from livemon.bench.errors import BenchError
from livemon.bench.figures import percentile, table
from livemon.bench.load import Load
from livemon.bench.process import Server
from livemon.bench.screen import WATCH, delays_ms, screen
from livemon.bench.viewers import Viewer

PROBE_EVERY_S = 0.2
SETTLE_S = 3.0


@dataclass(frozen=True)
class Plan:
    calls: int = 5_000
    changes_per_s: int = 500
    pages: int = 50
    seconds: float = 20.0


@dataclass(frozen=True)
class Contender:
    """A server that shows the list, how a page of it is followed, and where the probe stands on its screen."""

    name: str
    start: Callable[[str, Path], AbstractAsyncContextManager[Server]]
    follow: Callable[[Server, Viewer, asyncio.Event], Awaitable[None]]
    path: str
    selector: str


LIVEMON = Contender(
    "livemon",
    process.livemon,
    lambda server, viewer, ready: viewers.read_feed(server, "/feed/calls", viewer, ready),
    "/live",
    '[data-testid="call-row"]',
)
RIVALS = [
    Contender(
        "ui.aggrid, tuned",
        lambda url, folder: process.rival("ag_grid", url, folder),
        viewers.read_nicegui,
        "/",
        '.ag-cell[col-id="agent"]',
    ),
    Contender(
        "ui.table",
        lambda url, folder: process.rival("table", url, folder),
        viewers.read_nicegui,
        "/",
        "tbody.q-virtual-scroll__content td",
    ),
]


@dataclass(frozen=True)
class Result:
    name: str
    p50_ms: float
    p95_ms: float
    seen: int
    probes: int
    cpu_percent: float
    kb_per_s: float
    idle_mb: float
    loaded_mb: float


async def run(plan: Plan, rivals: bool, say: Callable[[str], None]) -> list[Result]:
    """Measure livemon and (if `rivals`) its rivals one after the other, each over a Valkey of its own."""
    results: list[Result] = []
    for contender in [LIVEMON, *(RIVALS if rivals else [])]:
        say(f"{contender.name}: {plan.calls} calls, {plan.changes_per_s} changes/s, {plan.pages} pages …")
        with process.scratch() as folder, process.valkey(folder) as url:
            results.append(await _measure(contender, plan, url, folder))
    return results


async def _measure(contender: Contender, plan: Plan, url: str, folder: Path) -> Result:
    client = redis.asyncio.Redis.from_url(url)
    load = Load(client, plan.calls)
    try:
        idle_mb = 0.0
        if contender is LIVEMON:  # the rivals read the calls at their start only
            async with contender.start(url, folder) as server:
                await asyncio.sleep(SETTLE_S)
                idle_mb = server.memory_mb()
        await load.fill()
        async with contender.start(url, folder) as server, asyncio.TaskGroup() as group:
            watched = [Viewer() for _ in range(plan.pages - 1)]
            readers: list[asyncio.Task[None]] = []
            for viewer in watched:
                ready = asyncio.Event()
                readers.append(group.create_task(_as_task(contender.follow(server, viewer, ready))))
                await _or_fail(ready, contender)
            async with screen(server, contender.path) as page:
                await page.wait_for_selector(contender.selector, timeout=120_000)
                await page.evaluate(WATCH, contender.selector)
                await asyncio.sleep(SETTLE_S)
                before, bytes_before = server.cpu_s(), sum(viewer.received for viewer in watched)
                probes = group.create_task(_probe(load, plan.seconds))
                await load.run(plan.changes_per_s, plan.seconds)
                cpu, read = server.cpu_s() - before, sum(viewer.received for viewer in watched) - bytes_before
                sent = await probes
                await asyncio.sleep(SETTLE_S)
                delays = await delays_ms(page)
                loaded_mb = server.memory_mb()
            for reader in readers:
                reader.cancel()
    finally:
        await client.aclose()
    return Result(
        contender.name,
        percentile(delays, 0.5),
        percentile(delays, 0.95),
        len(delays),
        sent,
        100 * cpu / plan.seconds,
        read / max(1, plan.pages - 1) / plan.seconds / 1000,
        idle_mb,
        loaded_mb,
    )


async def _as_task(reading: Awaitable[None]) -> None:
    await reading


async def _or_fail(ready: asyncio.Event, contender: Contender) -> None:
    try:
        await asyncio.wait_for(ready.wait(), 60)
    except TimeoutError as error:
        raise BenchError(f"{contender.name}: a page was sent nothing within 60 s") from error


async def _probe(load: Load, seconds: float) -> int:
    sent = 0
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await load.probe()
        sent += 1
        await asyncio.sleep(random.uniform(0.5, 1.5) * PROBE_EVERY_S)  # noqa: S311 - in step with nobody's ticks
    return sent


def report(results: list[Result], plan: Plan) -> str:
    """A table with livemon first, and each rival's p95 and CPU as a multiple of livemon's."""
    ours = results[0]
    head = ["", "p50 ms", "p95 ms", "x", "shown", "CPU %", "x", "kB/s a page", "MB idle", f"MB {plan.calls} calls"]
    rows = [
        [
            result.name,
            f"{result.p50_ms:.0f}",
            f"{result.p95_ms:.0f}",
            f"{result.p95_ms / ours.p95_ms:.1f}",
            f"{result.seen}/{result.probes}",
            f"{result.cpu_percent:.1f}",
            f"{result.cpu_percent / ours.cpu_percent:.1f}",
            f"{result.kb_per_s:.1f}",
            f"{result.idle_mb:.0f}" if result.idle_mb else "-",
            f"{result.loaded_mb:.0f}",
        ]
        for result in results
    ]
    return table(head, rows)
