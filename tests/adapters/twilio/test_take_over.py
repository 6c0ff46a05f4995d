"""Take-over behind the gateway: nothing of the bot's reaches Twilio, the bot hangs on nothing, the supervisor is heard in time.

The same is done with the gate taken out: there the bot must be heard, or these tests would prove nothing.
"""

import asyncio
import base64
import socket
import struct
from typing import Any

import pytest
from pipecat.frames.frames import TTSSpeakFrame

from livemon_runtime import Runtime
from livemon_runtime.adapters.twilio.agent import Agent
from tests.adapters.twilio.bots import PipecatBot, by_hand, pipecat
from tests.adapters.twilio.carrier import Carrier, calling, sid
from tests.adapters.twilio.serving import Listener, ended, gateway, soon, take_over, talking
from tests.adapters.twilio.tones import BOT, CALLER, SUPERVISOR, mu_law, pitch_of_mu_law
from tests.runtime.conftest import Livemon, eventually


def sent_after_clear(carrier: Carrier) -> list[dict[str, Any]]:
    """What Twilio was sent since it was told to forget what it had."""
    at = next(n for n, message in enumerate(carrier.received) if message["event"] == "clear")
    return carrier.received[at + 1 :]


def of_the_bot(messages: list[dict[str, Any]]) -> tuple[int, int]:
    """The bot's sound in milliseconds, and how many of its marks and clears."""
    sounds = [base64.b64decode(message["media"]["payload"]) for message in messages if message["event"] == "media"]
    signs = [message for message in messages if message["event"] == "mark" and "livemon" not in message["mark"]["name"]]
    signs += [message for message in messages if message["event"] == "clear"]
    return sum(len(sound) // 8 for sound in sounds if pitch_of_mu_law(sound) == BOT), len(signs)


async def provoke(bot: PipecatBot) -> None:
    """What makes a bot speak."""
    runs = bot.thinking.runs
    await bot.hearing.hear("Are you still there?")
    await soon(lambda: bot.thinking.runs > runs)
    await bot.worker.queue_frame(TTSSpeakFrame("Please hold the line for a while."))
    await asyncio.sleep(1.0)  # for as long it speaks, to nobody


async def taken_over(livemon: Livemon, runtime: Runtime, *, gate: bool = True) -> tuple[int, int, Carrier]:
    """Take over in the middle of a sentence, and have the bot provoked while the supervisor speaks."""
    async with pipecat() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await bot.worker.queue_frame(TTSSpeakFrame("This is a long sentence which takes its time to be said."))
        await soon(lambda: carrier.loud(BOT) > 10)
        await take_over(livemon, runtime)
        await soon(lambda: carrier.events("clear"))
        before = len(bot.hearing.pitches)
        async with talking(livemon):
            await provoke(bot)
            await soon(lambda: carrier.loud(SUPERVISOR) > 60 or not gate)
        heard = bot.hearing.pitches[before + 10 :]
        assert heard, "the bot was fed nothing, and may give up"
        assert CALLER not in heard, "the bot heard the caller"
        return *of_the_bot(sent_after_clear(carrier)), carrier


async def test_not_one_message_of_the_bots_reaches_twilio_and_the_bot_hears_silence(
    livemon: Livemon, runtime: Runtime
) -> None:
    ms, signs, carrier = await taken_over(livemon, runtime)
    heard = carrier.loud(SUPERVISOR) * 20
    print(
        f"with the gate: {ms} ms of the bot's and {signs} of its marks and clears; the supervisor was heard for {heard} ms"
    )
    assert (ms, signs) == (0, 0)
    late = runtime.counters["twilio_supervisor_late"]
    assert late == 0, f"{late} frames of a supervisor who spoke at real-time pace were dropped"


async def test_without_the_gate_the_same_bot_is_heard(
    livemon: Livemon, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(self: Agent, *_: object, **__: object) -> Any:
        return True, [], []

    monkeypatch.setattr(Agent, "says", says)
    ms, signs, _ = await taken_over(livemon, runtime, gate=False)
    print(f"without the gate: {ms} ms of the bot's and {signs} of its marks and clears")
    assert ms > 300
    assert signs > 0


async def test_the_bot_has_its_marks_back_at_once_and_later_ones_when_they_would_have_come(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await bot.say(mu_law(BOT, 60_000))
        await bot.mark("waiting")
        await soon(lambda: carrier.loud(BOT) > 5)
        await take_over(livemon, runtime)
        await soon(lambda: bot.marks == ["waiting"])
        loop = asyncio.get_running_loop()
        began = loop.time()
        await bot.say(mu_law(BOT, 600))
        await bot.mark("later")
        await soon(lambda: bot.marks == ["waiting", "later"])
        print(f"600 ms of sound to nobody: its mark came back after {(loop.time() - began) * 1000:.0f} ms")
        assert loop.time() - began > 0.5
        await bot.say(mu_law(BOT, 60_000))
        await bot.mark("cleared")
        await bot.send("clear")
        await soon(lambda: bot.marks == ["waiting", "later", "cleared"])
        assert len(carrier.events("clear")) == 1
        await carrier.press("7")
        await eventually(lambda: pressed(livemon))
        assert bot.events("dtmf") == []


async def pressed(livemon: Livemon) -> bool:
    return any(entry["role"] == "dtmf" for entry in await livemon.transcript(sid()))


async def test_the_call_goes_on_when_the_bot_goes_and_ends_with_the_caller(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await take_over(livemon, runtime)
        await bot.socket.close()
        async with Listener(livemon, runtime) as ear, talking(livemon):
            await soon(lambda: carrier.loud(SUPERVISOR) > 50)
            await soon(lambda: ear.pitches("caller").count(CALLER) > 20)
        assert not carrier.closed.is_set()
        assert any("The bot has closed" in entry.get("content", "") for entry in await livemon.transcript(sid()))
        await carrier.stop()
        await eventually(lambda: ended(livemon, "user_hangup"))


async def test_a_bot_that_takes_nothing_more_does_not_hold_up_the_supervisor(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await take_over(livemon, runtime)
        bot.socket.transport.pause_reading()
        async with Listener(livemon, runtime) as ear, talking(livemon):
            await soon(lambda: ear.pitches("caller").count(CALLER) > 150)
            await soon(lambda: carrier.loud(SUPERVISOR) > 100)
        bot.socket.transport.resume_reading()


async def test_a_supervisor_in_a_hurry_never_has_more_than_200_ms_waiting(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        await server.bot()
        await take_over(livemon, runtime)
        async with talking(livemon, pace=0.01):
            await soon(lambda: carrier.loud(SUPERVISOR) > 100)
        print(f"at most {carrier.most_in_hand // 8} ms waited at the carrier")
        assert carrier.most_in_hand <= 8 * 260  # one's own clock beats the carrier's by a frame or two
    assert runtime.counters["twilio_supervisor_late"] > 20


async def test_a_carrier_that_plays_too_slowly_is_noticed_by_its_marks(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        await server.bot()
        await take_over(livemon, runtime)
        carrier.slow = 1.25
        async with talking(livemon):
            await soon(lambda: carrier.loud(SUPERVISOR) > 250)
        print(f"at most {carrier.most_in_hand // 8} ms waited at a carrier of four fifths of the pace")
        assert runtime.counters["twilio_supervisor_late"] > 10
        assert carrier.most_in_hand < 8 * 600


async def test_a_carrier_that_has_stalled_is_told_to_forget_and_hears_the_newest(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        await server.bot()
        await take_over(livemon, runtime)
        async with talking(livemon):
            await soon(lambda: carrier.loud(SUPERVISOR) > 20)
            carrier.plays = False
            await soon(lambda: len(carrier.events("clear")) > 1)
            carrier.plays = True
            heard = carrier.loud(SUPERVISOR)
            await soon(lambda: carrier.loud(SUPERVISOR) > heard + 20)
        assert runtime.counters["twilio_carrier_stalled"] > 0


async def test_a_caller_whose_supervisor_is_lost_hears_a_tone_and_in_the_end_is_hung_up_on(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        await server.bot()
        await take_over(livemon, runtime, grace_ms=5_000)
        async with talking(livemon):
            await soon(lambda: carrier.loud(SUPERVISOR) > 20)
        silent = len(carrier.events("media"))
        await soon(lambda: len(carrier.events("media")) > silent + 20)
        await eventually(lambda: ended(livemon, "supervisor_lost"))
        await soon(carrier.closed.is_set)


async def test_a_claim_that_comes_to_nothing_gives_the_agent_its_voice_back(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await eventually(lambda: livemon.call(sid()))
        (bridge,) = serving._bridges
        bridge.call.agent_silent = True
        await bridge._silenced(True)
        await bot.say(mu_law(BOT, 60_000))
        await bot.mark("unheard")
        await asyncio.sleep(0.2)
        assert carrier.loud(BOT) == 0
        bridge.call.agent_silent = False
        await bridge._silenced(False)
        await soon(lambda: bot.marks == ["unheard"])
        await bot.say(mu_law(BOT, 400))
        await bot.mark("heard")
        await soon(lambda: bot.marks == ["unheard", "heard"])
        assert carrier.loud(BOT) >= 18


async def test_a_bot_that_leaves_with_the_caller_is_not_said_to_have_left_a_call_that_goes_on(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await take_over(livemon, runtime)
        await carrier.stop()
        await soon(lambda: bot.events("stop"))
        await bot.socket.close()
        await eventually(lambda: ended(livemon, "user_hangup"))
        assert "The bot has closed" not in str(await livemon.transcript(sid()))


async def test_a_bot_that_dies_while_it_is_written_to_leaves_the_caller_with_the_supervisor(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await take_over(livemon, runtime)
        raw = bot.socket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        bot.socket.transport.abort()  # the kernel resets the connection once the loop comes round
        await asyncio.sleep(0)
        for _ in range(5):
            payload = base64.b64encode(mu_law(CALLER, 20)).decode()
            await carrier.send("media", media={"payload": payload})  # lies at the gateway together with the reset
        async with Listener(livemon, runtime) as ear:
            await soon(lambda: ear.pitches("caller").count(CALLER) > 20)
        await carrier.stop()
        await eventually(lambda: ended(livemon, "user_hangup"))
