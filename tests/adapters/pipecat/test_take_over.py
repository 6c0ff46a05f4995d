"""Take-over of a real pipeline: the model does not run again, not one frame of the bot's leaves, the caller is still heard.

The same is done with the gate taken out: there the bot must be heard, or these tests would prove nothing.
"""

import asyncio
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    Frame,
    LLMRunFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.transports.base_output import BaseOutputTransport

from livemon_runtime import Call, Runtime
from livemon_runtime.adapters.pipecat import SupervisorAudioFrame
from tests.adapters.pipecat.bot import Bot, Setting, answering
from tests.adapters.pipecat.caller import SUPERVISOR, linear
from tests.adapters.pipecat.stand_ins import BOT, sound
from tests.adapters.supervising import say, take_over, talking
from tests.runtime.conftest import Livemon, eventually


class NoGate:
    """As `Gate`, and shuts nothing."""

    def __init__(self, call: Call, models: Any, output: BaseOutputTransport) -> None:
        self.write = output.write_audio_frame

    async def close(self) -> None:
        pass

    async def clear(self) -> None:
        pass


async def heard(livemon: Livemon, *texts: str) -> bool:
    """Whether all that the caller said is in the transcript."""
    return set(texts) <= set(await livemon.contents("c-1"))


async def over(look: Any) -> bool:
    return bool(look())


async def provoke(livemon: Livemon, bot: Bot, let_tool_answer: asyncio.Event) -> None:
    """Everything that makes a bot speak: what the caller says, the bot's own wish, its program, a tool that was late."""
    await bot.hearing.hear("Are you still there?")
    await bot.worker.queue_frames([LLMRunFrame(), TTSSpeakFrame("Please hold the line.")])
    rate = bot.transport.output().sample_rate
    loud = OutputAudioRawFrame(sound(BOT, rate), rate, 1)
    await bot.transport.output().queue_frame(loud)
    let_tool_answer.set()
    await eventually(lambda: heard(livemon, '{"free": true}'))
    await bot.hearing.hear("Hello?")
    await eventually(lambda: heard(livemon, "Hello?"))


async def taken_over(livemon: Livemon, runtime: Runtime, bot: Bot, *, gate: bool = True) -> tuple[int, int]:
    """Take over in the middle of a sentence, with a tool still running. Answers the model's runs and the agent's sound
    from then on, until the supervisor has been heard for a while. The carrier is told to forget what it has: what comes
    after that was sent after that."""
    let_tool_answer = asyncio.Event()

    async def look_up(params: FunctionCallParams) -> None:
        await let_tool_answer.wait()
        await params.result_callback({"free": True})

    bot.thinking.register_function("look_up", look_up, cancel_on_interruption=False)
    bot.thinking.tool = ("look_up", {"when": "tonight"})
    await bot.hearing.hear("Is there a table?")
    await eventually(lambda: called(livemon))
    await bot.worker.queue_frame(TTSSpeakFrame("Let me see. I am looking. This takes a while."))
    await eventually(lambda: over(lambda: bot.caller.bot > 5))
    cleared = bot.caller.cleared
    await take_over(livemon, runtime, bot)
    if gate:
        await eventually(lambda: over(lambda: bot.caller.cleared > cleared))
    runs, pieces = bot.thinking.runs, bot.caller.bot
    await provoke(livemon, bot, let_tool_answer)
    async with talking(livemon, bot):
        heard_before = bot.caller.supervisor
        await eventually(lambda: over(lambda: bot.caller.supervisor > heard_before + 80))
    return bot.thinking.runs - runs, bot.caller.bot - pieces


async def called(livemon: Livemon) -> bool:
    return any(entry["role"] == "tool_call_invocation" for entry in await livemon.transcript("c-1"))


async def test_the_model_does_not_run_again_and_not_one_frame_of_the_bots_leaves(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        runs, pieces = await taken_over(livemon, runtime, bot)
    print(f"with the gate: the model ran {runs} times, the agent was heard for {pieces * 20} ms")
    assert (runs, pieces) == (0, 0)
    assert await heard(livemon, "Are you still there?", "Hello?")


async def test_without_the_gate_the_same_bot_is_heard(
    livemon: Livemon, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon_runtime.adapters.pipecat.watching.Gate", NoGate)
    async with answering(runtime) as bot:
        runs, pieces = await taken_over(livemon, runtime, bot, gate=False)
    print(f"without the gate: the model ran {runs} times, the agent was heard for {pieces * 20} ms")
    assert runs > 0
    assert pieces > 5


async def test_the_callers_barge_in_does_not_cut_the_supervisor_off(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await take_over(livemon, runtime, bot)
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.caller.supervisor > 5))
            cleared = bot.caller.cleared
            for n in range(5):
                before = bot.caller.supervisor
                await bot.hearing.hear(f"But {n}")
                await bot.aggregators.assistant().broadcast_interruption()  # up through the output, as well as down
                await eventually(lambda before=before: over(lambda: bot.caller.supervisor > before + 5))
        assert bot.caller.cleared == cleared, "the carrier was told to forget what the supervisor had said"


@pytest.mark.parametrize("rate", [16_000, 24_000])
async def test_the_supervisors_first_word_is_heard_and_nothing_of_the_bots_before_it(
    livemon: Livemon, runtime: Runtime, rate: int
) -> None:
    """The bot is cut off in the middle of a word, whose end is in the serializer's resampler then."""
    first_word, then = 3_500, SUPERVISOR
    async with answering(runtime, Setting(audio_out=rate)) as bot:
        await bot.worker.queue_frame(TTSSpeakFrame("Let me see. I am looking. This takes a while. It really does."))
        await eventually(lambda: over(lambda: bot.caller.bot > 5))
        cleared = bot.caller.cleared
        await take_over(livemon, runtime, bot)
        await say(livemon, bot, *[first_word] * 4, *[then] * 40)
        await eventually(lambda: over(lambda: bot.caller.supervisor > 20))
        assert bot.caller.cleared == cleared + 1
        heard = np.abs(linear(bytes(bot.caller.since_cleared)))
    beginning = heard[int(np.argmax(heard > SUPERVISOR / 2)) :]
    ms = int(np.sum(heard > (first_word + then) / 2)) / 8
    print(f"at {rate} Hz the caller hears {ms:g} of the first word's 80 ms; the loudest after «clear»: {heard.max()}")
    assert np.median(beginning[: 8 * 20]) == pytest.approx(first_word, rel=0.05)
    assert 20 < ms < 85  # all of it; a resampler that is kept waiting for 0.2 s, by a busy machine, forgets up to 60 ms
    assert heard.max() < (BOT + first_word) / 2, "the end of the bot's word was heard"


class Unstoppable(FrameProcessor):
    """A processor of the bot's own that lets nobody interrupt it."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)

    async def say(self, rate: int) -> None:
        frame = OutputAudioRawFrame(sound(BOT, 3 * rate), rate, 1)
        frame.interruptible = False
        await self.push_frame(frame)


async def test_what_lets_nobody_interrupt_it_is_silent_too(livemon: Livemon, runtime: Runtime) -> None:
    mouth = Unstoppable()
    async with answering(runtime, Setting(before_output=mouth)) as bot:
        await mouth.say(bot.transport.output().sample_rate)
        await eventually(lambda: over(lambda: bot.caller.bot > 5))
        await take_over(livemon, runtime, bot)
        await eventually(lambda: over(lambda: bot.caller.cleared))
        pieces = bot.caller.bot
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.caller.supervisor > 40))
        assert bot.caller.bot == pieces


async def test_a_caller_who_only_listens_is_not_hung_up_on_by_the_idle_timer(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime, Setting(idle_timeout_secs=1.0)) as bot:
        await bot.hearing.partly("Hm")
        await take_over(livemon, runtime, bot)
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.caller.supervisor > 80))
            assert not bot.call.ended
        await eventually(lambda: over(lambda: bot.call.ended))  # and with nobody left to speak it does


async def test_messages_to_the_callers_screen_end_and_recorders_hear_the_supervisor(
    livemon: Livemon, runtime: Runtime
) -> None:
    recorded: list[Frame] = []
    async with answering(runtime) as bot:
        bot.aggregators.assistant().add_event_handler(
            "on_before_process_frame", lambda _, frame: recorded.append(frame)
        )
        await take_over(livemon, runtime, bot)
        await bot.worker.queue_frame(OutputTransportMessageFrame({"event": "form"}))
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: any(isinstance(one, SupervisorAudioFrame) for one in recorded)))
            await eventually(lambda: over(lambda: bot.caller.supervisor > 10))
        assert "form" not in bot.caller.other
