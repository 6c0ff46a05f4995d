"""`livemon bench twilio`: what the Twilio gateway costs a call while nobody listens, beside a plain proxy in the same process."""

import asyncio
import logging
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession, web

from livemon.bench import process
from livemon.bench.errors import BenchError
from livemon.bench.figures import table
from livemon_runtime import Runtime
from livemon_runtime.adapters.twilio import Gateway, Options

_WARM_UP_S = 2.0
_CONNECT_S = 60.0

WHAT = """\
CPU time of the gateway's process for each call, in shares of one core; both sides send a message every 20 ms, nobody listens.
The plain proxy passes messages on between the same two sockets and does nothing else. In livemon's share: all that its runtime
does, its connections to Redis too. Carriers and bots are another process. Rounds take turns; the figures are medians."""


@dataclass(frozen=True)
class Round:
    """Seconds of CPU a second and call."""

    proxy: float
    gateway: float


class PlainProxy:
    """The rival: what anybody would write who wants to stand between the two."""

    def __init__(self, bot: str) -> None:
        self._bot = bot
        self.calls = 0

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        carrier = web.WebSocketResponse(compress=False)
        await carrier.prepare(request)
        async with ClientSession() as session, session.ws_connect(self._bot) as bot:
            self.calls += 1

            async def back() -> None:
                async for message in bot:
                    await carrier.send_str(message.data)

            answering = asyncio.create_task(back())
            async for message in carrier:
                await bot.send_str(message.data)
            answering.cancel()
        return carrier


async def run(calls: int, seconds: float, rounds: int, say: Callable[[str], None]) -> list[Round]:
    """Raises `BenchError` if the calls do not come up."""
    results: list[Round] = []
    with process.quiet(livemon_runtime=logging.ERROR), process.scratch() as folder, process.valkey(folder) as url:
        for n in range(rounds):
            proxy = await _cost_of_proxy(calls, seconds)
            gateway = await _cost_of_gateway(url, calls, seconds)
            results.append(Round(proxy, gateway))
            say(f"round {n + 1} of {rounds}: {proxy:.3%} as a plain proxy, {gateway:.3%} as livemon's gateway")
    return results


async def _cost_of_proxy(calls: int, seconds: float) -> float:
    bot = process.free_port()
    proxy = PlainProxy(f"ws://127.0.0.1:{bot}/bot")
    app = web.Application()
    app.router.add_get("/media", proxy.stream)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    port = process.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with _load(port, bot, calls):
            return await _measured(lambda: proxy.calls, calls, seconds)
    finally:
        await runner.cleanup()


async def _cost_of_gateway(url: str, calls: int, seconds: float) -> float:
    bot = process.free_port()
    options = Options(
        bot=f"ws://127.0.0.1:{bot}/bot", port=process.free_port(), insecure=True, max_calls=calls, bot_timeout=30
    )
    async with Runtime(url, name="bench") as runtime, Gateway(options, runtime, url) as gateway:
        await runtime.alive.wait()
        async with _load(gateway.port, bot, calls):
            return await _measured(lambda: gateway.calls, calls, seconds)


@asynccontextmanager
async def _load(gateway: int, bot: int, calls: int) -> AsyncGenerator[None]:
    words = ["-m", "livemon.bench.twilio_load", f"ws://127.0.0.1:{gateway}/media", str(bot), str(calls)]
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield
    finally:
        child.kill()
        await child.wait()


async def _measured(there: Callable[[], int], calls: int, seconds: float) -> float:
    give_up_at = time.monotonic() + _CONNECT_S
    while there() < calls:
        if time.monotonic() > give_up_at:
            raise BenchError(f"Only {there()} of {calls} calls came up within {_CONNECT_S:.0f} s.")
        await asyncio.sleep(0.05)
    await asyncio.sleep(_WARM_UP_S)
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - began) / calls


def report(results: Sequence[Round]) -> str:
    proxy = statistics.median(one.proxy for one in results)
    gateway = statistics.median(one.gateway for one in results)
    added = statistics.median(one.gateway - one.proxy for one in results)
    rows = [
        ["a plain proxy", f"{proxy:.3%}", "1.00"],
        ["livemon's gateway", f"{gateway:.3%}", f"{gateway / proxy:.2f}"],
        ["what livemon adds", f"{added:.3%}", f"{added / proxy:.2f}"],
    ]
    return "\n".join([table(["a call, not listened to", "of a core", "ratio"], rows), "", WHAT])
