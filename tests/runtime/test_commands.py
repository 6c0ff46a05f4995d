"""Commands: each is done once, none past its deadline, and each has its result."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from livemon_runtime import Call, Failure, Refusal, Runtime, Unsupported
from tests.runtime.conftest import Livemon, eventually


@pytest.fixture
async def call(livemon: Livemon, runtime: Runtime) -> Call:
    """A call that Redis knows."""
    made = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    return made


async def results(livemon: Livemon, command_id: str, count: int) -> list[dict[str, Any]]:
    async def enough() -> list[dict[str, Any]]:
        found = await livemon.results(command_id)
        return found if len(found) >= count else []

    return await eventually(enough)


async def test_end_asks_the_bot_and_ends_the_call_as_stopped_by_hand(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    asked: list[Any] = []
    call.on_end(lambda command: asked.append(command))
    result = await livemon.ask(runtime, call, "end")
    assert result["ok"] is True
    assert (asked[0].by, asked[0].by_name) == ("u-1", "Grace")
    (event,) = await eventually(lambda: livemon.events("call_ended"))
    assert event["data"]["call"]["disconnection_reason"] == "manual_stopped"


async def test_the_bots_own_hang_up_within_the_handler_is_the_supervisors_doing(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    @call.on_end
    async def hang_up() -> None:
        await asyncio.sleep(0)
        call.end()

    assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    (event,) = await livemon.events("call_ended")
    assert event["data"]["call"]["disconnection_reason"] == "manual_stopped"


async def test_end_on_an_ended_call_is_ok_and_the_bot_is_not_asked_again(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    asked: list[int] = []
    call.on_end(lambda: asked.append(1))
    assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    await eventually(lambda: livemon.events("call_ended"))
    runtime.calls()
    assert (await livemon.ask(runtime, "c-1", "end"))["ok"] is True
    assert asked == [1]
    assert len(await livemon.events("call_ended")) == 1


async def test_a_command_to_an_unknown_call_says_not_found(livemon: Livemon, runtime: Runtime) -> None:
    result = await livemon.ask(runtime, "never", "end")
    assert result["error"]["code"] == "not_found"


@pytest.mark.parametrize("kind", ["inject", "take_over"])
async def test_another_command_to_an_ended_call_says_already_ended(
    livemon: Livemon, runtime: Runtime, call: Call, kind: str
) -> None:
    call.end()
    fields = {"content": "x"} if kind == "inject" else {"claim_id": "k", "generation": 1, "grace_ms": 1}
    result = await livemon.ask(runtime, call, kind, **fields)
    assert result["error"]["code"] == "already_ended"


async def test_a_bot_without_a_handler_says_unsupported(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    assert (await livemon.ask(runtime, call, "end"))["error"]["code"] == "unsupported"
    assert (await livemon.ask(runtime, call, "inject", content="x"))["error"]["code"] == "unsupported"
    assert not call.ended


async def test_a_refusal_is_told_with_its_reason_and_the_call_goes_on(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    @call.on_end
    def never() -> None:
        raise Refusal("The caller is paying.")

    result = await livemon.ask(runtime, call, "end")
    assert result["error"] == {"code": "refused", "message": "The caller is paying."}
    assert not call.ended


@pytest.mark.parametrize(("error", "code"), [(Failure, "failed"), (Unsupported, "unsupported")])
async def test_a_handler_says_that_it_failed_or_cannot_in_its_own_words(
    livemon: Livemon, runtime: Runtime, call: Call, error: type[Refusal], code: str
) -> None:
    @call.on_end
    def _() -> None:
        raise error("The line is dead.")

    answer = await livemon.ask(runtime, call, "end")
    assert answer["error"] == {"code": code, "message": "The line is dead."}
    assert await livemon.status("c-1") == "ongoing"


async def test_a_refusal_that_is_no_utf8_still_arrives(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    @call.on_end
    def never() -> None:
        raise Refusal("not \ud800 now")

    assert (await livemon.ask(runtime, call, "end"))["error"]["message"] == "not \\ud800 now"
    await livemon.claim("c-1", "k")
    call.on_take_over(never)
    result = await livemon.ask(runtime, call, "take_over", claim_id="k", generation=1, grace_ms=1)
    assert result["error"]["message"] == "not \\ud800 now"


async def test_a_handler_that_fails_is_told_and_hurts_nothing(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    call.on_end(lambda: 1 / 0)
    result = await livemon.ask(runtime, call, "end")
    assert (result["ok"], result["error"]["code"]) == (False, "failed")
    assert not call.ended
    call.on_end(lambda: None)
    assert (await livemon.ask(runtime, call, "end"))["ok"] is True


async def test_a_handler_that_awaits_what_it_cancelled_has_a_result_too(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    @call.on_end
    async def hang_up() -> None:
        speaking = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        speaking.cancel()
        await speaking

    assert (await livemon.ask(runtime, call, "end"))["error"]["code"] == "failed"


async def test_a_handler_that_never_answers_is_given_up(livemon: Livemon, valkey_url: str) -> None:
    async with Runtime(valkey_url, name="slow", handler_timeout=0.2) as runtime:
        call = runtime.call(call_id="c-1")
        call.on_end(asyncio.Event().wait)
        await eventually(lambda: livemon.call("c-1"))
        assert (await livemon.ask(runtime, call, "end"))["error"]["code"] == "failed"
        assert not call.ended


async def test_inject_reaches_the_bot_and_stands_in_the_transcript(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    hints: list[Any] = []
    call.on_inject(hints.append)
    result = await livemon.ask(runtime, call, "inject", content="Offer Tuesday.", trigger_response=True)
    assert result["ok"] is True
    assert (hints[0].content, hints[0].trigger_response) == ("Offer Tuesday.", True)
    (entry,) = await eventually(lambda: livemon.transcript("c-1"))
    assert (entry["role"], entry["content"], entry["by"]) == ("injected", "Offer Tuesday.", "Grace")


async def test_an_agent_that_is_only_to_answer_is_entered_nowhere(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    hints: list[Any] = []
    call.on_inject(hints.append)
    assert (await livemon.ask(runtime, call, "inject", content="", trigger_response=True))["ok"] is True
    assert (await livemon.ask(runtime, call, "inject", content="Offer Tuesday.", trigger_response=False))["ok"] is True
    assert [(each.content, each.trigger_response) for each in hints] == [("", True), ("Offer Tuesday.", False)]
    (entry,) = await eventually(lambda: livemon.transcript("c-1"))
    assert entry["content"] == "Offer Tuesday."


async def test_a_command_past_its_deadline_is_not_done(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    asked: list[int] = []
    call.on_end(lambda: asked.append(1))
    late = await livemon.now() - 1
    assert (await livemon.ask(runtime, call, "end", deadline=late))["error"]["code"] == "too_late"
    assert (asked, call.ended) == ([], False)


async def test_a_command_id_that_comes_again_has_its_result_repeated_and_no_other_effect(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    hints: list[Any] = []
    call.on_inject(hints.append)
    for count in (1, 2, 3):
        await livemon.send(runtime.runtime_id, "c-1", "inject", content="once", command_id="same")
        assert [result["ok"] for result in await results(livemon, "same", count)] == [True] * count
    assert len(hints) == 1


async def test_commands_sent_before_the_runtime_reads_are_read_from_the_first(
    livemon: Livemon, valkey_url: str
) -> None:
    runtime = Runtime(valkey_url, name="late", runtime_id="rt-late")
    command_id = await livemon.send("rt-late", "nobody", "end")
    async with runtime:
        assert (await results(livemon, command_id, 1))[0]["error"]["code"] == "not_found"


async def test_what_is_no_command_is_dropped_and_counted(
    livemon: Livemon, runtime: Runtime, call: Call, valkey: redis.asyncio.Redis
) -> None:
    key = livemon.keys.commands(runtime.runtime_id)
    for fields in ({"data": "{"}, {"other": "x"}, {"data": '{"type": "dance"}'}, {"data": b"\xff"}):
        await valkey.xadd(key, fields)
    call.on_end(lambda: None)
    assert (await livemon.ask(runtime, call, "end"))["ok"] is True
    assert runtime.counters["command_malformed"] == 4


async def test_of_300_commands_at_once_each_has_a_result_and_200_are_done(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    gate = asyncio.Event()
    call.on_inject(lambda command: gate.wait())
    for number in range(300):
        await livemon.send(runtime.runtime_id, "c-1", "inject", content="x", command_id=f"n-{number}")
    await eventually(lambda: some_results(livemon, 100))
    gate.set()
    told = await eventually(lambda: some_results(livemon, 300))
    failed = [result for result in told if not result["ok"]]
    assert len(failed) == 100
    assert {result["error"]["code"] for result in failed} == {"failed"}


async def some_results(livemon: Livemon, count: int) -> list[dict[str, Any]]:
    found = [event["data"] for event in await livemon.events("command_result")]
    return found if len(found) >= count else []
