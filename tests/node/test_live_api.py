"""A program that hears a call, speaks in it and reads it: Retell's own client, real WebRTC, a real bot, livemon whole."""

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from retell import APIStatusError, AsyncRetell, AuthenticationError, ConflictError, NotFoundError
from retell.resources.call import AsyncCallResource as CallResource
from websockets.asyncio.client import connect

from livemon.access.guard import COOKIE
from livemon_runtime import Codec, Runtime
from tests.api.site import Socket
from tests.api.v2.live_program import GENEROUS_S, joined
from tests.browser.speaking import speak
from tests.browser.supervised import MICROPHONE_HZ, Bot, write_tone
from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.media.call_source import AGENT_HZ, CALLER_HZ
from tests.media.call_source import running as beside

ROOT = Path(__file__).parents[2]


@pytest.fixture
def livemon(tmp_path: Path, valkey_url: str) -> Iterator[LivemonProcess]:
    process = LivemonProcess(free_port(), tmp_path / "livemon", {"LIVEMON_REDIS_URL": valkey_url})
    process.start()
    yield process
    process.kill()


@pytest.fixture
async def bot(valkey_url: str, livemon: LivemonProcess) -> AsyncIterator[Bot]:
    """Its caller is 440 Hz, its agent 880 Hz."""
    async with Runtime(valkey_url, name="front-desk") as runtime:
        made = Bot(runtime, Codec.PCMU)
        async with beside(speak(made.call, Codec.PCMU)):
            yield made


@dataclass
class Machine:
    """A key, and Retell's client with it."""

    livemon: LivemonProcess
    key: str
    key_id: str

    @contextlib.asynccontextmanager
    async def retell(self) -> AsyncIterator[CallResource]:
        async with AsyncRetell(api_key=self.key, base_url=self.livemon.url, timeout=GENEROUS_S) as client:
            yield client.call

    async def listen(self, bot: Bot) -> dict[str, Any]:
        """Once livemon knows the call."""
        async with asyncio.timeout(GENEROUS_S), self.retell() as calls:
            while True:
                with contextlib.suppress(NotFoundError):
                    return (await calls.listen_live(bot.call.call_id)).to_dict()
                await asyncio.sleep(0.1)

    async def take_over(self, bot: Bot, participant_id: str) -> bool:
        async with self.retell() as calls:
            return (await calls.take_over_live(bot.call.call_id, participant_id=participant_id)).success

    @contextlib.asynccontextmanager
    async def monitor(self, bot: Bot) -> AsyncIterator[Socket]:
        url = f"{self.livemon.url.replace('http', 'ws', 1)}/v2/monitor-call/{bot.call.call_id}"
        bearing = {"Authorization": f"Bearer {self.key}"}
        async with connect(url, additional_headers=bearing, max_size=None, open_timeout=GENEROUS_S) as socket:
            yield Socket(socket)


@dataclass
class Maya:
    """The Admin."""

    livemon: LivemonProcess
    cookie: str

    async def post(self, path: str, **body: Any) -> httpx.Response:
        headers = {"Origin": self.livemon.url, "Cookie": f"{COOKIE}={self.cookie}"}
        async with httpx.AsyncClient(base_url=self.livemon.url, headers=headers, timeout=GENEROUS_S) as client:
            return await client.post(path, json=body)

    async def machine(self, name: str) -> Machine:
        rights = ["watch", "read", "unmasked", "listen", "take_over", "end"]
        made = (await self.post("/keys", name=name, rights=rights, days=1)).json()
        return Machine(self.livemon, made["key"], made["id"])


@pytest.fixture
async def maya(livemon: LivemonProcess) -> Maya:
    return Maya(livemon, await livemon.cookie("Maya"))


@pytest.fixture
async def machine(maya: Maya) -> Machine:
    return await maya.machine("Wallboard")


def said_by(error: APIStatusError) -> str:
    """The words of livemon's answer."""
    return error.response.json()["message"]


@contextlib.asynccontextmanager
async def spoken_to_the_call(valkey: Redis) -> AsyncIterator[list[str]]:
    """The channels on which a supervisor's voice is sent to any call, as Valkey itself sees them, one for each packet."""
    sent: list[str] = []

    async def watch() -> None:
        async with valkey.monitor() as monitor:
            async for command in monitor.listen():
                words = str(command["command"]).split()
                if words[0].upper() == "SPUBLISH" and ":audio:supervisor:" in words[1]:
                    sent.append(words[1])

    async with beside(watch()):
        yield sent


async def test_both_voices_are_heard_and_not_one_packet_goes_to_the_call(bot: Bot, machine: Machine, valkey: Redis):
    async with spoken_to_the_call(valkey) as sent:
        async with joined(await machine.listen(bot)) as program:
            assert abs(await program.ear.tone("caller", GENEROUS_S) - CALLER_HZ) < 6
            assert abs(await program.ear.tone("agent", GENEROUS_S) - AGENT_HZ) < 6
            await program.talk(MICROPHONE_HZ)
            assert abs(await program.ear.tone("agent", GENEROUS_S) - AGENT_HZ) < 6
        assert sent == [], "a microphone alone is not heard by anybody"
    assert not bot.supervisors
    assert not bot.call.agent_silent


async def test_the_voice_reaches_the_bot_the_agent_is_silent_and_the_second_one_reads_who_has_it(
    bot: Bot, maya: Maya, machine: Machine
):
    second = await maya.machine("Second")
    async with joined(await machine.listen(bot)) as program, joined(await second.listen(bot)) as other:
        with pytest.raises(ConflictError) as refused:
            await machine.take_over(bot, program.participant_id)
        assert "nobody was asked" in said_by(refused.value)
        await program.talk(MICROPHONE_HZ)
        assert await machine.take_over(bot, program.participant_id) is True
        await bot.hears_the_microphone()
        assert bot.call.agent_silent
        voice = await other.talk()
        with pytest.raises(ConflictError) as lost:
            await second.take_over(bot, other.participant_id)
        assert "Wallboard has this call" in said_by(lost.value)
        assert voice
        await bot.hears_the_microphone()


async def test_a_program_that_is_gone_leaves_a_caller_who_can_be_rescued(bot: Bot, maya: Maya, machine: Machine):
    second = await maya.machine("Second")
    async with joined(await second.listen(bot)) as rescuer:
        async with joined(await machine.listen(bot)) as program:
            await program.talk(MICROPHONE_HZ)
            await machine.take_over(bot, program.participant_id)
            await bot.hears_the_microphone()
        await bot.waits(lost=True)
        await rescuer.talk(MICROPHONE_HZ)
        await second.take_over(bot, rescuer.participant_id)
        await bot.hears_the_microphone()
        assert bot.supervisors[-1].name == "Second"


async def test_a_revoked_key_closes_all_three(bot: Bot, maya: Maya, machine: Machine):
    async with joined(await machine.listen(bot)) as program, machine.monitor(bot) as monitor:
        assert (await monitor.read())["type"] == "transcript_snapshot"
        await program.talk(MICROPHONE_HZ)
        await machine.take_over(bot, program.participant_id)
        await bot.hears_the_microphone()
        assert (await maya.post(f"/keys/{machine.key_id}/revoke")).status_code == 204
        began = time.monotonic()
        for what, socket in (("signalling", program.signals), ("monitor", monitor)):
            assert await socket.closed() == (4401, "session_ended")
            print(f"{what} closed {time.monotonic() - began:.3f} s after the revocation (contract: 2 s)")
        await bot.waits(lost=True)
        print(f"the last word reached the bot {bot.latest - time.time() + time.monotonic() - began:.3f} s after it")
    with pytest.raises(AuthenticationError):
        await machine.listen(bot)


async def test_the_program_in_the_documentation_works_as_it_stands_there(bot: Bot, machine: Machine, tmp_path: Path):
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(# supervise\.py\n.*?)```", text, re.DOTALL)
    (tmp_path / "supervise.py").write_text(program)
    write_tone(tmp_path / "hello.wav")
    await machine.listen(bot)  # livemon knows the call
    bot.call.agent_turn().final("Good morning.")
    environment = {**os.environ, "RETELL_API_KEY": machine.key, "RETELL_BASE_URL": machine.livemon.url}
    command = (sys.executable, "supervise.py", bot.call.call_id, "hello.wav")
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=environment, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    try:
        await bot.hears_the_microphone()
        await bot.goes_on_hearing()
        bot.call.user_turn().final("Who is there?")
        bot.call.end("user_hangup")
        async with asyncio.timeout(GENEROUS_S):
            said = (await running.communicate())[0].decode()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    assert running.returncode == 0, said
    for words in ("agent: Good morning.", "user: Who is there?", "the call is ours", "ended: user_hangup"):
        assert words in said
    assert all((tmp_path / f"{voice}.wav").stat().st_size > 10_000 for voice in ("caller", "agent"))
