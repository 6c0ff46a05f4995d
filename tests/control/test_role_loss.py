"""A supervisor who loses the role in mid-call: what every node reads of it, and who may rescue the call. On a real Valkey."""

import asyncio
import json
import os

import pytest

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon.control.role_loss import RoleLoss, Standing
from livemon.control.take_over import Phase, Reason
from livemon.control.take_overs import Attempt, TakeOvers
from livemon.redis_client import connect
from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import Controller
from livemon_runtime.scripts import CallScripts
from tests.calls.live_part import LivePart, RawRuntime, live_part, quick, running, until
from tests.conftest import ValkeyProcess
from tests.control.test_take_overs import CAN, Session, agreeing, heard, phase

ROUNDS = int(os.environ.get("LIVEMON_CLAIM_ROUNDS", "40"))


async def leo_talks(part: LivePart, take_overs: TakeOvers, session: Session) -> Attempt:
    """Leo has the call, as long as his session says that he may."""
    attempt = take_overs.begin(await part.call(capabilities=CAN), "leo", "Leo", heard(), session.follow)
    session.stands(Standing.MAY)
    await phase(attempt, Phase.TALKING)
    return attempt


def holder(part: LivePart) -> Controller | None:
    live = part.calls.get("call-1")
    return live.controller if live else None


async def marked(part: LivePart, lost: bool = True) -> Controller:
    """Who has the call, once this node reads of them that they have lost the role, or have it."""
    return await until(lambda: (one := holder(part)) and (one.role_lost_since is not None) is lost and one)


async def test_every_node_reads_that_the_role_is_lost_and_that_it_is_back(
    valkey_url: str, part: LivePart, take_overs: TakeOvers, bot: Runtime
):
    agreeing(bot)
    session = Session()
    async with live_part(valkey_url, part.keys, node_id="node-2") as other:
        attempt = await leo_talks(part, take_overs, session)
        session.stands(Standing.LOST)
        lost = [await marked(node) for node in (part, other)]
        assert lost[0] == lost[1]
        assert lost[0].claim_id == attempt.machine.claim_id
        assert lost[0].since <= lost[0].role_lost_since <= part.calls.now()
        assert attempt.microphone.sounding, "the caller is not cut off"
        session.stands(Standing.UNKNOWN)  # says nothing new
        session.stands(Standing.MAY)
        for node in (part, other):
            await marked(node, lost=False)
        assert attempt.machine.phase is Phase.TALKING


async def test_an_outage_of_the_store_marks_nobody(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    session = Session()
    attempt = await leo_talks(part, take_overs, session)
    session.stands(Standing.UNKNOWN)
    session.stands(Standing.LOST)
    first = await marked(part)
    session.stands(Standing.UNKNOWN)
    await until(session.all_said)
    attempt.role.look()
    assert attempt.role._since == first.role_lost_since
    assert attempt.machine.phase is Phase.TALKING


async def test_a_role_that_is_lost_while_the_runtime_is_asked_takes_the_claim_back(
    part: LivePart, take_overs: TakeOvers, runtime: RawRuntime
):
    await runtime.announce(capabilities=CAN)
    session = Session()
    attempt = take_overs.begin(await part.call(capabilities=CAN), "leo", "Leo", heard(), session.follow)
    await phase(attempt, Phase.ASKED)
    session.stands(Standing.LOST)
    await phase(attempt, Phase.CANCELLED)
    assert attempt.machine.reason is Reason.SESSION_ENDED
    await until(lambda: part.calls.get("call-1").claim is None)


async def test_a_call_is_rescued_by_an_admin_alone_and_only_from_who_has_lost_the_role(
    part: LivePart, take_overs: TakeOvers, bot: Runtime
):
    call = agreeing(bot)
    session = Session()
    attempt = await leo_talks(part, take_overs, session)
    live = await part.call(call_status="taken_over")
    early = take_overs.begin(live, "maya", "Maya", heard(), over=True)
    await phase(early, Phase.LOST)
    assert (early.machine.reason, early.machine.holder.name) == (Reason.TAKEN, "Leo")
    session.stands(Standing.LOST)
    await marked(part)
    developer = take_overs.begin(live, "dora", "Dora", heard())
    await phase(developer, Phase.LOST)
    assert (developer.machine.reason, developer.machine.holder.name) == (Reason.TAKEN, "Leo")
    assert attempt.machine.phase is Phase.TALKING
    rescue = take_overs.begin(live, "maya", "Maya", heard(), over=True)
    await phase(rescue, Phase.TALKING)
    await phase(attempt, Phase.LOST)
    assert (attempt.machine.reason, attempt.machine.holder.name) == (Reason.TAKEN, "Maya")
    assert not attempt.microphone.sounding
    assert (await marked(part, lost=False)).name == "Maya"
    assert call.agent_silent


async def test_a_role_that_is_back_is_rescued_from_no_more(part: LivePart, take_overs: TakeOvers, bot: Runtime):
    agreeing(bot)
    session = Session()
    attempt = await leo_talks(part, take_overs, session)
    session.stands(Standing.LOST)
    await marked(part)
    session.stands(Standing.MAY)
    await marked(part, lost=False)
    late = take_overs.begin(await part.call(), "maya", "Maya", heard(), over=True)
    await phase(late, Phase.LOST)
    assert attempt.machine.phase is Phase.TALKING


async def test_who_goes_on_with_the_call_elsewhere_is_still_without_the_role_and_not_for_a_moment_with_it(
    valkey_url: str, part: LivePart, take_overs: TakeOvers, bot: Runtime
):
    agreeing(bot)
    session, again = Session(), Session()
    async with live_part(valkey_url, part.keys, node_id="node-2") as other:
        theirs = TakeOvers(other.redis, other.keys, other.calls, answer_ms=1_000)
        async with running(theirs.run()):
            attempt = await leo_talks(part, take_overs, session)
            session.stands(Standing.LOST)
            before = await marked(other)
            part.changes.clear()
            mine = (attempt.machine.claim_id,)
            live = await other.call(call_status="taken_over")
            resumed = theirs.begin(live, "leo", "Leo", heard(), again.follow, resume=True, mine=mine)
            again.stands(Standing.LOST)
            await phase(resumed, Phase.TALKING)
            await phase(attempt, Phase.LOST)
            assert attempt.machine.reason is Reason.ELSEWHERE
            held = [change.now.controller for change in part.changes if change.now.controller]
            assert {one.role_lost_since for one in held} == {before.role_lost_since}
            again.stands(Standing.MAY)
            await marked(part, lost=False)


async def test_a_role_that_came_back_between_two_connections_is_seen_by_the_next(
    part: LivePart, take_overs: TakeOvers, bot: Runtime
):
    agreeing(bot)
    session, again = Session(), Session()
    attempt = await leo_talks(part, take_overs, session)
    session.stands(Standing.LOST)
    await marked(part)
    mine = (attempt.machine.claim_id,)
    resumed = take_overs.begin(await part.call(), "leo", "Leo", heard(), again.follow, resume=True, mine=mine)
    await phase(resumed, Phase.TALKING)
    assert holder(part).role_lost_since is not None
    again.stands(Standing.MAY)
    await marked(part, lost=False)


# --- races


async def test_what_is_said_of_one_claim_never_marks_another(valkey_url: str, keys: Keys, runtime: RawRuntime):
    """The word on Leo's role and the runtime's yes to Maya's claim, at one instant, in whatever order."""
    clients = [connect(valkey_url) for _ in range(2)]
    claims = ClaimScripts(clients[0], keys)
    seen = set()
    for n in range(ROUNDS):
        call_id = f"call-{n}"
        await runtime.announce(call_id, capabilities=CAN)
        scripts = CallScripts(keys, "rt-1", call_id)
        key = keys.call(call_id)
        data = (await runtime.redis.hget(key, "data")).decode()
        await claims.claim(Asking(call_id, "leo", "Leo", "leos", f"k{n}", 30_000, 2**52), "rt-1")
        await clients[1].execute_command(*scripts.accept("leos", data, f"k{n}"))
        assert (await claims.role(call_id, "leos", 5)).status == "ok"
        assert (await claims.claim(_rescue(call_id, n), "rt-1")).status == "claimed"
        back = claims.role(call_id, "leos", None)
        yes = clients[1].execute_command(*scripts.accept("mayas", data, f"m{n}"))
        said = await asyncio.gather(*((back, yes) if n % 2 else (yes, back)))
        told = said[0] if n % 2 else said[1]
        seen.add(told.status)
        late = await claims.role(call_id, "leos", 6)
        assert (late.status, late.controller.claim_id) == ("other", "mayas")
        now = json.loads(await runtime.redis.hget(key, "controller"))
        assert (now["claim_id"], now.get("role_lost_since")) == ("mayas", None)
    assert seen == {"ok", "other"} or ROUNDS < 40, "they never met otherwise"
    for client in clients:
        await client.aclose()


def _rescue(call_id: str, n: int) -> Asking:
    return Asking(call_id, "maya", "Maya", "mayas", f"m{n}", 30_000, 2**52, over=True)


async def test_what_is_said_twice_is_one_change_and_of_a_call_that_is_over_none(part: LivePart, runtime: RawRuntime):
    claims = ClaimScripts(part.redis, part.keys)
    key = part.keys.call("call-1")
    assert (await claims.role("call-1", "leos", 5)).status == "unknown"
    await runtime.announce(capabilities=CAN)
    assert (await claims.role("call-1", "leos", 5)).status == "other"
    await claims.claim(Asking("call-1", "leo", "Leo", "leos", "k", 30_000, 2**52), "rt-1")
    assert (await claims.role("call-1", "leos", 5)).status == "other", "the claim only stands"
    data = (await part.redis.hget(key, "data")).decode()
    await part.redis.execute_command(*CallScripts(part.keys, "rt-1", "call-1").accept("leos", data, "k"))
    for since in (5, 6):  # the first word counts
        answer = await claims.role("call-1", "leos", since)
        assert (answer.status, answer.controller.role_lost_since) == ("ok", 5)
    rev = await part.redis.hget(key, "rev")
    await claims.role("call-1", "leos", 5)
    assert await part.redis.hget(key, "rev") == rev
    await marked(part)
    await part.redis.hset(key, "controller", "")
    assert (await claims.role("call-1", "leos", None)).status == "other"


# --- Redis away, or emptied


async def test_a_redis_that_was_emptied_is_told_again(own_valkey: ValkeyProcess, keys: Keys):
    async with (
        live_part(own_valkey.url, keys, timing=quick(repair_s=0.2)) as part,
        Runtime(own_valkey.url, name="front-desk", workspace=keys.workspace) as bot,
    ):
        take_overs = TakeOvers(part.redis, keys, part.calls)
        async with running(take_overs.run()):
            agreeing(bot)
            session = Session()
            attempt = await leo_talks(part, take_overs, session)
            session.stands(Standing.LOST)
            first = await marked(part)
            before = part.calls.get("call-1").incarnation
            await part.redis.flushall()
            await until(lambda: (live := part.calls.get("call-1")) and live.incarnation != before)
            again = await marked(part)
            assert again.role_lost_since == first.role_lost_since
            assert attempt.machine.phase is Phase.TALKING


async def test_a_role_that_is_lost_while_redis_is_away_is_told_once_it_is_back(
    part: LivePart, take_overs: TakeOvers, bot: Runtime, monkeypatch: pytest.MonkeyPatch
):
    agreeing(bot)
    session, tried = Session(), asyncio.Event()
    await leo_talks(part, take_overs, session)

    async def away(*_: object) -> None:
        tried.set()
        raise TimeoutError

    monkeypatch.setattr("livemon.control.role_loss.LOOK_EVERY_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(take_overs._scripts, "role", away)
        session.stands(Standing.LOST)
        await tried.wait()
        assert holder(part).role_lost_since is None
    await marked(part)


def test_the_moment_of_the_loss_stays_the_first():
    times = iter((5, 9))
    role = RoleLoss(None, "call-1", None, lambda: next(times))
    role._machine = type("Machine", (), {"claim_id": "c", "user_id": "u"})
    for standing in (Standing.LOST, Standing.LOST, Standing.UNKNOWN, Standing.OVER):
        role.stands(standing)
    assert role._since == 5
    role.stands(Standing.MAY)
    role.stands(Standing.LOST)
    assert role._since == 9
