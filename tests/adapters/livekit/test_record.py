"""What a session says and does, as livemon has it in the end."""

import asyncio
from typing import Any

import numpy as np
import pytest
import redis.asyncio

from livemon_runtime import Runtime
from livemon_runtime.adapters.livekit import AlreadyWatched, watch
from livemon_runtime.keys import Keys
from tests.adapters.livekit.agents import ANSWER, Setting, answering
from tests.adapters.livekit.stand_ins import BOT
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.test_voice import Ear, tap

TEN = "one two three four five six seven eight nine ten"


async def entries(livemon: Livemon, *roles: str) -> list[dict[str, Any]]:
    return [entry for entry in await livemon.transcript("c-1") if entry["role"] in roles]


async def over(look: Any) -> bool:
    return bool(look())


@pytest.mark.parametrize("before_start", [True, False], ids=["watched-before-start", "watched-after-start"])
async def test_the_callers_and_the_agents_turns_are_in_the_record(
    livemon: Livemon, runtime: Runtime, before_start: bool
) -> None:
    async with answering(runtime, Setting(before_start=before_start)) as bot:
        bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
    transcript = await livemon.transcript("c-1")
    assert [(entry["role"], entry["content"]) for entry in transcript] == [
        ("user", "I need a table."),
        ("agent", ANSWER),
    ]
    assert "interrupted" not in transcript[1]
    assert (await livemon.call("c-1"))["data"]["agent_name"] == "Ada"  # type: ignore[index]


async def said_of(livemon: Livemon, enough: Any, during: Any) -> list[bytes]:
    """What is published of turns that are not final, from `during` until it is `enough`."""
    await eventually(lambda: livemon.call("c-1"))
    pubsub: Any = livemon.redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.ssubscribe(livemon.keys.partials("c-1"))
    during()
    said: list[bytes] = []

    async def listen() -> bool:
        if message := await pubsub.get_message(timeout=1):
            said.append(message["data"])
        return bool(enough(said))

    await eventually(listen)
    await pubsub.aclose()
    return said


async def test_what_the_caller_is_saying_is_shown_before_it_is_final(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:

        def begin() -> None:
            bot.hearing.begin()
            bot.hearing.partly("I need")

        said = await said_of(livemon, lambda said: said, begin)
        bot.hearing.finish("I need a table.")
        (turn,) = await eventually(lambda: entries(livemon, "user"))
    assert b'"I need"' in said[0]
    assert turn["id"].encode() in said[0]
    assert turn["content"] == "I need a table."


async def test_the_agents_words_are_shown_when_they_are_heard_and_not_when_they_are_made(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        said = await said_of(livemon, lambda said: any(b"nine" in one for one in said), lambda: bot.session.say(TEN))
        assert b"three" not in said[0]
        assert bot.heard.bot > 600
        (turn,) = await eventually(lambda: entries(livemon, "agent"))
    assert turn["content"] == TEN


@pytest.mark.parametrize("synchronized", [True, False], ids=["with-the-rooms-synchronizer", "with-none"])
async def test_of_an_agent_who_is_interrupted_only_what_was_spoken_is_in_the_record(
    livemon: Livemon, runtime: Runtime, synchronized: bool
) -> None:
    async with answering(runtime, Setting(synchronized=synchronized)) as bot:
        bot.session.say(TEN)
        await eventually(lambda: over(lambda: bot.heard.bot > 800))  # of two seconds
        bot.hearing.hear("Stop.")
        (turn, *_) = await eventually(lambda: entries(livemon, "agent"))
    assert turn["interrupted"] is True
    assert turn["content"].startswith("one two")
    assert "nine" not in turn["content"]


async def test_a_call_without_the_rooms_synchronizer_has_what_was_said_once_it_was_said(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime, Setting(synchronized=False)) as bot:
        bot.session.say(TEN)
        (turn,) = await eventually(lambda: entries(livemon, "agent"))
        assert bot.heard.bot > 1_500
    assert turn["content"] == TEN
    assert turn["time_ms"] < (await livemon.now()) - bot.call.record.call.start_timestamp - 1_500


async def test_what_the_session_keeps_no_history_of_is_in_the_record_as_it_was_heard(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        await bot.session.say("one moment please", add_to_chat_ctx=False)
        (turn,) = await eventually(lambda: entries(livemon, "agent"))
    assert turn["content"] == "one moment please"


async def test_what_the_caller_types_is_a_turn_of_theirs_and_what_they_say_is_there_once(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        bot.hearing.hear("I need a table.")
        await eventually(lambda: entries(livemon, "agent"))
        bot.session.generate_reply(user_input="for two")
        await eventually(lambda: spoken(livemon, 2))
    assert [entry["content"] for entry in await entries(livemon, "user")] == ["I need a table.", "for two"]


async def spoken(livemon: Livemon, times: int) -> bool:
    return len(await entries(livemon, "agent")) == times


async def test_tools_their_results_and_what_becomes_of_those_that_fail_or_are_cancelled(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:

        async def ask(tool: str, **arguments: Any) -> None:
            bot.thinking.tool = (tool, arguments)
            bot.hearing.hear(f"Do {tool}.")

        for n, (tool, arguments) in enumerate([("book", {"seats": 2}), ("fail", {}), ("nonsense", {})]):
            await ask(tool, **arguments)
            await eventually(lambda n=n: spoken(livemon, n + 1))
        await ask("dawdle")
        await asyncio.wait_for(bot.desk.looking.wait(), 60)
        await eventually(lambda: spoken(livemon, 4))
        called = await four(livemon)
        await ask("lk_agents_cancel_task", call_id=called[3]["tool_call_id"])
        await eventually(lambda: more(livemon, 4))
    results = {one["tool_call_id"]: one for one in await entries(livemon, "tool_call_result")}
    said = [results[one["tool_call_id"]] for one in called]
    assert [(one["name"], one["arguments"]) for one in called] == [
        ("book", '{"seats": 2}'),
        ("fail", "{}"),
        ("nonsense", "{}"),
        ("dawdle", "{}"),
    ]
    assert [(one["content"].split(" - ")[0], one["successful"]) for one in said] == [
        ("a table for 2", True),
        ("the book is closed", False),
        ("Unknown function: nonsense", False),
        ("Cancelled.", False),
    ]


async def four(livemon: Livemon) -> list[dict[str, Any]]:
    called = await entries(livemon, "tool_call_invocation")
    return called if len(called) == 4 else []


async def more(livemon: Livemon, than: int) -> bool:
    return len(await entries(livemon, "tool_call_result")) > than


async def test_one_agent_handing_the_call_to_another_is_a_node_transition(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        bot.thinking.tool = ("hand_over", {})
        bot.hearing.hear("The kitchen, please.")
        (moved,) = await eventually(lambda: entries(livemon, "node_transition"))
        await eventually(lambda: entries(livemon, "agent"))
    assert (moved["former_node_name"], moved["new_node_name"]) == ("desk", "kitchen")
    assert bot.desk.kitchen.entered
    (turn,) = await entries(livemon, "agent")
    assert turn["content"] == ANSWER


async def test_both_voices_go_out_while_somebody_listens_and_only_then(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot, Ear(livemon.redis, livemon) as ear:
        await eventually(lambda: livemon.call("c-1"))
        assert not await ear.pubsub.get_message(timeout=0.5)
        await tap(livemon, runtime)
        await eventually(lambda: over(lambda: bot.call.voices.agent_on))
        bot.session.say("This is said.")
        loud: dict[str, int] = {}
        while not (loud.get("agent", 0) > 6_000 and loud.get("caller", 0) > 600):
            voice, packet = await ear.packet()
            samples = np.frombuffer(packet.payload, dtype=">i2")
            loud[voice] = max(loud.get(voice, 0), int(np.median(np.abs(samples))))
    audio = bot.call.record.call.audio
    assert audio is not None
    assert (audio.caller, audio.agent, audio.supervisor) == ("l16/24000", "l16/24000", "l16/24000")
    assert loud["agent"] == pytest.approx(BOT, rel=0.05)
    assert loud["caller"] == pytest.approx(900, rel=0.1)


async def test_whoever_listens_hears_the_agent_as_the_caller_does_from_the_middle_of_a_sentence_until_it_is_cut_off(
    livemon: Livemon, runtime: Runtime
) -> None:
    """The session has made all four seconds of it long before anybody listens."""
    async with answering(runtime) as bot, Ear(livemon.redis, livemon) as ear:
        await eventually(lambda: livemon.call("c-1"))
        bot.session.say(f"{TEN} {TEN}")
        await eventually(lambda: over(lambda: bot.heard.bot > 500))
        await tap(livemon, runtime)
        await eventually(lambda: over(lambda: bot.call.voices.agent_on))
        missed = bot.heard.bot
        listening = asyncio.create_task(agent_ms(ear))
        await eventually(lambda: over(lambda: bot.heard.bot > missed + 1_000))
        bot.thinking.answer = ""
        bot.hearing.hear("Stop.")
        await eventually(lambda: entries(livemon, "agent"))
        ms = await listening
    assert 600 <= ms <= bot.heard.bot - missed + 100


async def agent_ms(ear: Ear) -> int:
    """How much of the agent is heard, until a second of the caller's goes by without any."""
    ms = alone = 0
    while not ms or alone < 1_000:
        voice, _ = await ear.packet()
        ms, alone = (ms + 20, 0) if voice == "agent" else (ms, alone + 20)
    return ms


async def reason(livemon: Livemon, expected: str) -> bool:
    call = await livemon.call("c-1")
    return bool(call) and call["data"].get("disconnection_reason") == expected


async def test_a_session_that_is_closed_ends_the_call(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        await said_of(livemon, lambda said: said, lambda: bot.hearing.partly("I was just"))
        bot.session.shutdown()
        await eventually(lambda: reason(livemon, "agent_hangup"))
    assert [entry["content"] for entry in await entries(livemon, "user")] == ["I was just"]


async def test_livemon_ends_the_call_by_closing_the_session(livemon: Livemon, runtime: Runtime) -> None:
    closed: list[Any] = []
    async with answering(runtime) as bot:
        bot.session.on("close", closed.append)
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        assert closed
        await eventually(lambda: reason(livemon, "manual_stopped"))


async def test_a_program_that_hangs_up_itself_is_asked_to_and_what_it_says_is_told(
    livemon: Livemon, runtime: Runtime
) -> None:
    asked: list[str] = []

    async def hang_up() -> None:
        asked.append("hang up")
        if len(asked) == 1:
            raise OSError("the trunk is down")

    async with answering(runtime, Setting(fields={"hang_up": hang_up})) as bot:
        await eventually(lambda: livemon.call("c-1"))
        first = await livemon.ask(runtime, "c-1", "end")
        assert not first["ok"]
        assert not bot.call.ended
        assert (await livemon.ask(runtime, "c-1", "end"))["ok"]
        await eventually(lambda: reason(livemon, "manual_stopped"))
    assert len(asked) == 2


async def test_a_hint_reaches_the_model_and_makes_it_answer_only_if_asked_to(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        quiet = {"content": "The kitchen closes at nine.", "trigger_response": False}
        assert (await livemon.ask(runtime, "c-1", "inject", **quiet))["ok"]
        assert bot.thinking.runs == 0
        assert (await livemon.ask(runtime, "c-1", "inject", content="Offer a drink.", trigger_response=True))["ok"]
        await eventually(lambda: over(lambda: bot.thinking.runs == 1))
        assert (await livemon.ask(runtime, "c-1", "inject", content="", trigger_response=True))["ok"]
        await eventually(lambda: over(lambda: bot.thinking.runs == 2))
    hints = [item.text_content for item in bot.thinking.seen[1] if getattr(item, "role", "") == "developer"]
    assert hints == ["The kitchen closes at nine.", "Offer a drink."]
    assert [one["content"] for one in await entries(livemon, "injected")] == hints


async def test_a_session_is_watched_once(livemon: Livemon, runtime: Runtime) -> None:
    async with answering(runtime) as bot:
        with pytest.raises(AlreadyWatched, match="c-1"):
            watch(runtime, bot.session)
        bot.call.end()
        with pytest.raises(AlreadyWatched, match="new AgentSession"):
            watch(runtime, bot.session)


async def test_a_redis_that_is_away_is_not_the_agents_trouble(own_valkey: ValkeyProcess) -> None:
    async with Runtime(own_valkey.url, name="front-desk") as runtime, answering(runtime) as bot:
        await asyncio.wait_for(runtime.alive.wait(), 60)
        own_valkey.stop()
        bot.hearing.hear("I need a table.")
        await eventually(lambda: over(lambda: bot.heard.bot > 1_000))
        await eventually(lambda: bot.states("listening"))
        own_valkey.start()
        async with redis.asyncio.Redis.from_url(own_valkey.url) as client:
            livemon = Livemon(client, Keys())
            await eventually(lambda: entries(livemon, "agent"))
            assert [one["content"] for one in await entries(livemon, "user", "agent")] == ["I need a table.", ANSWER]
