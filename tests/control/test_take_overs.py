"""Attempts at a take-over over a real Valkey, against real runtimes and those that do what they like."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError

from livemon.calls.registry import LiveCall
from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon.control.role_loss import Standing
from livemon.control.take_over import Phase, Reason
from livemon.control.take_overs import Attempt, TakeOvers, TooMany
from livemon.redis_client import connect
from livemon_runtime import Call, Refusal, Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.scripts import CallScripts, loading
from tests.calls.live_part import LivePart, RawRuntime, live_part, quick, running, until
from tests.conftest import ValkeyProcess

ROUNDS = int(os.environ.get("LIVEMON_CLAIM_ROUNDS", "40"))
"""1,000 in the long run."""
CAN = ["listen", "take_over", "end"]


@dataclass(eq=False)
class Browser:
    """What a take-over sees of a browser: whether its microphone is heard, and when it is gone."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    sent_to: list[str] = field(default_factory=list)
    """The claims whose channels it was let onto."""
    sounding: bool = False
    closed: bool = False

    def publish_to(self, claim_id: str) -> None:
        self.sent_to.append(claim_id)
        self.sounding = True

    def hush(self) -> None:
        self.sounding = False

    async def close(self) -> None:
        self.closed = True
        self.gone.set()


def heard() -> Browser:
    browser = Browser()
    browser.heard.set()
    return browser


class Session:
    """Says how its person stands to taking calls over, as the test has it."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[Standing] = asyncio.Queue()

    def stands(self, standing: Standing) -> None:
        self._said.put_nowait(standing)

    def all_said(self) -> bool:
        return self._said.empty()

    async def follow(self, told: Callable[[Standing], None]) -> None:
        while True:
            told(await self._said.get())


async def phase(attempt: Attempt, wanted: Phase) -> None:
    await until(lambda: attempt.machine.phase is wanted)


def agreeing(bot: Runtime, call_id: str = "call-1") -> Call:
    call = bot.call(call_id=call_id, capabilities=CAN)
    call.on_take_over(lambda: None)
    return call


# --- the way through


async def test_nothing_is_asked_before_the_microphone_is_heard_and_nothing_sent_before_the_yes(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    browser = Browser()
    attempt = take_overs.begin(live, "ada", "Ada", browser)
    await asyncio.sleep(0.05)
    assert await runtime.redis.xlen(runtime.keys.commands("rt-1")) == 0
    assert (await part.call()).claim is None
    browser.heard.set()
    await until(lambda: (live := part.calls.get("call-1")) and live.claim)
    assert attempt.machine.phase in (Phase.CLAIMING, Phase.ASKED)
    assert browser.sent_to == []


async def test_the_runtimes_yes_gives_the_call_to_the_supervisor(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    call = agreeing(bot)
    browser = heard()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser)
    await phase(attempt, Phase.TALKING)
    assert browser.sent_to == [attempt.machine.claim_id]
    live = await part.call(call_status="taken_over")
    assert live.controller.name == "Ada"
    assert live.controller.claim_id == attempt.machine.claim_id
    await until(lambda: call.agent_silent)
    call.end("user_hangup")
    await phase(attempt, Phase.ENDED)
    await until(lambda: browser.closed)
    assert not browser.sounding
    assert part.count("livemon_take_overs", outcome="ended") == 1


async def test_a_refusal_comes_at_once_in_the_runtimes_own_words(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    call = bot.call(call_id="call-1", capabilities=CAN)

    @call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying just now.")

    browser = heard()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser)
    await phase(attempt, Phase.CANCELLED)
    assert (attempt.machine.reason, attempt.machine.said) == (Reason.REFUSED, "The caller is paying just now.")
    assert browser.sent_to == []
    assert not call.agent_silent
    live = await part.call(call_status="ongoing")
    assert live.claim is None


async def test_without_an_answer_the_claim_is_withdrawn_and_another_may_ask(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    first = take_overs.begin(live, "ada", "Ada", heard())
    await phase(first, Phase.CANCELLED)
    assert first.machine.reason is Reason.NO_ANSWER
    await until(lambda: part.calls.get("call-1").claim is None)
    second = take_overs.begin(live, "grace", "Grace", heard())
    await phase(second, Phase.ASKED)


@pytest.mark.parametrize(
    ("announced", "reason"),
    [
        ({"capabilities": ["listen"]}, Reason.UNSUPPORTED),
        ({"capabilities": CAN, "call_status": "registered"}, Reason.NOT_REPORTING),
    ],
)
async def test_what_cannot_be_had_is_not_claimed(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime, announced: dict, reason: Reason
):
    await runtime.announce(**announced)
    attempt = take_overs.begin(await part.call(), "ada", "Ada", heard())
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is reason


async def test_a_runtime_that_is_not_reporting_is_asked_nothing(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    await runtime.gone()
    attempt = take_overs.begin(live, "ada", "Ada", heard())
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.NOT_REPORTING


# --- several who want it


async def test_who_comes_later_reads_who_has_the_call(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    live = await part.call(capabilities=CAN)
    await phase(take_overs.begin(live, "ada", "Ada", heard()), Phase.TALKING)
    browser = heard()
    second = take_overs.begin(live, "grace", "Grace", browser)
    await phase(second, Phase.LOST)
    assert (second.machine.reason, second.machine.holder.name) == (Reason.TAKEN, "Ada")
    assert browser.sent_to == []
    await until(lambda: browser.closed)


async def test_the_same_person_goes_on_from_another_tab_at_once(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    live = await part.call(capabilities=CAN)
    tab = heard()
    first = take_overs.begin(live, "ada", "Ada", tab)
    await phase(first, Phase.TALKING)
    second = take_overs.begin(live, "ada", "Ada", heard(), resume=True)
    await phase(second, Phase.TALKING)
    await phase(first, Phase.LOST)
    assert first.machine.reason is Reason.ELSEWHERE
    assert not tab.sounding


async def test_a_page_that_goes_on_by_itself_takes_nothing_from_another_tab(
    part: LivePart, take_overs: TakeOvers, bot: Runtime
):
    agreeing(bot)
    live = await part.call(capabilities=CAN)
    first = take_overs.begin(live, "ada", "Ada", heard())
    await phase(first, Phase.TALKING)
    second = take_overs.begin(live, "ada", "Ada", heard(), resume=True)
    await phase(second, Phase.TALKING)
    again = take_overs.begin(live, "ada", "Ada", heard(), resume=True, mine=(first.machine.claim_id,))
    await phase(again, Phase.LOST)
    assert again.machine.reason is Reason.ELSEWHERE
    assert second.machine.phase is Phase.TALKING
    mine = ("of-another-call", second.machine.claim_id)
    await phase(take_overs.begin(live, "ada", "Ada", heard(), resume=True, mine=mine), Phase.TALKING)
    await phase(second, Phase.LOST)


async def test_who_asks_again_while_the_claim_still_stands_is_not_told_that_the_agent_has_the_call(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    first = take_overs.begin(live, "ada", "Ada", heard())
    await phase(first, Phase.ASKED)
    again = take_overs.begin(live, "ada", "Ada", heard(), resume=True, mine=(first.machine.claim_id,))
    await until(lambda: again.machine.final)
    assert (again.machine.reason, again.machine.holder.user_id) == (Reason.ASKED_BY_OTHER, "ada")
    await phase(first, Phase.CANCELLED)
    later = take_overs.begin(live, "ada", "Ada", heard(), resume=True, mine=(first.machine.claim_id,))
    await until(lambda: later.machine.final)
    assert later.machine.reason is Reason.AGENT


async def test_to_resume_never_takes_over_anew(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    call = agreeing(bot)
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", heard(), resume=True)
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.AGENT
    assert not call.agent_silent


@asynccontextmanager
async def claimers(url: str, keys: Keys, count: int) -> AsyncGenerator[list[asyncio.subprocess.Process]]:
    """So many processes that claim at a word (`claimer`)."""
    command = (sys.executable, "-m", "tests.control.claimer", url, keys.workspace)
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    processes = [await asyncio.create_subprocess_exec(*command, **pipes) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.stdin.close()
            await process.wait()


async def claim(process: asyncio.subprocess.Process, call_id: str, claims: list[str]) -> list[tuple[str, str, str]]:
    process.stdin.write(json.dumps({"call_id": call_id, "claims": claims}).encode() + b"\n")
    return json.loads(await asyncio.wait_for(process.stdout.readline(), 180))


async def test_of_many_claims_at_once_through_two_processes_one_wins(valkey_url: str, keys: Keys, runtime: RawRuntime):
    claims = [f"c{n}" for n in range(50)]
    winners: set[str] = set()
    async with claimers(valkey_url, keys, 2) as processes:
        for n in range(ROUNDS):
            call_id = f"call-{n}"
            await runtime.announce(call_id, capabilities=CAN)
            parts = [claim(processes[0], call_id, claims[:25]), claim(processes[1], call_id, claims[25:])]
            halves = await asyncio.gather(*(parts if n % 2 else reversed(parts)))
            told = halves[0] + halves[1]
            (won,) = [claim_id for claim_id, status, _ in told if status == "claimed"]
            assert {status for _, status, _ in told} == {"claimed", "asked"}
            assert {standing for _, _, standing in told} == {won}, "all are told of the same"
            stored = await runtime.redis.hget(keys.call(call_id), "claim")
            assert json.loads(stored)["claim_id"] == won
            winners.add("first" if won in claims[:25] else "second")
    assert await runtime.redis.xlen(keys.commands("rt-1")) == ROUNDS
    assert len(winners) == 2 or ROUNDS < 40, "both processes were at it at once"


async def test_of_accept_refuse_and_withdraw_at_one_instant_one_wins(valkey_url: str, keys: Keys, runtime: RawRuntime):
    clients = [connect(valkey_url) for _ in range(3)]
    for command in loading():
        await clients[0].execute_command(*command)
    claims = ClaimScripts(clients[0], keys)
    seen = set()
    for n in range(ROUNDS):
        call_id = f"call-{n}"
        await runtime.announce(call_id, capabilities=CAN)
        await claims.claim(Asking(call_id, "ada", "Ada", "mine", f"k{n}", 30_000, 2**52), "rt-1")
        scripts = CallScripts(keys, "rt-1", call_id)
        data = await runtime.redis.hget(keys.call(call_id), "data")
        orders = [
            clients[1].execute_command(*scripts.accept("mine", data.decode(), f"k{n}")),
            clients[2].execute_command(*scripts.refuse("mine", f"k{n}", "refused", "No.")),
            claims.withdraw(call_id, "mine", own=True),
        ]
        done = await asyncio.gather(*(orders[(n + m) % 3] for m in range(3)))
        yes, no, back = (done[(m - n) % 3] for m in range(3))
        controller = await runtime.redis.hget(keys.call(call_id), "controller")
        accepted = yes[0] == b"yes"
        assert bool(controller) == accepted
        assert (no[0] == b"accepted") is accepted
        assert back.status in ("withdrawn", "none")
        assert not (accepted and back.status == "withdrawn")
        assert (await claims.claim(Asking(call_id, "ada", "Ada", "next", "k", 1, 2**52), "rt-1")).status == "claimed"
        seen.add((accepted, back.status))
    assert len(seen) > 1, "they never met otherwise"
    for client in clients:
        await client.aclose()


async def test_a_claim_of_before_takes_nobody_elses_back(part: LivePart, runtime: RawRuntime):
    await runtime.announce(capabilities=CAN)
    claims = ClaimScripts(part.redis, part.keys)
    await claims.claim(Asking("call-1", "ada", "Ada", "old", "k1", 30_000, 2**52), "rt-1")
    assert (await claims.withdraw("call-1", "old", own=False)).status == "early"
    assert (await claims.withdraw("call-1", "old", own=True)).status == "withdrawn"
    await claims.claim(Asking("call-1", "grace", "Grace", "new", "k2", 30_000, 2**52), "rt-1")
    assert (await claims.withdraw("call-1", "old", own=True)).status == "none"
    assert b"new" in await runtime.redis.hget(runtime.keys.call("call-1"), "claim")


# --- whoever goes away


async def test_a_microphone_that_goes_while_the_runtime_is_asked_takes_the_claim_back(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    browser = heard()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser)
    await phase(attempt, Phase.ASKED)
    browser.gone.set()
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.CONNECTION
    await until(lambda: part.calls.get("call-1").claim is None)


@pytest.mark.parametrize(
    ("leave", "reason"),
    [
        (lambda _, browser: browser.gone.set(), Reason.MICROPHONE),
        (lambda session, _: session.stands(Standing.LOST), Reason.SESSION_ENDED),
        (lambda session, _: session.stands(Standing.OVER), Reason.SESSION_ENDED),
        (lambda session, _: session.stands(Standing.UNKNOWN), Reason.SESSION_ENDED),
    ],
)
async def test_who_leaves_before_it_has_asked_for_nothing(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime, leave: Callable, reason: Reason
):
    await runtime.announce(capabilities=CAN)
    session, browser = Session(), Browser()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser, session.follow)
    leave(session, browser)
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is reason
    assert await runtime.redis.hget(runtime.keys.call("call-1"), "claim") == b""


async def test_who_loses_the_role_in_mid_call_keeps_the_caller(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    session, browser = Session(), heard()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser, session.follow)
    await phase(attempt, Phase.TALKING)
    for standing in (Standing.LOST, Standing.UNKNOWN):
        session.stands(standing)
    await until(lambda: part.calls.get("call-1").controller.role_lost_since)
    assert browser.sounding
    assert attempt.machine.phase is Phase.TALKING


async def test_who_is_signed_out_in_mid_call_is_heard_no_more(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    call = agreeing(bot)
    session, browser = Session(), heard()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "ada", "Ada", browser, session.follow)
    await phase(attempt, Phase.TALKING)
    session.stands(Standing.OVER)
    await phase(attempt, Phase.LOST)
    assert attempt.machine.reason is Reason.SESSION_ENDED
    assert not browser.sounding
    assert call.agent_silent, "the agent never comes back"


async def test_a_claim_whose_node_died_is_cleared_by_another(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    await part.call(capabilities=CAN)
    dead = Asking("call-1", "ada", "Ada", "left-behind", "k", 30_000, 2**52, answer_ms=300)
    assert (await ClaimScripts(part.redis, part.keys).claim(dead, "rt-1")).status == "claimed"
    await until(lambda: part.calls.get("call-1").claim is not None)
    await until(lambda: part.calls.get("call-1").claim is None)
    assert await runtime.redis.hget(runtime.keys.call("call-1"), "claim") == b""


# --- Redis away, or emptied


async def test_with_redis_away_nobody_knows_and_then_the_agent_has_the_call(own_valkey: ValkeyProcess, keys: Keys):
    async with live_part(own_valkey.url, keys, timing=quick()) as part:
        runtime = RawRuntime(part.redis, keys)
        await runtime.alive()
        await runtime.announce(capabilities=CAN)
        live = await part.call(capabilities=CAN)
        take_overs = TakeOvers(part.redis, keys, part.calls)
        async with running(take_overs.run()):
            await asyncio.sleep(0)
            await asyncio.to_thread(own_valkey.stop)
            attempt = take_overs.begin(live, "ada", "Ada", browser := heard())
            await phase(attempt, Phase.CHECKING)
            await asyncio.to_thread(own_valkey.start)
            await phase(attempt, Phase.CANCELLED)
        assert attempt.machine.reason is Reason.REDIS_AWAY
        assert browser.sent_to == []


async def test_a_redis_that_is_emptied_takes_the_call_from_nobody(own_valkey: ValkeyProcess, keys: Keys):
    async with (
        Runtime(own_valkey.url, name="front-desk", workspace=keys.workspace) as bot,
        live_part(own_valkey.url, keys, timing=quick()) as part,
    ):
        agreeing(bot)
        live = await part.call(capabilities=CAN)
        take_overs = TakeOvers(part.redis, keys, part.calls)
        async with running(take_overs.run()):
            await asyncio.sleep(0)
            attempt = take_overs.begin(live, "ada", "Ada", browser := heard())
            await phase(attempt, Phase.TALKING)
            await part.redis.flushall()
            await until(lambda: _incarnation(part) != live.incarnation)
            again = await part.call(call_status="taken_over")
            assert again.controller.claim_id == attempt.machine.claim_id
            assert attempt.machine.phase is Phase.TALKING
            assert browser.sounding


async def test_a_claim_on_a_redis_that_was_emptied_ends_no_call(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    call = agreeing(bot)
    live = await part.call(capabilities=CAN)
    first = take_overs.begin(live, "ada", "Ada", browser := heard())
    await phase(first, Phase.TALKING)
    browser.gone.set()
    await phase(first, Phase.LOST)
    await part.redis.delete(part.keys.call("call-1"), part.keys.calls)
    again = take_overs.begin(live, "ada", "Ada", heard(), resume=True, mine=(first.machine.claim_id,))
    await until(lambda: again.machine.final)
    assert again.machine.reason is Reason.NOT_REPORTING
    assert not call.ended


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_claim_of_which_redis_knows_nothing_is_looked_for(
    part: LivePart, runtime: RawRuntime, keys: Keys, comes_back: bool
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    take_overs = TakeOvers(part.redis, keys, part.calls, look_for_s=60 if comes_back else 0)
    async with running(take_overs.run()):
        await asyncio.sleep(0)
        attempt = take_overs.begin(live, "ada", "Ada", heard())
        await phase(attempt, Phase.ASKED)
        await part.redis.delete(keys.call("call-1"))
        take_overs.give_up(attempt, Reason.ASKED)
        await phase(attempt, Phase.CHECKING)
        if comes_back:
            await runtime.announce(capabilities=CAN)
        await until(lambda: attempt.machine.final)
    assert attempt.machine.phase is (Phase.CANCELLED if comes_back else Phase.LOST)


def _incarnation(part: LivePart) -> str:
    live = part.calls.get("call-1")
    return live.incarnation if live else ""


async def test_one_person_makes_so_many_attempts_and_no_more(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    for _ in range(6):
        begin_in_place(take_overs, live, "ada")
    with take_overs.place("call-1", "ada"), take_overs.place("call-1", "ada"):
        with pytest.raises(TooMany), take_overs.place("call-1", "ada"):
            pass
        begin_in_place(take_overs, live, "grace")
    begin_in_place(take_overs, live, "ada")


def begin_in_place(take_overs: TakeOvers, live: LiveCall, user_id: str, browser: Browser | None = None) -> Attempt:
    with take_overs.place(live.call.call_id, user_id):
        return take_overs.begin(live, user_id, user_id.title(), browser or Browser())


async def test_attempts_that_are_over_keep_nobody_out(part: LivePart, take_overs: TakeOvers, runtime: RawRuntime):
    await runtime.announce(capabilities=CAN)
    live = await part.call(capabilities=CAN)
    first = begin_in_place(take_overs, live, "ada")
    for _ in range(300):
        attempt = begin_in_place(take_overs, live, "ada")
        take_overs.give_up(attempt, Reason.ASKED)
        await until(attempt.over.is_set)
    assert take_overs.get(attempt.take_over_id, "ada") is attempt, "its page may still read how it ended"
    assert take_overs.get(first.take_over_id, "ada") is first
    assert len(take_overs._attempts) < 20
    begin_in_place(take_overs, live, "grace")


async def test_who_has_the_call_finds_room_where_others_do_not(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    live = await part.call(capabilities=CAN)
    await phase(begin_in_place(take_overs, live, "ada", heard()), Phase.TALKING)
    for _ in range(7):
        begin_in_place(take_overs, live, "ada")
    with pytest.raises(TooMany), take_overs.place("another-call", "ada"):
        pass
    begin_in_place(take_overs, live, "ada")


# --- a script that runs twice, and what it finds that nobody should have written


@pytest.mark.parametrize("how", ["refused", "withdrawn"])
async def test_a_claim_that_was_answered_is_not_made_anew(part: LivePart, runtime: RawRuntime, keys: Keys, how: str):
    """The connection broke before its answer was read, so it was sent once more."""
    for command in loading():
        await part.redis.execute_command(*command)
    await runtime.announce(capabilities=CAN)
    scripts, asking = ClaimScripts(part.redis, keys), Asking("call-1", "ada", "Ada", "mine", "k", 30_000, 2**52)
    assert (await scripts.claim(asking, "rt-1")).status == "claimed"
    if how == "refused":
        await part.redis.execute_command(*CallScripts(keys, "rt-1", "call-1").refuse("mine", "k", "refused", "No."))
    else:
        await scripts.withdraw("call-1", "mine", own=True)
    assert (await scripts.claim(asking, "rt-1")).status == "answered"
    assert await part.redis.hmget(keys.call("call-1"), "claim", "generation") == [b"", b"1"]
    assert await part.redis.xlen(keys.commands("rt-1")) == 1


async def test_a_refusal_stands_although_the_claim_was_sent_twice(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    asked: list[int] = []
    call = bot.call(call_id="call-1", capabilities=CAN)

    @call.on_take_over
    def decide() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise Refusal("The caller is paying just now.")

    live = await part.call(capabilities=CAN)
    real, refused = part.redis.eval, asyncio.Event()

    async def broken_once(*arguments):
        answer = await real(*arguments)
        if not refused.is_set():
            await until(lambda: part.calls.get("call-1").claim is None and asked)
            refused.set()
            raise ConnectionError("reset by peer")
        return answer

    take_overs._scripts._redis = SimpleNamespace(eval=broken_once)
    attempt = take_overs.begin(live, "ada", "Ada", heard())
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.REFUSED
    await until(attempt.over.is_set)
    assert refused.is_set()
    assert asked == [1]
    assert not call.agent_silent


async def test_a_controller_who_is_heard_is_followed_by_nobody_however_that_is_written(
    part: LivePart, runtime: RawRuntime, keys: Keys
):
    await runtime.announce(capabilities=CAN, call_status="taken_over")
    ada = {"user_id": "ada", "name": "Ada", "claim_id": "a", "generation": 1, "since": 1, "lost_since": None}
    await part.redis.hset(keys.call("call-1"), "controller", json.dumps(ada))
    asking = Asking("call-1", "grace", "Grace", "g", "k", 30_000, 2**52)
    assert (await ClaimScripts(part.redis, keys).claim(asking, "rt-1")).status == "held"


async def test_a_fault_of_ours_leaves_nobody_in_the_dark(
    part: LivePart, take_overs: TakeOvers, bot: Runtime, monkeypatch: pytest.MonkeyPatch
):
    call = agreeing(bot)
    live = await part.call(capabilities=CAN)

    async def faulty(*arguments):
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(take_overs._scripts, "claim", faulty)
        attempt = take_overs.begin(live, "ada", "Ada", heard())
        await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.BROKEN
    assert not call.agent_silent
    await phase(take_overs.begin(live, "ada", "Ada", heard()), Phase.TALKING)
