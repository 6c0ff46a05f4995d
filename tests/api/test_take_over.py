"""Taking a call over through the endpoints: a WebRTC client that speaks, a bot that plays what it is given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from websockets.exceptions import ConnectionClosed

from livemon.access import members
from livemon.access.roles import CALL_RIGHTS, Right, Role
from livemon.control.take_over import Reason
from livemon_runtime import Refusal, Runtime
from livemon_runtime.keys import Keys
from tests.api.agreeing_bot import AgreeingBot as Bot
from tests.api.site import Browser, Site, Socket
from tests.calls.live_part import until
from tests.media import test_microphone
from tests.media.call_source import loudest
from tests.media.offers import offer, section


@pytest.fixture
async def voice() -> AsyncIterator[test_microphone.Supervisor]:
    """A browser's WebRTC side, with a tone as its microphone."""
    made = test_microphone.Supervisor()
    yield made
    await made.close()


@pytest.fixture
async def bot(valkey_url: str, livemon_site: Site) -> AsyncIterator[Bot]:
    async with Runtime(valkey_url, name="front-desk") as runtime:
        made = Bot(runtime)
        await until(lambda: livemon_site.workspace.calls.get("call-1"))
        yield made


async def press(browser: Browser, voice: test_microphone.Supervisor, **more: Any) -> str:
    """Offer the microphone, as the page does once it is granted; the id of the take-over."""
    answer = await browser.post("/calls/call-1/take-over", json={"sdp": await voice.offer(), **more})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["voices"] == ["caller"]
    await voice.connection.setRemoteDescription(RTCSessionDescription(said["sdp"], "answer"))
    return said["take_over_id"]


async def state(socket: Socket, *wanted: str) -> dict[str, Any]:
    return await socket.until(lambda message: message["t"] == "take_over" and message["state"] in wanted)


async def test_the_supervisors_voice_reaches_the_bot_once_the_page_says_talking(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        talking = await state(socket, "talking")
    live = await until(lambda: bot.call.controller and livemon_site.workspace.calls.get("call-1"))
    assert talking["holder"] == {"user_id": ada.user_id, "name": "Ada"}
    assert talking["claim_id"] == live.controller.claim_id
    assert talking["since"] <= talking["now"]
    await until(lambda: bot.call.agent_silent)
    await until(lambda: len(bot.heard) >= 16_000 * 2)
    samples = np.frombuffer(bytes(bot.heard), "<i2").astype(float)
    assert abs(loudest(samples[-8_000:], 16_000) - test_microphone.HZ) < 6


async def test_the_runtimes_refusal_is_told_in_its_own_words(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    @bot.call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying.")

    ada = await livemon_site.sign_in()
    async with ada.socket(f"/take-overs/{await press(ada, voice)}") as socket:
        said = await state(socket, "cancelled")
    assert (said["reason"], said["message"]) == ("refused", "The caller is paying.")
    assert not bot.heard
    assert not bot.call.agent_silent


async def test_to_cancel_in_the_talk_lets_the_microphone_go_and_keeps_the_call(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
        for _ in range(2):
            assert (await ada.post(f"/take-overs/{take_over_id}/cancel")).status_code == 204
        assert (await state(socket, "lost"))["reason"] == "asked"
    assert bot.call.controller
    assert bot.call.agent_silent, "the agent never comes back"
    assert not livemon_site.workspace.talking._links


async def test_the_callers_hanging_up_is_the_end_on_the_page(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    async with ada.socket(f"/take-overs/{await press(ada, voice)}") as socket:
        await state(socket, "talking")
        bot.call.end("user_hangup")
        assert (await state(socket, "ended"))["reason"] == "ended"


async def test_a_call_that_the_list_does_not_know_yet_is_found_and_not_called_over(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor, monkeypatch: pytest.MonkeyPatch
):
    """The server has just started: its snapshot is on the way, and a supervisor's page asks for the call again."""
    ada = await livemon_site.sign_in()
    await until(lambda: livemon_site.workspace.calls.get("call-1"))
    with monkeypatch.context() as patch:
        patch.setattr(livemon_site.workspace.calls.registry, "get", lambda call_id: None)
        take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")


async def test_whose_session_is_ended_is_heard_no_more(livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor):
    ada = await livemon_site.sign_in()
    async with ada.socket(f"/take-overs/{await press(ada, voice)}") as socket:
        await state(socket, "talking")
    (attempt,) = livemon_site.workspace.take_overs._attempts.values()
    await livemon_site.sessions.end(ada.session_id)
    await until(lambda: attempt.machine.final)
    assert attempt.machine.reason is Reason.SESSION_ENDED
    await until(lambda: not livemon_site.workspace.talking._links)
    assert bot.call.agent_silent


async def test_one_person_cannot_fill_the_place(livemon_site: Site, bot: Bot):
    """Nothing is connected for a request that is one too many, and what is over counts no more."""
    ada = await livemon_site.sign_in()
    offers = [{"sdp": offer(section("0", "sendrecv"))} for _ in range(40)]
    answers = await asyncio.gather(*(ada.post("/calls/call-1/take-over", json=one) for one in offers))
    assert {answer.status_code for answer in answers} == {200, 503}
    let_in = [answer.json()["take_over_id"] for answer in answers if answer.status_code == 200]
    assert len(let_in) == 8
    assert len(livemon_site.workspace.talking._links) == 8
    for take_over_id in let_in:
        await ada.post(f"/take-overs/{take_over_id}/cancel")
    await until(lambda: not livemon_site.workspace.talking._links)
    assert (await ada.post("/calls/call-1/take-over", json=offers[0])).status_code == 200


async def test_to_resume_what_the_agent_has_takes_nothing_over(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    async with ada.socket(f"/take-overs/{await press(ada, voice, resume=True)}") as socket:
        assert (await state(socket, "cancelled"))["reason"] == "agent"
    assert not bot.call.agent_silent


# --- who may


async def test_a_member_may_not_and_nobody_elses_take_over_is_seen_or_stopped(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada, mallory = await livemon_site.sign_in(), await livemon_site.sign_in("Mallory")
    member = await livemon_site.sign_in("Max", Role.MEMBER)
    answer = await member.post("/calls/call-1/take-over", json={"sdp": "v=0"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
        assert (await mallory.post(f"/take-overs/{take_over_id}/cancel")).status_code == 204
        for browser, code in ((mallory, 4404), (member, 4403)):
            async with browser.socket(f"/take-overs/{take_over_id}") as other:
                with pytest.raises(ConnectionClosed) as closed:
                    await other.read()
            assert closed.value.rcvd.code == code
        assert len(livemon_site.workspace.talking._links) == 1


@pytest.mark.parametrize("left", [frozenset(), CALL_RIGHTS - {Right.TAKE_OVER, Right.END}])
async def test_who_has_the_call_goes_on_without_the_right_and_may_leave_and_end_it(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor, left: frozenset[Right]
):
    livemon_site.rights[Role.MEMBER] = left
    await livemon_site.sign_in("Another")
    grace, max_ = await livemon_site.sign_in("Grace", Role.DEVELOPER), await livemon_site.sign_in("Max", Role.MEMBER)
    take_over_id = await press(grace, voice)
    async with grace.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
        await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
        await socket.until(lambda message: message.get("role_lost_since"))
    heard = len(bot.heard)
    await until(lambda: len(bot.heard) > heard + 32_000)  # a second more is heard
    assert (await grace.post("/calls/call-1/take-over", json={"sdp": "v=0"})).status_code == 403
    assert (await max_.post("/calls/call-1/end")).status_code == 403, "who does not have the call may not end it"
    assert (await grace.post(f"/take-overs/{take_over_id}/cancel")).status_code == 204
    await until(lambda: not livemon_site.workspace.talking._links)
    assert livemon_site.workspace.calls.get("call-1").listed
    assert (await grace.post("/calls/call-1/end")).json() == {"ok": True}
    assert (await grace.post("/calls/call-2/end")).status_code == 403


@pytest.mark.parametrize("left", [frozenset(), CALL_RIGHTS - {Right.TAKE_OVER}])
async def test_whose_right_goes_before_the_call_is_theirs_takes_nothing_over(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor, left: frozenset[Right]
):
    livemon_site.rights[Role.MEMBER] = left
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    answer = await grace.post("/calls/call-1/take-over", json={"sdp": await voice.offer()})  # nothing is spoken yet
    assert answer.status_code == 200
    (attempt,) = livemon_site.workspace.take_overs._attempts.values()
    await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
    await until(lambda: attempt.machine.final)
    assert attempt.machine.reason is Reason.SESSION_ENDED
    assert not bot.call.agent_silent


async def test_a_refusal_in_the_runtimes_words_is_masked_for_who_may_not_see_numbers(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    @bot.call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying with 4242 4242 4242 4242.")

    livemon_site.rights[Role.MEMBER] = frozenset({Right.WATCH, Right.TAKE_OVER})
    mo = await livemon_site.sign_in("Mo", Role.MEMBER)
    async with mo.socket(f"/take-overs/{await press(mo, voice)}") as socket:
        assert (await state(socket, "cancelled"))["message"] == "The caller is paying with •••."


async def test_what_is_told_of_a_take_over_is_masked_by_the_role_of_now(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    @bot.call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying with 4242 4242 4242 4242.")

    livemon_site.rights[Role.MEMBER] = CALL_RIGHTS - {Right.UNMASKED}
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    async with grace.socket(f"/take-overs/{await press(grace, voice)}") as socket:
        assert "4242" in (await state(socket, "cancelled"))["message"]
        await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
        async with asyncio.timeout(60):
            await socket.until(lambda message: message.get("message") == "The caller is paying with •••.")


@pytest.mark.parametrize(
    ("call_id", "body", "status", "code"),
    [
        ("call-1", {"sdp": "hello"}, 400, "bad_request"),
        ("call-1", {}, 400, "bad_request"),
        ("call-1", {"sdp": "v=0", "resume": "perhaps"}, 400, "bad_request"),
        ("call-1", {"sdp": "v=0", "resume": True, "mine": ["not a claim's id"]}, 400, "bad_request"),
        ("call-1", {"sdp": "v=0", "resume": True, "mine": ["claim"] * 65}, 400, "bad_request"),
        ("not-here", {"sdp": "v=0"}, 404, "not_found"),
    ],
)
async def test_what_cannot_be_taken_over_is_told(
    livemon_site: Site, bot: Bot, call_id: str, body: dict, status: int, code: str
):
    ada = await livemon_site.sign_in()
    answer = await ada.post(f"/calls/{call_id}/take-over", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert await livemon_site.runtime.redis.hget(Keys().call("call-1"), "claim") == b""


async def test_a_page_that_comes_back_reads_how_it_stands(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    for _ in range(2):
        async with ada.socket(f"/take-overs/{take_over_id}") as socket:
            assert (await state(socket, "talking"))["holder"]["name"] == "Ada"
    await asyncio.sleep(0)
    async with ada.socket("/take-overs/no-such") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.read()
    assert closed.value.rcvd.code == 4404


async def test_a_flood_closes_the_socket_and_says_so_and_the_talk_goes_on(
    livemon_site: Site, bot: Bot, voice: test_microphone.Supervisor
):
    ada = await livemon_site.sign_in()
    take_over_id = await press(ada, voice)
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        await state(socket, "talking")
        with suppress(ConnectionClosed):
            for _ in range(400):
                await socket.connection.send("x")
        assert await socket.closed() == (1008, "too_much")
    async with ada.socket(f"/take-overs/{take_over_id}") as socket:
        assert (await state(socket, "talking"))["holder"]["name"] == "Ada"
