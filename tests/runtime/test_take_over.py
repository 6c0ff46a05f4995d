"""Take-over from the runtime's end: one of accept, refuse and withdraw wins, and the agent is silent on a yes alone."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from livemon_runtime import Audio, Call, Refusal, Runtime, Supervisor
from livemon_runtime.scripts import script
from tests.conftest import ValkeyProcess
from tests.runtime.conftest import Livemon, eventually
from tests.runtime.lossy_proxy import LossyProxy, lossy_proxy

WITHDRAW = (
    script("refuse").source.split("-- KEYS call, events")[0]
    + """
-- KEYS call, events  ARGV call_id, claim_id: livemon takes a claim back that nobody answered, whatever its deadline
local call, events = unpack(KEYS)
local claim = decode(redis.call('HGET', call, 'claim'))
if not claim or claim.claim_id ~= ARGV[2] then return 0 end
redis.call('HSET', call, 'claim', '')
redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', ARGV[1], call, false)
return 1
"""
)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.heartbeat.HEARTBEAT_S", 0.3)


@pytest.fixture
async def call(livemon: Livemon, runtime: Runtime) -> Call:
    """A call whose bot agrees to be taken over."""
    return await agreeing(livemon, runtime)


async def agreeing(livemon: Livemon, runtime: Runtime) -> Call:
    made = runtime.call(call_id="c-1", audio=Audio(caller="l16/16000", agent="l16/16000"))
    made.on_take_over(lambda command: True)
    await eventually(lambda: livemon.call("c-1"))
    return made


def asked(claim_id: str = "k-1", generation: int = 1) -> dict[str, Any]:
    return {"claim_id": claim_id, "generation": generation, "grace_ms": 30_000}


async def stored(livemon: Livemon) -> dict[str, Any]:
    found = await livemon.call("c-1")
    assert found
    return found


async def test_an_accept_makes_the_claim_the_controller_and_silences_the_agent(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    told: list[bool] = []
    call.on_agent_silenced(told.append)
    claim = await livemon.claim("c-1", "k-1")
    rev = int((await stored(livemon))["rev"])
    assert (await livemon.ask(runtime, call, "take_over", **asked()))["ok"] is True
    now = await stored(livemon)
    assert (now["data"]["call_status"], now["claim"], int(now["rev"])) == ("taken_over", "", rev + 1)
    assert now["controller"].pop("since") <= await livemon.now()
    del claim["deadline"]
    assert now["controller"] == claim
    (event,) = await livemon.events("call_updated")
    assert event["data"]["controller"]["claim_id"] == "k-1"
    assert event["data"]["call"]["call_status"] == "taken_over"
    await eventually(lambda: as_async(call.agent_silent))
    assert told == [True]
    assert call.controller
    assert json.loads(call.controller)["claim_id"] == "k-1"


async def as_async(value: Any) -> Any:
    return value


async def test_the_agent_speaks_until_the_yes_and_not_a_word_less(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    deciding, may_decide = asyncio.Event(), asyncio.Event()

    @call.on_take_over
    async def think() -> None:
        deciding.set()
        await may_decide.wait()

    await livemon.claim("c-1", "k-1")
    command_id = await livemon.send(runtime.runtime_id, "c-1", "take_over", **asked())
    await asyncio.wait_for(deciding.wait(), 60)
    assert call.agent_silent is False
    may_decide.set()
    await eventually(lambda: livemon.results(command_id))
    await eventually(lambda: as_async(call.agent_silent))


@pytest.mark.parametrize("way", ["refusal", "false", "failure"])
async def test_a_refusal_clears_the_claim_at_once_and_the_agent_goes_on(
    livemon: Livemon, runtime: Runtime, call: Call, way: str
) -> None:
    told: list[bool] = []
    call.on_agent_silenced(told.append)

    @call.on_take_over
    def decide() -> bool:
        if way == "refusal":
            raise Refusal("The caller is paying.")
        return False if way == "false" else 1 / 0  # type: ignore[return-value]

    await livemon.claim("c-1", "k-1")
    result = await livemon.ask(runtime, call, "take_over", **asked())
    assert result["error"]["code"] == ("failed" if way == "failure" else "refused")
    if way == "refusal":
        assert result["error"]["message"] == "The caller is paying."
    now = await stored(livemon)
    assert (now["claim"], now["controller"], now["data"]["call_status"]) == ("", "", "ongoing")
    assert (told, call.agent_silent) == ([], False)
    call.on_take_over(lambda: True)
    await livemon.claim("c-1", "k-2", generation=2)
    assert (await livemon.ask(runtime, call, "take_over", **asked("k-2", 2)))["ok"] is True


async def test_a_bot_without_a_handler_refuses(livemon: Livemon, runtime: Runtime) -> None:
    call = runtime.call(call_id="c-1")
    await eventually(lambda: livemon.call("c-1"))
    await livemon.claim("c-1", "k-1")
    assert (await livemon.ask(runtime, call, "take_over", **asked()))["error"]["code"] == "unsupported"
    assert (await stored(livemon))["claim"] == ""


async def test_a_claim_past_its_deadline_is_not_accepted(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    claim = await livemon.claim("c-1", "k-1", lasts_ms=-1)
    result = await livemon.ask(runtime, call, "take_over", **asked(), deadline=claim["deadline"])
    assert result["error"]["code"] == "too_late"
    assert (await stored(livemon))["controller"] == ""
    assert call.agent_silent is False


async def test_a_claim_whose_deadline_passes_in_redis_alone_is_not_accepted(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    await livemon.claim("c-1", "k-1", lasts_ms=-1)  # the command says otherwise: Redis's own word counts
    assert (await livemon.ask(runtime, call, "take_over", **asked()))["error"]["code"] == "too_late"
    assert (call.agent_silent, call.controller) == (False, None)


async def test_a_claim_that_was_withdrawn_is_not_accepted(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    result = await livemon.ask(runtime, call, "take_over", **asked())
    assert result["error"]["code"] == "refused"
    assert (call.agent_silent, call.controller) == (False, None)


async def test_the_controllers_claim_asked_again_is_yes_again_whatever_the_time(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    await livemon.claim("c-1", "k-1")
    assert (await livemon.ask(runtime, call, "take_over", **asked()))["ok"] is True
    rev = (await stored(livemon))["rev"]
    late = await livemon.now() - 1
    assert (await livemon.ask(runtime, call, "take_over", **asked(), deadline=late))["ok"] is True
    assert (await stored(livemon))["rev"] == rev


async def test_a_claim_as_old_as_one_that_was_answered_is_refused(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    await livemon.claim("c-1", "k-5", generation=5)
    assert (await livemon.ask(runtime, call, "take_over", **asked("k-5", 5)))["ok"] is True
    await livemon.claim("c-1", "k-4", generation=4)
    assert (await livemon.ask(runtime, call, "take_over", **asked("k-4", 4)))["error"]["code"] == "too_late"
    assert (await stored(livemon))["controller"]["claim_id"] == "k-5"
    assert call.agent_silent


async def test_a_newer_claim_takes_the_call_from_its_controller_and_the_agent_stays_silent(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    told: list[bool] = []
    call.on_agent_silenced(told.append)
    for generation in (1, 2):
        await livemon.claim("c-1", f"k-{generation}", generation=generation)
        result = await livemon.ask(runtime, call, "take_over", **asked(f"k-{generation}", generation))
        assert result["ok"] is True
    assert (await stored(livemon))["controller"]["claim_id"] == "k-2"
    await eventually(lambda: as_async(call.agent_silent))
    assert told == [True]


class Told:
    """What the hooks of each supervisor that the bot was asked for have been told, by their claim."""

    def __init__(self, call: Call) -> None:
        self.by_claim: dict[str, list[bool]] = {}
        call.on_take_over(self._meet)

    def _meet(self, supervisor: Supervisor) -> None:
        self.by_claim[supervisor.claim_id] = told = []
        supervisor.on_silence(told.append)


async def test_each_who_has_the_caller_is_told_though_the_agent_was_silent_already(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    told = Told(call)
    for generation in (1, 2):
        await livemon.claim("c-1", f"k-{generation}", generation=generation)
        await livemon.ask(runtime, call, "take_over", **asked(f"k-{generation}", generation))
    await eventually(lambda: as_async(told.by_claim == {"k-1": [True], "k-2": [True]}))
    assert call.agent_silent


async def send_both(livemon: Livemon, runtime: Runtime, *deadlines: int) -> None:
    """Ask for the claims k-1 and k-2 so that both are read at once."""
    async with livemon.redis.pipeline(transaction=True) as both:
        for n, deadline in enumerate(deadlines, 1):
            who = {"call_id": "c-1", "by": f"u-{n}", "by_name": "Grace", "command_id": f"command-{n}"}
            command = {**who, "type": "take_over", "deadline": deadline, **asked(f"k-{n}", n)}
            both.xadd(livemon.keys.commands(runtime.runtime_id), {"data": json.dumps(command)})
        await both.execute()


async def test_a_claim_that_comes_too_late_keeps_nothing_from_the_next_that_is_read_with_it(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    """So it is for a process that was frozen: it reads both at once."""
    told, silenced = Told(call), list[bool]()
    call.on_agent_silenced(silenced.append)
    now = await livemon.now()
    await livemon.claim("c-1", "k-2", generation=2)
    await send_both(livemon, runtime, now - 1, now + 20_000)
    await eventually(lambda: as_async(told.by_claim == {"k-2": [True]}))
    assert silenced == [True]
    assert (await stored(livemon))["controller"]["claim_id"] == "k-2"


@pytest.mark.parametrize(("who", "goes_on"), [("u-1", True), ("u-2", False)])
async def test_who_goes_on_has_had_the_call_since_the_first_claim(
    livemon: Livemon, runtime: Runtime, call: Call, who: str, goes_on: bool
) -> None:
    await livemon.claim("c-1", "k-1")
    await livemon.ask(runtime, call, "take_over", **asked("k-1"))
    key = livemon.keys.call("c-1")
    first = {**(await stored(livemon))["controller"], "since": 1_234}
    await livemon.redis.hset(key, "controller", json.dumps(first))
    await livemon.claim("c-1", "k-2", generation=2, user_id=who)
    assert (await livemon.ask(runtime, call, "take_over", **asked("k-2", 2)))["ok"] is True
    now = (await stored(livemon))["controller"]
    assert (now["claim_id"], now["since"] == 1_234) == ("k-2", goes_on)


async def test_a_taken_over_call_cannot_be_made_ongoing_by_its_bot(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    await livemon.claim("c-1", "k-1")
    await livemon.ask(runtime, call, "take_over", **asked())
    call.update(call_status="ongoing", agent_name="Ada")
    await eventually(lambda: named(livemon, "Ada"))
    assert (await stored(livemon))["data"]["call_status"] == "taken_over"


async def named(livemon: Livemon, name: str) -> bool:
    return (await stored(livemon))["data"].get("agent_name") == name


async def test_the_end_clears_claim_and_controller(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    await livemon.claim("c-1", "k-1")
    await livemon.ask(runtime, call, "take_over", **asked())
    call.end("user_hangup")
    (event,) = await eventually(lambda: livemon.events("call_ended"))
    assert (event["data"]["controller"], event["data"]["claim"]) == (None, None)
    assert (await stored(livemon))["controller"] == ""
    assert call.agent_silent


async def withdraw_soon(livemon: Livemon, call_id: str) -> int:
    """Withdraw the claim somewhere within the time that its answer takes."""
    withdraw = livemon.redis.register_script(WITHDRAW)
    await asyncio.sleep(random.random() * 0.006)
    keys = [livemon.keys.call(call_id), livemon.keys.events]
    return await withdraw(keys=keys, args=[call_id, "k-1"])


async def test_accept_refuse_and_withdraw_at_once_have_one_winner(livemon: Livemon, runtime: Runtime) -> None:
    won = {"accepted": 0, "refused": 0, "withdrawn": 0}
    for round_ in range(60):
        call_id = f"c-{round_}"
        call = runtime.call(call_id=call_id)
        call.on_take_over(lambda round_=round_: round_ % 3 != 0)
        await eventually(lambda call_id=call_id: livemon.call(call_id))
        await livemon.claim(call_id, "k-1")
        command_id, withdrawn = await asyncio.gather(
            livemon.send(runtime.runtime_id, call_id, "take_over", **asked()),
            withdraw_soon(livemon, call_id),
        )
        (result,) = await eventually(lambda command_id=command_id: livemon.results(command_id))
        await asyncio.wait_for(runtime.sender.drained(), 60)
        now = await livemon.call(call_id)
        assert now
        accepted = bool(now["controller"])
        assert accepted is result["ok"]
        assert accepted is (call.controller is not None)
        await eventually(lambda call=call, accepted=accepted: as_async(call.agent_silent is accepted))
        assert now["claim"] == ""
        assert now["data"]["call_status"] == ("taken_over" if accepted else "ongoing")
        assert not (accepted and withdrawn)
        won["accepted" if accepted else "withdrawn" if withdrawn else "refused"] += 1
        call.end()
    print(f"60 rounds: {won}")
    assert sum(won.values()) == 60


# --- the answer is lost on the way --------------------------------------------------------------------------------


@pytest.fixture
async def proxy(valkey_server: ValkeyProcess, valkey_url: str) -> AsyncIterator[LossyProxy]:
    async with lossy_proxy(valkey_server.port) as running:
        yield running


@pytest.fixture
async def remote(proxy: LossyProxy) -> AsyncIterator[Runtime]:
    """A runtime that reaches Valkey through the proxy."""
    async with Runtime(proxy.url, name="remote") as running:
        yield running


async def test_while_the_answer_to_accept_is_lost_the_agent_waits_and_then_both_say_yes(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime
) -> None:
    call = await agreeing(livemon, remote)
    told: list[bool] = []
    silenced = asyncio.Event()
    call.on_agent_silenced(lambda silent: (told.append(silent), silenced.set()))
    await livemon.claim("c-1", "k-1")
    proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
    command_id = await livemon.send(remote.runtime_id, "c-1", "take_over", **asked())
    await asyncio.wait_for(proxy.lost.wait(), 60)
    await asyncio.wait_for(silenced.wait(), 60)
    assert call.controller is None, "nobody has told the runtime yet"
    assert call.agent_silent
    call.update(agent_name="Ada")  # said meanwhile: the accept that Redis took does not have it
    proxy.come_back()
    await eventually(lambda: as_async(call.controller))
    await eventually(lambda: named(livemon, "Ada"))
    now = await stored(livemon)
    assert now["controller"]["claim_id"] == "k-1"
    assert now["data"]["call_status"] == "taken_over"
    assert {result["ok"] for result in await livemon.results(command_id)} == {True}
    assert told == [True]
    taken = [event for event in await livemon.events("call_updated") if not event["data"]["call"].get("agent_name")]
    assert len(taken) == 1, "the accept is one"


async def test_a_refusal_that_redis_does_not_answer_leaves_the_agent_its_voice(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot become a yes."""
    monkeypatch.setattr("livemon_runtime.call._ANSWER_S", 0)  # what is not answered at once, is not known
    call = await agreeing(livemon, remote)
    told: list[bool] = []
    call.on_agent_silenced(told.append)

    @call.on_take_over
    def refuse() -> bool:
        return False

    await livemon.claim("c-1", "k-1")
    proxy.lose_answer_to(script("refuse").sha.encode(), then_away=True)
    command_id = await livemon.send(remote.runtime_id, "c-1", "take_over", **asked())
    await asyncio.wait_for(proxy.lost.wait(), 60)
    proxy.come_back()
    await eventually(lambda: as_async(not call.record.deciding))
    assert (await livemon.results(command_id))[-1]["error"]["code"] == "refused"
    assert (told, call.agent_silent) == ([], False)


async def test_an_accept_that_redis_never_had_is_no_once_redis_says_so(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime
) -> None:
    call = await agreeing(livemon, remote)
    told: list[bool] = []
    silenced = asyncio.Event()
    call.on_agent_silenced(lambda silent: (told.append(silent), silenced.set()))

    @call.on_take_over
    def agree() -> None:
        proxy.go_away()

    await livemon.claim("c-1", "k-1", lasts_ms=1_000)
    await livemon.send(remote.runtime_id, "c-1", "take_over", **asked())
    await asyncio.wait_for(silenced.wait(), 60)
    await livemon.claim("c-1", "k-1", lasts_ms=-1)
    proxy.come_back()
    await eventually(lambda: as_async(not call.agent_silent))
    assert told == [True, False]
    assert (await stored(livemon))["controller"] == ""


async def test_an_answer_that_never_comes_is_a_no_that_redis_learns_of(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon_runtime.verdict.UNKNOWN_MS", 500)
    call = await agreeing(livemon, remote)
    told: list[bool] = []
    done = asyncio.Event()
    call.on_agent_silenced(lambda silent: (told.append(silent), silent or done.set()))
    claim = await livemon.claim("c-1", "k-1", lasts_ms=2_000)
    proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
    await livemon.send(remote.runtime_id, "c-1", "take_over", **asked(), deadline=claim["deadline"])
    await asyncio.wait_for(proxy.lost.wait(), 60)
    assert (await stored(livemon))["controller"]["claim_id"] == "k-1", "Redis has taken it"
    await asyncio.wait_for(done.wait(), 60)
    assert told == [True, False]
    assert await livemon.now() > claim["deadline"], "the agent spoke before the claim was over"
    proxy.come_back()
    await eventually(lambda: nobody_has_it(livemon))
    await eventually(lambda: livemon.events("call_started"))
    assert (await livemon.ask(remote, call, "take_over", **asked()))["error"]["code"] == "too_late"
    assert call.agent_silent is False


async def test_whoever_was_told_that_the_agent_is_silent_is_told_that_it_speaks_again(
    proxy: LossyProxy, livemon: Livemon, remote: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon_runtime.verdict.UNKNOWN_MS", 500)
    call = await agreeing(livemon, remote)
    told = Told(call)
    proxy.lose_answer_to(script("accept").sha.encode(), then_away=True)
    deadline = (await livemon.claim("c-1", "k-2", generation=2, lasts_ms=2_000))["deadline"]
    await send_both(livemon, remote, deadline, deadline)
    await eventually(lambda: as_async(told.by_claim == {"k-1": [True, False], "k-2": [True, False]}))
    assert call.agent_silent is False
    proxy.come_back()
    await eventually(lambda: nobody_has_it(livemon))


async def nobody_has_it(livemon: Livemon) -> bool:
    now = await stored(livemon)
    return now["controller"] == "" and now["data"]["call_status"] == "ongoing"


async def test_a_taken_over_calls_caller_is_published_whether_or_not_anyone_listens(
    livemon: Livemon, runtime: Runtime, call: Call
) -> None:
    assert not call.voices.caller_on
    await livemon.claim("c-1", "k-1")
    await livemon.ask(runtime, call, "take_over", **asked())
    await eventually(lambda: as_async(call.voices.caller_on))
    assert not call.voices.agent_on
    pubsub = livemon.redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.ssubscribe(livemon.keys.audio("c-1", "caller"))
    await pubsub.get_message(timeout=5)
    call.caller_audio(bytes(640))
    message = await eventually(lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
    assert message["data"][12:] == bytes(640)
    await pubsub.aclose()


async def test_an_agent_that_must_be_silent_is_given_no_hint(livemon: Livemon, runtime: Runtime, call: Call) -> None:
    """Whatever its handler would make of one: who is told to answer now speaks into the supervisor's talk."""
    hints: list[Any] = []
    call.on_inject(hints.append)
    await livemon.claim("c-1", "k-1")
    assert (await livemon.ask(runtime, call, "take_over", **asked()))["ok"] is True
    await eventually(lambda: as_async(call.agent_silent))
    for content in ("Offer Tuesday.", ""):
        result = await livemon.ask(runtime, call, "inject", content=content, trigger_response=True)
        assert result["error"]["code"] == "refused"
    assert hints == []
