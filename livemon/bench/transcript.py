"""`livemon bench transcript`: turn in Redis → bubble on the screen, beside `ui.chat_message`."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import orjson
import redis.asyncio

from livemon.bench import process
from livemon.bench.figures import percentile, table
from livemon.bench.load import PROBE_MARK, Load, now_ms
from livemon.bench.process import Server
from livemon.bench.screen import WATCH, delays_ms, screen

EARLIER_TURNS = 500
TURN_EVERY_S = 0.1
SETTLE_S = 2.0


@dataclass(frozen=True)
class Contender:
    name: str
    start: Callable[[str, Path], AbstractAsyncContextManager[Server]]
    path: str
    selector: str


LIVEMON = Contender("livemon", process.livemon, "/live/call_000000", '[data-testid="turn"]')
RIVALS = [
    Contender(
        "ui.chat_message",
        lambda url, folder: process.rival("chat_message", url, folder),
        "/",
        ".q-message-text",
    )
]


@dataclass(frozen=True)
class Result:
    name: str
    p50_ms: float
    p95_ms: float
    seen: int
    sent: int


async def run(turns: int, rivals: bool, say: Callable[[str], None]) -> list[Result]:
    """Append `turns` final turns to an open call that has 500 already, ten a second."""
    results: list[Result] = []
    for contender in [LIVEMON, *(RIVALS if rivals else [])]:
        say(f"{contender.name}: {turns} turns after {EARLIER_TURNS} …")
        with process.scratch() as folder, process.valkey(folder) as url:
            results.append(await _measure(contender, turns, url, folder))
    return results


async def _measure(contender: Contender, turns: int, url: str, folder: Path) -> Result:
    client = redis.asyncio.Redis.from_url(url)
    load = Load(client, 1)
    try:
        await load.fill()
        for n in range(1, EARLIER_TURNS + 1):
            await _append(load, n, f"Turn {n} of an earlier part of this conversation, about as long as turns are.")
        async with contender.start(url, folder) as server, screen(server, contender.path) as page:
            await page.wait_for_selector(contender.selector, timeout=60_000)
            await asyncio.sleep(SETTLE_S)
            await page.evaluate(WATCH, contender.selector)
            for n in range(EARLIER_TURNS + 1, EARLIER_TURNS + turns + 1):
                await _append(load, n, f"{PROBE_MARK}{now_ms()} Would Friday afternoon suit you?")
                await asyncio.sleep(TURN_EVERY_S)
            await asyncio.sleep(SETTLE_S)
            delays = await delays_ms(page)
    finally:
        await client.aclose()
    return Result(contender.name, percentile(delays, 0.5), percentile(delays, 0.95), len(delays), turns)


async def _append(load: Load, number: int, content: str) -> None:
    role = "agent" if number % 2 else "user"
    entry = {"id": f"turn-{number}", "role": role, "time_ms": number * 1000, "content": content, "final": True}
    key = load.keys.transcript(load.calls[0].call_id)
    await load.client.xadd(key, {"data": orjson.dumps(entry)}, id=f"{number}-0")


def report(results: list[Result]) -> str:
    ours = results[0]
    rows = [
        [r.name, f"{r.p50_ms:.0f}", f"{r.p95_ms:.0f}", f"{r.p95_ms / ours.p95_ms:.1f}", f"{r.seen}/{r.sent}"]
        for r in results
    ]
    return table(["", "p50 ms", "p95 ms", "x", "shown"], rows)
