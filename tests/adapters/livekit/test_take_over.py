"""Take-over of a real session: the model does not run again, not one frame of the agent's leaves, the caller is still heard.

The same is done with the gate taken out: there the agent must be heard, or these tests would prove nothing.
"""

import asyncio
from typing import Any

import pytest
from livekit import rtc

from livemon_runtime import Runtime
from livemon_runtime.adapters.livekit.gate import Gate
from livemon_runtime.adapters.livekit.models import Models
from livemon_runtime.adapters.livekit.outputs import Sound, Words
from tests.adapters.livekit.agents import Bot, Setting, answering
from tests.adapters.livekit.stand_ins import BOT, BOT_HZ, sound
from tests.adapters.livekit.test_record import TEN, entries, over
from tests.adapters.supervising import take_over, talking
from tests.runtime.conftest import Livemon, eventually


async def heard(livemon: Livemon, *texts: str) -> bool:
    """Whether all that was said is in the transcript."""
    return set(texts) <= set(await livemon.contents("c-1"))


async def recorded(seconds: float = 0.5) -> Any:
    yield rtc.AudioFrame(sound(BOT, int(BOT_HZ * seconds)), BOT_HZ, 1, int(BOT_HZ * seconds))


async def provoke(livemon: Livemon, bot: Bot) -> None:
    """Everything that makes an agent speak: what the caller says, the agent's program, a tool that was late."""
    bot.hearing.hear("Are you still there?")
    bot.session.generate_reply()
    bot.session.generate_reply(user_input="typed", allow_interruptions=False)
    bot.session.say("Please hold the line.")
    bot.session.say("A recording.", audio=recorded(), allow_interruptions=False)
    bot.desk.let_answer.set()
    await eventually(lambda: heard(livemon, "(Kitchen, 'the kitchen takes it')"))
    bot.hearing.hear("Hello?")
    await eventually(lambda: heard(livemon, "Hello?"))


async def taken_over(livemon: Livemon, runtime: Runtime, bot: Bot) -> tuple[int, int]:
    """Take over in the middle of a sentence, with a tool still running that hands over to another agent. Answers the
    model's runs and the agent's sound (in ms) from then on, until the supervisor has been heard for a while."""
    bot.thinking.tool = ("hand_over_late", {})
    bot.hearing.hear("The kitchen, please.")
    await asyncio.wait_for(bot.desk.looking.wait(), 60)
    bot.session.say(TEN, allow_interruptions=False)
    await eventually(lambda: over(lambda: bot.heard.bot > 100))
    await take_over(livemon, runtime, bot)
    runs, ms = bot.thinking.runs, bot.heard.bot
    await provoke(livemon, bot)
    async with talking(livemon, bot):
        before = bot.heard.supervisor
        await eventually(lambda: over(lambda: bot.heard.supervisor > before + 1_600))
    return bot.thinking.runs - runs, bot.heard.bot - ms


async def test_the_model_does_not_run_again_and_not_one_frame_of_the_agents_leaves(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        asked, read = bot.speaking.asked, len(bot.reader.read)
        runs, ms = await taken_over(livemon, runtime, bot)
        asked, read = bot.speaking.asked - asked, len(bot.reader.read) - read
        assert bot.session.current_agent is bot.desk, "the late tool's hand-over took place"
        assert not bot.desk.kitchen.entered
    print(f"with the gate: the model ran {runs} times, the agent was heard for {ms} ms")
    assert runs == 0
    assert ms <= 20, "more than what the line was just playing"
    assert await heard(livemon, "Are you still there?", "Hello?")
    said = [entry["content"] for entry in await entries(livemon, "agent")]
    assert not any("hold the line" in one or "ten" in one for one in said)
    assert not any("hold" in one or "ten" in one for one in bot.reader.read)
    assert asked == 1, "something was synthesized that nobody was to hear"


async def test_without_the_gate_the_same_agent_is_heard(
    livemon: Livemon, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, name in ((Gate, "close"), (Gate, "_spoken"), (Gate, "_staying"), (Models, "take")):
        replacement = (lambda self, inner: inner) if name == "_staying" else (lambda self, *_: None)
        monkeypatch.setattr(part, name, replacement)
    for name in ("_captured", "_flushed", "_cleared"):
        monkeypatch.setattr(Sound, name, lambda self, inner: inner)
    monkeypatch.setattr(Sound, "_told", lambda self, inner, tell: inner)
    monkeypatch.setattr(Words, "_captured", lambda self, inner: inner)
    async with answering(runtime) as bot:
        runs, ms = await taken_over(livemon, runtime, bot)
    print(f"without the gate: the model ran {runs} times, the agent was heard for {ms} ms")
    assert runs > 0
    assert ms > 500


async def test_the_callers_barge_in_does_not_cut_the_supervisor_off(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        bot.session.say(TEN)
        await eventually(lambda: over(lambda: bot.heard.bot > 100))
        await take_over(livemon, runtime, bot)
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.heard.supervisor > 100))
            cut, output = bot.heard.cut, bot.session.output.audio
            assert output is not None
            for n in range(5):
                before = bot.heard.supervisor
                bot.hearing.hear(f"But {n}")
                bot.session.interrupt(force=True)
                output.pause()
                output.clear_buffer()
                await eventually(lambda before=before: over(lambda: bot.heard.supervisor > before + 100))
        assert bot.heard.cut == cut, "the line was told to forget what the supervisor had said"
        await eventually(lambda: heard(livemon, *(f"But {n}" for n in range(5))))


async def test_what_lets_nobody_interrupt_it_is_silent_too(livemon: Livemon, runtime: Runtime) -> None:
    """A program that hands sound to the output itself, past the session's speeches."""
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        await take_over(livemon, runtime, bot)
        output = bot.session.output.audio
        assert output is not None
        async for frame in recorded(2):
            await output.capture_frame(frame)
        output.flush()
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.heard.supervisor > 400))
        assert bot.heard.bot == 0


async def test_a_caller_who_only_listens_is_not_taken_for_away(livemon: Livemon, runtime: Runtime) -> None:
    states: list[str] = []
    async with answering(runtime, Setting(user_away_timeout=1.0)) as bot:
        bot.session.on("user_state_changed", lambda event: states.append(event.new_state))
        bot.hearing.hear("Hm")
        await eventually(lambda: entries(livemon, "agent"))
        await eventually(lambda: bot.states("listening"))
        await take_over(livemon, runtime, bot)
        before = len(states)
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.heard.supervisor > 2_000))
        assert "away" not in states[before:]


async def test_the_agent_cannot_end_a_call_that_a_supervisor_has(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await take_over(livemon, runtime, bot)
        bot.session.shutdown()
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.heard.supervisor > 4_000))  # a session closes within two seconds
        assert not bot.call.ended
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        await eventually(lambda: ended(livemon))


async def ended(livemon: Livemon) -> bool:
    return await livemon.status("c-1") == "ended"


async def test_a_hint_is_refused_once_a_supervisor_has_the_caller(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await take_over(livemon, runtime, bot)
        told = await livemon.ask(runtime, "c-1", "inject", content="Offer a drink.", trigger_response=True)
    assert not told["ok"]
    assert "takes no hints" in told["error"]["message"]
    assert bot.thinking.runs == 0


async def test_an_agent_that_may_speak_again_is_as_it_was(livemon: Livemon, runtime: Runtime) -> None:
    """The runtime lets it when a take-over came to nothing."""
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        silenced = bot.call.handlers["agent_silenced"]
        bot.call.agent_silent = True
        silenced(True)
        bot.hearing.hear("Are you there?")
        await eventually(lambda: heard(livemon, "Are you there?"))
        bot.call.agent_silent = False
        silenced(False)
        assert bot.session.options.user_away_timeout == 15.0
        bot.hearing.hear("Hello?")
        (turn,) = await eventually(lambda: entries(livemon, "agent"))
        await eventually(lambda: over(lambda: bot.heard.bot > 1_000))
    assert bot.thinking.runs == 1
    assert turn["content"] == bot.thinking.answer
