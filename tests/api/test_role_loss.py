"""A supervisor who loses the role in mid-call, through the endpoints: the caller is kept, every Admin is told, and may rescue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from livemon.access import members
from livemon.access.roles import Role
from livemon.control.take_over import Phase, Reason
from livemon.store.audit.acts import Action, Outcome
from tests.api.site import Browser, Site, Socket
from tests.api.test_take_over import Bot, bot, press, state
from tests.calls.live_part import until
from tests.media import test_microphone

__all__ = ["bot"]

WITHIN_S = 60
"""A test waits so long for a word, however many ticks come meanwhile."""


@pytest.fixture
async def voices() -> AsyncIterator[list[test_microphone.Supervisor]]:
    """Two browsers' WebRTC sides: Leo's, and that of who rescues, or of Leo's next connection."""
    made = [test_microphone.Supervisor() for _ in range(2)]
    yield made
    for one in made:
        await one.close()


async def role(site: Site, browser: Browser, role: Role) -> None:
    await members.set_role(site.store, browser.user_id, "default", role)


async def alert(socket: Socket, **wanted: Any) -> dict[str, Any]:
    """The next message that lists one call whose holder is so."""

    def fits(message: dict[str, Any]) -> bool:
        holders = [row["holder"] for row in message.get("calls", ())]
        return len(holders) == 1 and all((holders[0][name] is not None) is so for name, so in wanted.items())

    async with asyncio.timeout(WITHIN_S):
        return await socket.until(fits)


async def none_left(socket: Socket) -> None:
    async with asyncio.timeout(WITHIN_S):
        await socket.until(lambda message: message["t"] == "alerts" and not message["calls"])


async def told_of_the_role(socket: Socket, lost: bool = True) -> dict[str, Any]:
    """The next word to who has the call that says that the role is lost, or is not."""

    def fits(message: dict[str, Any]) -> bool:
        return message["t"] == "take_over" and (message["role_lost_since"] is not None) is lost

    async with asyncio.timeout(WITHIN_S):
        return await socket.until(fits)


async def test_every_admin_is_told_and_one_rescues_the_call_of_whom_it_is_kept_until_then(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo = await livemon_site.sign_in("Leo", Role.DEVELOPER)
    admins = [await livemon_site.sign_in(name) for name in ("Maya", "Ada")]
    async with AsyncExitStack() as stack:
        take_over_id = await press(leo, voices[0])
        leos = await stack.enter_async_context(leo.socket(f"/take-overs/{take_over_id}"))
        assert (await state(leos, "talking"))["role_lost_since"] is None
        told = [await stack.enter_async_context(each.socket("/feed/alerts")) for each in admins]
        for socket in told:
            assert (await socket.read())["calls"] == []
        await role(livemon_site, leo, Role.MEMBER)
        for socket in told:
            message = await alert(socket, role_lost_since=True, lost_since=False)
            (row,) = message["calls"]
            assert (row["id"], row["holder"]["name"]) == ("call-1", "Leo")
            assert row["holder"]["role_lost_since"] <= message["now"]
        lost = await told_of_the_role(leos)
        assert lost["state"] == "talking"
        before = len(bot.heard)
        await until(lambda: len(bot.heard) > before + 16_000)
        maya = await stack.enter_async_context(admins[0].socket(f"/take-overs/{await press(admins[0], voices[1])}"))
        await state(maya, "talking")
        over = await state(leos, "lost")
        assert (over["reason"], over["holder"]["name"]) == ("taken", "Maya")
        for socket in told:
            await none_left(socket)
        assert bot.call.agent_silent
    outcomes = [
        (entry.person, entry.outcome)
        for entry in await livemon_site.recorded()
        if entry.action == Action.TAKE_OVER and entry.outcome in (Outcome.LOST, Outcome.TALKING)
    ]
    assert outcomes[0] == ("Leo", Outcome.TALKING)
    assert {*outcomes[1:3]} == {("Maya", Outcome.TALKING), ("Leo", Outcome.LOST)}


async def test_the_role_that_is_given_back_ends_the_alert(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo, maya = await livemon_site.sign_in("Leo", Role.DEVELOPER), await livemon_site.sign_in("Maya")
    async with leo.socket(f"/take-overs/{await press(leo, voices[0])}") as leos, maya.socket("/feed/alerts") as told:
        await state(leos, "talking")
        await role(livemon_site, leo, Role.MEMBER)
        await alert(told, role_lost_since=True)
        await role(livemon_site, leo, Role.DEVELOPER)
        await none_left(told)
        assert (await told_of_the_role(leos, lost=False))["state"] == "talking"


async def test_who_is_removed_is_heard_no_more_and_every_admin_is_told_that_the_caller_hears_nobody(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo, maya = await livemon_site.sign_in("Leo", Role.DEVELOPER), await livemon_site.sign_in("Maya")
    async with maya.socket("/feed/alerts") as told:
        async with leo.socket(f"/take-overs/{await press(leo, voices[0])}") as leos:
            await state(leos, "talking")
            await members.remove(livemon_site.store, leo.user_id, "default")
            assert (await leos.closed())[0] == 4401
        await alert(told, lost_since=True)
        async with maya.socket(f"/take-overs/{await press(maya, voices[1])}") as mayas:
            await state(mayas, "talking")
        await none_left(told)


async def test_a_developer_does_not_rescue_from_who_is_heard_and_is_told_nothing(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo, dora = [await livemon_site.sign_in(name, Role.DEVELOPER) for name in ("Leo", "Dora")]
    async with leo.socket(f"/take-overs/{await press(leo, voices[0])}") as leos:
        await state(leos, "talking")
        await role(livemon_site, leo, Role.MEMBER)
        await told_of_the_role(leos)
        async with dora.socket(f"/take-overs/{await press(dora, voices[1])}") as doras:
            assert (await state(doras, "lost"))["holder"]["name"] == "Leo"
        for browser in (dora, leo):
            async with browser.socket("/feed/alerts") as refused:
                assert await refused.closed() == (4403, "forbidden")
    assert bot.call.agent_silent


async def test_an_admin_who_is_one_no_more_is_told_no_more(livemon_site: Site):
    maya = await livemon_site.sign_in("Maya")
    async with maya.socket("/feed/alerts") as told:
        await told.read()
        await role(livemon_site, maya, Role.DEVELOPER)
        assert (await told.closed())[0] == 4403


# --- going on without the role


async def test_who_has_the_call_goes_on_with_it_after_the_connection_broke(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo, maya = await livemon_site.sign_in("Leo", Role.DEVELOPER), await livemon_site.sign_in("Maya")
    async with maya.socket("/feed/alerts") as told:
        async with leo.socket(f"/take-overs/{await press(leo, voices[0])}") as leos:
            claim_id = (await state(leos, "talking"))["claim_id"]
            await role(livemon_site, leo, Role.MEMBER)
            first = await alert(told, role_lost_since=True)
        again = await press(leo, voices[1], resume=True, mine=[claim_id])
        async with leo.socket(f"/take-overs/{again}") as leos:
            since = (await state(leos, "talking"))["role_lost_since"]
            assert since == first["calls"][0]["holder"]["role_lost_since"]
        (attempt,) = [one for one in livemon_site.workspace.take_overs._attempts.values() if one.take_over_id == again]
        assert attempt.machine.phase is Phase.TALKING
        await livemon_site.sessions.end(leo.session_id)
        await until(lambda: attempt.machine.final)
        assert attempt.machine.reason is Reason.SESSION_ENDED


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"resume": True, "mine": ["another"]}, {"mine": ["leos"]}])
async def test_without_the_role_nothing_is_begun(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor], how: dict[str, Any]
):
    """Neither anew, nor on another device, nor by a claim that has the call no more."""
    leo = await livemon_site.sign_in("Leo", Role.DEVELOPER)
    async with leo.socket(f"/take-overs/{await press(leo, voices[0])}") as leos:
        claim_id = (await state(leos, "talking"))["claim_id"]
        await role(livemon_site, leo, Role.MEMBER)
        mine = [claim_id if one == "leos" else one for one in how.get("mine", ())]
        answer = await leo.post("/calls/call-1/take-over", json={"sdp": await voices[1].offer(), **how, "mine": mine})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    refused = [one for one in await livemon_site.recorded() if one.outcome == Outcome.REFUSED]
    assert [(one.person, one.action, one.call_id) for one in refused] == [("Leo", Action.TAKE_OVER, "call-1")]


async def test_nobody_goes_on_with_somebody_elses_call(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    """Whoever knows the claim: it is told to everybody who may see the call."""
    maya, leo = await livemon_site.sign_in("Maya"), await livemon_site.sign_in("Leo", Role.MEMBER)
    async with maya.socket(f"/take-overs/{await press(maya, voices[0])}") as mayas:
        claim_id = (await state(mayas, "talking"))["claim_id"]
        for call_id in ("call-1", "no-such-call"):
            offer = {"sdp": await voices[1].offer(), "resume": True, "mine": [claim_id]}
            answer = await leo.post(f"/calls/{call_id}/take-over", json=offer)
            assert answer.status_code == 403
    assert (await leo.post("/calls/call-1/take-over", content=b"no JSON")).status_code == 403


async def test_the_socket_of_a_take_over_ends_with_the_session(
    livemon_site: Site, bot: Bot, voices: list[test_microphone.Supervisor]
):
    leo = await livemon_site.sign_in("Leo", Role.DEVELOPER)
    take_over_id = await press(leo, voices[0])
    async with leo.socket(f"/take-overs/{take_over_id}") as leos:
        await state(leos, "talking")
        await livemon_site.sessions.end(leo.session_id)
        assert (await leos.closed())[0] == 4401
    with pytest.raises(ConnectionClosed):
        async with leo.socket(f"/take-overs/{take_over_id}") as leos:
            await leos.connection.recv()
