"""Who may die, and what the caller has of it: real processes, killed outright."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from livemon_runtime import Runtime
from tests.adapters.twilio.bots import by_hand
from tests.adapters.twilio.carrier import TOKEN, calling, sid
from tests.adapters.twilio.serving import ended, gateway, over, soon, take_over, talking
from tests.adapters.twilio.test_after import AGAIN, HANG_UP, PUBLIC, asked, verbs
from tests.adapters.twilio.tones import BOT, SUPERVISOR, mu_law
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import clean_environment
from tests.runtime.conftest import Livemon, eventually

ROOT = Path(__file__).parents[3]


@dataclass
class GatewayProcess:
    """The command as people run it; a test may kill it and start it again on its port."""

    bot: str
    redis: str
    folder: Path
    port: int
    drain: float = 60
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{PUBLIC.replace('https', 'wss')}/media"

    @property
    def said(self) -> str:
        return (self.folder / "gateway.log").read_text()

    async def start(self) -> None:
        self._begin()
        await eventually(self.healthy)

    def _begin(self) -> None:
        own = {"LIVEMON_TWILIO_AUTH_TOKEN": TOKEN, "LIVEMON_REDIS_URL": self.redis, "LIVEMON_TWILIO_PUBLIC_URL": PUBLIC}
        flags = ["--bot", self.bot, "--port", str(self.port), "--drain", str(self.drain)]
        log = (self.folder / "gateway.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livemon", "gateway", "twilio", *flags],
            env={**clean_environment(), **own, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )

    async def healthy(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.said
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient() as client:
                return (await client.get(f"http://127.0.0.1:{self.port}/health")).status_code == 200
        return False

    def kill(self, signum: int = signal.SIGKILL) -> None:
        assert self.process
        self.process.send_signal(signum)

    async def gone(self) -> int:
        assert self.process
        await soon(lambda: self.process and self.process.poll() is not None)
        return self.process.returncode


@pytest.fixture
def process(valkey_url: str, tmp_path: Path) -> Iterator[GatewayProcess]:
    one = GatewayProcess("", valkey_url, tmp_path, free_port())
    yield one
    if one.process and one.process.poll() is None:
        one.process.kill()
        one.process.wait(60)


@contextlib.asynccontextmanager
async def lone_bot(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "tests.adapters.twilio.lone_bot", str(port)]
    bot = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert bot.stdout
    assert await asyncio.wait_for(bot.stdout.readline(), 60)
    try:
        yield bot
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.wait()


async def row(livemon: Livemon) -> str:
    """The runtime that has the call."""
    stored = await livemon.call(sid())
    return str(stored["runtime"]) if stored else ""


async def test_a_gateway_that_is_killed_lets_go_of_both_and_one_started_again_takes_the_call_up_in_the_same_row(
    livemon: Livemon, process: GatewayProcess
) -> None:
    async with by_hand() as server:
        process.bot = server.url
        await process.start()
        async with calling(process.port, address=process.address) as carrier:
            bot = await server.bot()
            first = await eventually(lambda: row(livemon))
            process.kill()
            await soon(carrier.closed.is_set)
            await soon(bot.closed.is_set)
        await process.start()
        assert verbs(await asked(process.port, "/twiml/after?attempt=1")) == AGAIN
        async with calling(process.port, address=process.address) as carrier:
            bot = await server.bot()
            await eventually(lambda: another(livemon, first))
            assert await livemon.listed() == [sid()], "a row of the dead is left"
            await bot.say(mu_law(BOT, 400))
            await soon(lambda: carrier.loud(BOT) > 15)
            await carrier.stop()
            await eventually(lambda: ended(livemon, "user_hangup"))
        assert await livemon.listed() == []


async def another(livemon: Livemon, first: str) -> bool:
    stored = await livemon.call(sid())
    return bool(stored) and stored["runtime"] != first and stored["data"]["call_status"] == "ongoing"


async def test_a_call_that_a_supervisor_had_when_the_gateway_was_killed_is_not_given_back_to_the_bot(
    livemon: Livemon, process: GatewayProcess
) -> None:
    async with by_hand() as server:
        process.bot = server.url
        await process.start()
        async with calling(process.port, address=process.address) as carrier:
            await server.bot()
            runtime_id = await eventually(lambda: row(livemon))
            await take_over(livemon, runtime_id)
            async with talking(livemon):
                await soon(lambda: carrier.loud(SUPERVISOR) > 20)
            process.kill()
            await soon(carrier.closed.is_set)
        await process.start()
        assert verbs(await asked(process.port, "/twiml/after?attempt=1")) == HANG_UP
        assert server.made.empty()


async def test_told_to_stop_it_refuses_new_calls_and_lets_those_that_are_there_end(
    livemon: Livemon, process: GatewayProcess
) -> None:
    async with by_hand() as server:
        process.bot = server.url
        await process.start()
        async with calling(process.port, address=process.address) as carrier:
            bot = await server.bot()
            process.kill(signal.SIGTERM)
            await soon(lambda: "1 calls are left" in process.said)
            with pytest.raises(InvalidStatus) as refused:
                async with calling(process.port, 2, address=process.address):
                    pass
            assert refused.value.response.status_code == 503
            await bot.say(mu_law(BOT, 400))
            await soon(lambda: carrier.loud(BOT) > 15)
            await carrier.stop()
            assert await process.gone() == 0
        await eventually(lambda: ended(livemon, "user_hangup"))


async def test_calls_that_do_not_end_in_time_are_closed_in_order(livemon: Livemon, process: GatewayProcess) -> None:
    async with by_hand() as server:
        process.bot, process.drain = server.url, 0.5
        await process.start()
        async with calling(process.port, address=process.address) as carrier:
            await server.bot()
            await eventually(lambda: row(livemon))
            process.kill(signal.SIGTERM)
            await soon(carrier.closed.is_set)
            assert carrier.socket.close_code == 1000
            assert await process.gone() == 0
        assert "are left after 0.5 s" in process.said
        await eventually(lambda: ended(livemon, "error_gateway_stopped"))


async def test_it_does_not_stop_before_twilio_was_told_how_the_calls_that_are_left_go_on(
    livemon: Livemon, process: GatewayProcess
) -> None:
    async with by_hand() as server:
        process.bot, process.drain = server.url, 0.2
        await process.start()
        async with (
            calling(process.port, address=process.address) as agents,
            calling(process.port, 2, address=process.address) as supervisors,
        ):
            runtime_id = await eventually(lambda: row(livemon))
            await take_over(livemon, runtime_id, sid(2))
            process.kill(signal.SIGTERM)
            await soon(lambda: agents.closed.is_set() and supervisors.closed.is_set())
            mine, held = [await asked(process.port, "/twiml/after?attempt=1", {"CallSid": sid(n)}) for n in (1, 2)]
            assert verbs(mine) == [("Connect", server.url)]
            assert verbs(held) == HANG_UP
            assert await process.gone() == 0


async def test_redis_may_be_away_and_calls_begin_and_go_on(own_valkey: ValkeyProcess) -> None:
    async with Runtime(own_valkey.url, name="front-desk") as runtime, by_hand() as server:
        await runtime.alive.wait()
        async with gateway(runtime, server.url, own_valkey.url) as serving, calling(serving.port) as carrier:
            bot = await server.bot()
            own_valkey.kill()
            async with calling(serving.port, 2) as another_one:
                late = await server.bot()
                for each in (bot, late):
                    await each.say(mu_law(BOT, 400))
                    await each.mark("end")
                await soon(lambda: bot.marks == late.marks == ["end"])
                assert min(carrier.loud(BOT), another_one.loud(BOT)) >= 18
            own_valkey.start()
            await eventually(lambda: over(lambda: runtime.calls()))


async def test_a_bot_that_is_killed_lets_twilio_go_on_in_order_and_a_supervisors_call_stays(
    livemon: Livemon, runtime: Runtime
) -> None:
    port = free_port()
    async with (
        lone_bot(port) as bot,
        gateway(runtime, f"ws://127.0.0.1:{port}/") as serving,
        calling(serving.port) as agents,
        calling(serving.port, 2) as supervisors,
    ):
        await soon(lambda: agents.loud(BOT) > 10 and supervisors.loud(BOT) > 10)
        await take_over(livemon, runtime, sid(2))
        bot.kill()
        await soon(agents.closed.is_set)
        assert agents.socket.close_code == 1000
        await eventually(lambda: ended(livemon, "error_bot_lost"))
        async with talking(livemon, sid(2)):
            await soon(lambda: supervisors.loud(SUPERVISOR) > 50)
        assert not supervisors.closed.is_set()


def test_it_does_not_start_without_a_token_and_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "livemon", "gateway", "twilio", "--bot", "wss://bot.example.com/ws"]
    ran = subprocess.run(
        command,
        env={**clean_environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    assert ran.returncode == 1
    assert b"LIVEMON_TWILIO_AUTH_TOKEN" in ran.stderr
    assert b"--insecure" in ran.stderr
    assert b"Traceback" not in ran.stderr
