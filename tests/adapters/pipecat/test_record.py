"""What a real pipeline's frames become in the call's record, and in its voices."""

import asyncio
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import OutputAudioRawFrame, TTSSpeakFrame
from pipecat.services.llm_service import FunctionCallParams

from livemon_runtime import Runtime
from livemon_runtime.adapters.audio import codec_for
from livemon_runtime.adapters.pipecat import NotInPipeline, watch
from livemon_runtime.adapters.pipecat.audio import Rate, Voice
from tests.adapters.pipecat.bot import ANSWER, Bot, Setting, answering
from tests.adapters.pipecat.stand_ins import BOT, sound
from tests.adapters.pipecat.test_take_over import over
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.test_voice import Ear, tap


async def entries(livemon: Livemon, role: str) -> list[dict[str, Any]]:
    return [entry for entry in await livemon.transcript("c-1") if entry["role"] == role]


async def test_the_callers_and_the_agents_turns_are_in_the_record(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
    transcript = await livemon.transcript("c-1")
    assert [(entry["role"], entry["content"]) for entry in transcript] == [
        ("user", "I need a table."),
        ("agent", ANSWER),
    ]
    assert "interrupted" not in transcript[1]
    assert (await livemon.call("c-1"))["data"]["agent_name"] == "Ada"  # type: ignore[index]


async def test_what_the_caller_is_saying_is_shown_before_it_is_final(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        pubsub: Any = livemon.redis.pubsub(ignore_subscribe_messages=True)
        await pubsub.ssubscribe(livemon.keys.partials("c-1"))
        await bot.hearing.begin()
        await bot.hearing.partly("I need")
        message = await eventually(lambda: pubsub.get_message(timeout=1))
        await bot.hearing.finish("I need a table.")
        (turn,) = await eventually(lambda: entries(livemon, "user"))
        await pubsub.aclose()
    assert b'"I need"' in message["data"]
    assert turn["id"].encode() in message["data"]
    assert turn["content"] == "I need a table."


async def test_of_an_agent_who_is_interrupted_only_what_was_spoken_is_in_the_record(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        await bot.worker.queue_frame(TTSSpeakFrame("one two three four five six seven eight nine ten"))
        await eventually(lambda: over(lambda: bot.caller.bot > 30))  # 0.6 of two seconds
        await bot.hearing.begin()
        (turn,) = await eventually(lambda: entries(livemon, "agent"))
    assert turn["interrupted"] is True
    assert turn["content"].startswith("one two three")
    assert "ten" not in turn["content"]


async def test_tools_their_results_and_what_becomes_of_those_that_are_cancelled(
    livemon: Livemon, runtime: Runtime
) -> None:
    asked = asyncio.Event()

    async def book(params: FunctionCallParams) -> None:
        await params.result_callback({"booked": True})

    async def dawdle(params: FunctionCallParams) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with answering(runtime) as bot:
        bot.thinking.register_function("book", book)
        bot.thinking.register_function("dawdle", dawdle, cancel_on_interruption=True)
        bot.thinking.tool = ("book", {"seats": 2})
        await bot.hearing.hear("Two, please.")
        await eventually(lambda: entries(livemon, "tool_call_result"))
        bot.thinking.tool = ("dawdle", {})
        await bot.hearing.hear("And a menu.")
        await asyncio.wait_for(asked.wait(), 60)
        await bot.hearing.begin()
        await eventually(lambda: two(livemon))
    called, results = await entries(livemon, "tool_call_invocation"), await entries(livemon, "tool_call_result")
    assert [(one["name"], one["arguments"]) for one in called] == [("book", '{"seats": 2}'), ("dawdle", "{}")]
    assert [one["tool_call_id"] for one in results] == [one["tool_call_id"] for one in called]
    assert [(one["content"], one["successful"]) for one in results] == [
        ('{"booked": true}', True),
        ("Cancelled.", False),
    ]


async def two(livemon: Livemon) -> bool:
    return len(await entries(livemon, "tool_call_result")) == 2


async def test_keys_that_the_caller_presses(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await bot.caller.press("5")
        await bot.caller.press("#")
        await eventually(lambda: over_keys(livemon))
    assert [entry["digit"] for entry in await entries(livemon, "dtmf")] == ["5", "#"]


async def over_keys(livemon: Livemon) -> bool:
    return len(await entries(livemon, "dtmf")) == 2


async def test_both_voices_go_out_while_somebody_listens_and_only_then(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime, Setting(audio_out=22_050)) as bot, Ear(livemon.redis, livemon) as ear:
        await eventually(lambda: livemon.call("c-1"))
        assert not await ear.pubsub.get_message(timeout=0.5)
        await tap(livemon, runtime)
        await eventually(lambda: over(lambda: bot.call.voices.agent_on))
        await bot.worker.queue_frame(TTSSpeakFrame("This is said."))
        loud: dict[str, int] = {}
        while not (loud.get("agent", 0) > 6_000 and "caller" in loud):
            voice, packet = await ear.packet()
            samples = np.frombuffer(packet.payload, dtype=">i2")
            loud[voice] = max(loud.get(voice, 0), int(np.median(np.abs(samples))))
    audio = bot.call.record.call.audio
    assert audio is not None
    assert (audio.caller, audio.agent, audio.supervisor) == ("l16/16000", "l16/24000", "l16/24000")
    assert loud["agent"] == pytest.approx(BOT, rel=0.05)
    assert loud["caller"] < 50


async def test_how_a_call_ends_and_why(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await bot.worker.stop_when_done()
        await eventually(lambda: reason(livemon, "agent_hangup"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("max_duration_reached", "max_duration_reached"),
        ("idle timeout", "error_idle_timeout"),
        ("whatever", "agent_hangup"),
    ],
)
async def test_a_reason_that_the_bot_gives_is_kept(livemon: Livemon, runtime: Runtime, given: str, said: str) -> None:
    async with answering(runtime) as bot:
        await bot.worker.cancel(reason=given)
        await eventually(lambda: reason(livemon, said))


async def test_a_caller_who_hangs_up_ends_the_call(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        assert bot.caller.socket
        await bot.caller.socket.close()
        await eventually(lambda: reason(livemon, "user_hangup"))


async def reason(livemon: Livemon, expected: str) -> bool:
    call = await livemon.call("c-1")
    return bool(call) and call["data"].get("disconnection_reason") == expected


async def test_livemon_ends_the_call_by_ending_the_pipeline(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        await eventually(lambda: reason(livemon, "manual_stopped"))
        await eventually(lambda: over(bot.worker.has_finished))


async def test_a_hint_reaches_the_model_and_makes_it_answer_only_if_asked_to(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        quiet = {"content": "The kitchen closes at nine.", "trigger_response": False}
        assert (await livemon.ask(runtime, "c-1", "inject", **quiet))["ok"]
        await eventually(lambda: over(lambda: in_context(bot, "The kitchen closes at nine.")))
        assert bot.thinking.runs == 0
        assert (await livemon.ask(runtime, "c-1", "inject", content="Offer a drink.", trigger_response=True))["ok"]
        await eventually(lambda: over(lambda: bot.thinking.runs == 1))
    assert [message["content"] for message in bot.thinking.seen[0]] == ["The kitchen closes at nine.", "Offer a drink."]
    assert [one["content"] for one in await entries(livemon, "injected")] == [quiet["content"], "Offer a drink."]


async def test_a_model_that_is_only_to_answer_runs_with_nothing_more_in_its_context(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, "c-1", "inject", content="Be kind.", trigger_response=False))["ok"]
        assert (await livemon.ask(runtime, "c-1", "inject", content="", trigger_response=True))["ok"]
        await eventually(lambda: over(lambda: bot.thinking.runs == 1))
    assert [message["content"] for message in bot.thinking.seen[0]] == ["Be kind."]
    assert [one["content"] for one in await entries(livemon, "injected")] == ["Be kind."]


def in_context(bot: Bot, content: str) -> bool:
    return any(message["content"] == content for message in bot.context.get_messages())


async def test_a_transport_that_is_not_the_pipelines_is_refused_in_words(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot, answering(runtime) as other:
        with pytest.raises(NotInPipeline, match=r"transport\.input\(\)"):
            watch(runtime, bot.worker, other.transport)


def test_a_voice_of_any_rate_and_of_two_channels_becomes_one_that_livemon_has() -> None:
    said: list[bytes] = []
    voice = Voice(said.append, codec_for(22_050))
    stereo = np.repeat(np.frombuffer(sound(900, 22_050), dtype="<i2"), 2).tobytes()
    voice.take(OutputAudioRawFrame(stereo, 22_050, 2))
    samples = np.frombuffer(b"".join(said), dtype="<i2")
    assert [codec_for(rate) for rate in (8_000, 11_025, 44_100, 96_000)] == [
        "l16/8000", "l16/16000", "l16/48000", "l16/48000",
    ]  # fmt: skip
    assert 20_000 < len(samples) <= 24_000
    assert np.median(samples) == pytest.approx(900, rel=0.02)
    assert Rate(8_000).of(b"\1\0", 8_000) == b"\1\0"
