"""Take-overs in which a process dies, an answer is lost or Redis is emptied: livemon whole, and a real Valkey."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from redis.asyncio import Redis

from livemon.redis_client import connect
from livemon_runtime import Audio, Call, Runtime, Supervisor
from livemon_runtime.keys import Keys
from livemon_runtime.scripts import script
from tests.api.site import Browser, Socket
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess
from tests.media import test_microphone
from tests.media.call_source import loudest
from tests.runtime.conftest import eventually
from tests.runtime.lossy_proxy import LossyProxy, lossy_proxy

CALL = "call-1"


@pytest.fixture
def nodes(tmp_path: Path, own_valkey: ValkeyProcess) -> Iterator[list[LivemonProcess]]:
    """Two nodes over one Valkey, each with people of its own; not started."""
    settings = {"LIVEMON_REDIS_URL": own_valkey.url}
    made = [LivemonProcess(free_port(), tmp_path / name, settings) for name in ("one", "two")]
    yield made
    for node in made:
        node.kill()


@pytest.fixture
async def redis(own_valkey: ValkeyProcess) -> AsyncIterator[Redis]:
    client = connect(own_valkey.url)
    yield client
    await client.aclose()


async def sign_in(node: LivemonProcess, name: str) -> Browser:
    site: Any = SimpleNamespace(origin=node.url, port=node.port)
    return Browser(site, await node.cookie(name), "", "")


@asynccontextmanager
async def voice() -> AsyncIterator[test_microphone.Supervisor]:
    made = test_microphone.Supervisor()
    try:
        yield made
    finally:
        await made.close()


@dataclass
class Pressed:
    """A take-over under way."""

    browser: Browser
    path: str
    socket: Socket

    async def state(self, *wanted: str) -> dict[str, Any]:
        """What it says, once it is so."""
        return await self.socket.until(lambda message: message["t"] == "take_over" and message["state"] in wanted)

    async def stands(self) -> str:
        """How it stands now, as a page reads it that comes anew."""
        async with self.browser.socket(self.path) as socket:
            return (await socket.read())["state"]


@asynccontextmanager
async def pressing(browser: Browser) -> AsyncIterator[Pressed]:
    """Somebody presses Take Over, and speaks, as long as the block lasts."""
    async with voice() as speaking:
        answer = await browser.post(f"/calls/{CALL}/take-over", json={"sdp": await speaking.offer()})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        await speaking.connection.setRemoteDescription(RTCSessionDescription(said["sdp"], "answer"))
        async with browser.socket(path := f"/take-overs/{said['take_over_id']}") as socket:
            yield Pressed(browser, path, socket)


async def stored(redis: Redis, field: str) -> Any:
    value = await redis.hget(Keys().call(CALL), field)
    return json.loads(value) if value else None


async def shown(browser: Browser, fits: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The call as a page reads it, once it is so."""
    async with browser.socket(f"/feed/calls/{CALL}") as socket:
        return await socket.until(lambda message: message["t"] == "call" and fits(message))


# --- the node that has claimed dies -------------------------------------------------------------------------------


@asynccontextmanager
async def lone_bot(redis_url: str) -> AsyncIterator[tuple[Process, Callable[[str], Awaitable[None]]]]:
    """A bot's process, and how to wait for its next words."""
    command = (sys.executable, "-m", "tests.node.lone_bot", redis_url, CALL)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    told: list[str] = []

    async def says(words: str) -> None:
        assert process.stdout
        async with asyncio.timeout(90):
            while not told or told[-1] != words:
                line = await process.stdout.readline()
                assert line, f"the bot has ended; it said {told}"
                told.append(line.decode().strip())

    try:
        await says("ready")
        yield process, says
    finally:
        process.kill()
        await process.wait()


async def test_a_claim_whose_node_was_killed_is_withdrawn_by_another_and_the_call_can_be_had(
    nodes: list[LivemonProcess], own_valkey: ValkeyProcess, redis: Redis
):
    one, two = nodes
    await asyncio.gather(asyncio.to_thread(one.start), asyncio.to_thread(two.start))
    async with lone_bot(own_valkey.url) as (bot, says):
        ada, grace = await sign_in(one, "Ada"), await sign_in(two, "Grace")
        await shown(ada, lambda _: True)
        bot.send_signal(signal.SIGSTOP)
        async with pressing(ada) as pressed:
            await pressed.state("claiming")
            claim = await eventually(lambda: stored(redis, "claim"))
            one.kill()
        asking = await shown(grace, lambda message: message["claim"])
        assert asking["claim"]["claim_id"] == claim["claim_id"]
        after = await shown(grace, lambda message: message["claim"] is None)
        assert after["controller"] is None
        assert after["call"]["call_status"] == "ongoing"
        assert await stored(redis, "claim") is None
        seconds, microseconds = await redis.time()
        assert seconds * 1000 + microseconds // 1000 > claim["deadline"]

        bot.send_signal(signal.SIGCONT)  # it reads of the claim now
        entries = await redis.xlen(Keys().transcript(CALL))
        await eventually(lambda: _longer(redis, entries))
        assert await stored(redis, "controller") is None
        async with pressing(grace) as pressed:
            await pressed.state("talking")
            await says("asked:Grace")
            await says("silent:True")
            await says("heard:Grace")
        assert (await stored(redis, "controller"))["name"] == "Grace"


async def _longer(redis: Redis, entries: int) -> bool:
    return await redis.xlen(Keys().transcript(CALL)) > entries


# --- the answer is lost, Redis is emptied -------------------------------------------------------------------------


class Bot:
    """A bot that lets its call be had, and remembers."""

    def __init__(self, runtime: Runtime) -> None:
        self.heard, self.silent = bytearray(), list[bool]()
        self.call: Call = runtime.call(call_id=CALL, audio=Audio(caller="l16/16000", agent="l16/16000"))
        self.call.on_take_over(self._meet)

    def _meet(self, supervisor: Supervisor) -> None:
        supervisor.on_audio(self.heard.extend)
        supervisor.on_silence(self.silent.append)

    async def hears(self) -> None:
        """Wait until a second of the supervisor's tone has come from now on."""
        self.heard.clear()
        await eventually(self._second)
        samples = np.frombuffer(bytes(self.heard), "<i2").astype(float)
        assert abs(loudest(samples[-8_000:], 16_000) - test_microphone.HZ) < 6

    async def _second(self) -> bool:
        return len(self.heard) >= 16_000 * 2

    async def has_been_told(self, *silent: bool) -> None:
        async def told() -> bool:
            return self.silent == list(silent)

        await eventually(told, within=90)


@pytest.fixture
async def proxy(own_valkey: ValkeyProcess) -> AsyncIterator[LossyProxy]:
    async with lossy_proxy(own_valkey.port) as running:
        yield running


@pytest.fixture
async def bot(proxy: LossyProxy) -> AsyncIterator[Bot]:
    """A bot that reaches Valkey through the proxy."""
    async with Runtime(proxy.url, name="front-desk") as runtime:
        yield Bot(runtime)


@pytest.fixture
async def ada(nodes: list[LivemonProcess], bot: Bot) -> Browser:
    await asyncio.to_thread(nodes[0].start)
    browser = await sign_in(nodes[0], "Ada")
    await shown(browser, lambda _: True)
    return browser


async def test_while_the_answer_to_accept_is_lost_the_agent_waits_and_then_all_say_yes(
    ada: Browser, bot: Bot, proxy: LossyProxy, redis: Redis
):
    proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
    async with pressing(ada) as pressed:
        await asyncio.wait_for(proxy.lost.wait(), 90)
        await bot.has_been_told(True)
        assert bot.call.controller is None, "nobody has told the runtime yet"
        talking = await pressed.state("talking")
        assert not bot.heard
        proxy.come_back()
        await bot.hears()
        held = json.loads(bot.call.controller or "{}")
        page = await shown(ada, lambda message: message["controller"])
    assert held["claim_id"] == talking["claim_id"] == page["controller"]["claim_id"]
    assert (await stored(redis, "controller"))["claim_id"] == talking["claim_id"]
    assert page["call"]["call_status"] == "taken_over"
    assert bot.silent == [True]


async def test_an_answer_that_is_lost_until_past_the_deadline_is_a_no_and_all_say_so(
    ada: Browser, bot: Bot, proxy: LossyProxy, redis: Redis
):
    proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
    async with pressing(ada) as pressed:
        await asyncio.wait_for(proxy.lost.wait(), 90)
        await pressed.state("talking")  # Redis has the accept, and livemon has only Redis's word
        await bot.has_been_told(True, False)
        assert bot.call.controller is None
        proxy.come_back()
        said = await pressed.state("lost", "cancelled")
        assert (said["state"], said["reason"]) == ("lost", "agent")
        page = await shown(ada, lambda message: message["controller"] is None)
    assert page["call"]["call_status"] == "ongoing"
    assert page["claim"] is None
    assert await stored(redis, "controller") is None
    assert bot.silent == [True, False]
    assert not bot.heard
    async with pressing(ada) as pressed:
        await pressed.state("talking")
        await bot.hears()


async def test_a_redis_that_is_emptied_in_the_talk_takes_nothing_from_anybody(ada: Browser, bot: Bot, redis: Redis):
    async with pressing(ada) as pressed:
        talking = await pressed.state("talking")
        await bot.hears()
        before = await shown(ada, lambda message: message["controller"])
        await redis.flushall()
        after = await shown(ada, lambda message: message["incarnation"] != before["incarnation"])
        await bot.hears()
        assert bot.silent == [True], "the agent was not told that it may speak"
        assert after["controller"]["claim_id"] == talking["claim_id"]
        assert after["call"]["call_status"] == "taken_over"
        assert json.loads(bot.call.controller or "{}")["claim_id"] == talking["claim_id"]
        assert await pressed.stands() == "talking"
