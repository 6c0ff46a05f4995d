"""Listening and taking over as a program does it: the tokens, the signalling, and when the answer is yes."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed

from livemon.access.pacing import Pace
from livemon.access.roles import CALL_RIGHTS, Right
from livemon.api.v2 import live_audio
from livemon.api.v2.live_tokens import LiveTokens, workspace_in
from livemon.api.v2.strangers import MOST_OF_ONE
from livemon.store.audit.acts import Action, Outcome
from livemon_runtime import Audio, Refusal, Runtime, Supervisor
from tests.api.agreeing_bot import AgreeingBot
from tests.api.site import Browser, Site, site
from tests.api.v2.live_program import Signals, joined, signalling
from tests.calls.live_part import until
from tests.conftest import ValkeyProcess
from tests.media import test_microphone
from tests.media.call_source import loudest
from tests.media.offers import offer, section

LISTEN, TAKE_OVER = "/v2/listen-live-call/call-1", "/v2/take-over-live-call/call-1"
RECEIVE = offer(section("0", "recvonly"), section("1", "recvonly"))


class Bot(AgreeingBot):
    async def hears(self, hz: float) -> None:
        """Wait until a second more is there, which is that tone."""
        before = len(self.heard)
        await until(lambda: len(self.heard) >= before + 32_000)
        samples = np.frombuffer(bytes(self.heard[-32_000:]), "<i2").astype(float)
        assert abs(loudest(samples[-8_000:], 16_000) - hz) < 6


@pytest.fixture
async def bot(valkey_url: str, livemon_site: Site) -> AsyncIterator[Bot]:
    async with Runtime(valkey_url, name="front-desk") as runtime:
        made = Bot(runtime)
        await until(lambda: livemon_site.workspace.calls.get("call-1"))
        yield made


@pytest.fixture
async def ada(livemon_site: Site) -> Browser:
    return await livemon_site.sign_in()


async def key(ada: Browser, name: str = "Wallboard", *rights: Right) -> tuple[str, str]:
    """A new key with every right, or with these; and its id."""
    wanted = [right.value for right in rights or CALL_RIGHTS]
    made = (await ada.post("/keys", json={"name": name, "rights": wanted, "days": 1})).json()
    return made["key"], made["id"]


@pytest.fixture
async def machine(livemon_site: Site, ada: Browser) -> AsyncIterator[httpx.AsyncClient]:
    async with livemon_site.machine((await key(ada))[0]) as client:
        yield client


async def ask(machine: httpx.AsyncClient) -> dict[str, Any]:
    answer = await machine.post(LISTEN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(answer: httpx.Response) -> tuple[int, str]:
    said = answer.json()
    assert said["status"] == "error"
    assert said["message"] == said["error"]["message"]
    assert said["message"].endswith(".")
    return answer.status_code, said["error"]["code"]


async def take_over(machine: httpx.AsyncClient, participant_id: str) -> httpx.Response:
    return await machine.post(TAKE_OVER, json={"participant_id": participant_id})


async def refused(url: str, token: str, sdp: str = RECEIVE) -> tuple[str, int]:
    """The error's code, and the socket's."""
    async with signalling(url) as signals:
        await signals.send(type="join", access_token=token, sdp=sdp)
        said = await signals.read()
        assert said["type"] == "error"
        return said["error"]["code"], (await signals.closed())[0]


# --- listening


async def test_it_is_given_what_retells_clients_read(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    given = await ask(machine)
    assert (given["room_name"], given["transport"], given["ice_servers"]) == ("call-1", "gateway", [])
    assert given["url"] == f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1"
    assert (
        0 < given["expires_at"] - livemon_site.workspace.calls.now() <= 61_000
    )  # Redis's clock, of which the node has an estimate
    assert workspace_in(given["access_token"]) == "default"


async def test_who_names_no_host_is_given_the_servers_own_address(livemon_site: Site, ada: Browser, bot: Bot):
    """HTTP/1.0 lets it be left out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", livemon_site.port)
    bearing = f"Authorization: Bearer {(await key(ada))[0]}"
    writer.write(f"POST {LISTEN} HTTP/1.0\r\n{bearing}\r\nContent-Length: 0\r\n\r\n".encode())
    async with asyncio.timeout(60):
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    assert " 200 " in head.partition("\r\n")[0], head
    assert json.loads(body)["url"] == f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1"


async def test_a_listener_is_shown_by_the_keys_name_and_recorded_until_it_leaves(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    async with joined(await ask(machine)) as program:
        await until(lambda: livemon_site.workspace.presence.of("call-1"))
        (listener,) = livemon_site.workspace.presence.of("call-1")
        assert (listener.name, listener.listener_id) == ("Wallboard", program.participant_id)
        await program.signals.send(type="leave")
        assert await program.signals.closed() == (1000, "left")
    await until(lambda: not livemon_site.workspace.presence.of("call-1"))
    told = [one for one in await livemon_site.recorded() if one.action == Action.LISTEN]
    assert [(one.outcome, one.person) for one in told] == [("asked", "Wallboard"), ("stopped", "Wallboard")]


async def test_whose_socket_is_gone_listens_no_more(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    """However well its WebRTC connection stands; and a microphone that has no call is let go with it."""
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert livemon_site.workspace.listening.count("call-1") == 1
        await program.signals.connection.close()
        await until(lambda: not livemon_site.workspace.listening.count("call-1"))
        await until(lambda: not livemon_site.workspace.talking._links)


async def test_the_calls_end_is_told_and_closes_the_socket(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    async with joined(await ask(machine)) as program:
        bot.call.end("user_hangup")
        assert (await program.signals.until("stopped"))["reason"] == "call_ended"
        assert await program.signals.closed() == (1000, "call_ended")


async def test_a_microphone_in_a_listeners_offer_is_refused(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    given = await ask(machine)
    both = offer(section("0", "sendrecv"), section("1", "recvonly"))
    assert await refused(given["url"], given["access_token"], both) == ("microphone_refused", 4400)
    assert not livemon_site.workspace.listening.count("call-1")


@pytest.mark.parametrize(("call_id", "code"), [("call-2", "not_found"), ("a%20b", "not_found")])
async def test_a_call_that_is_not_there_gives_no_token(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient, call_id: str, code: str
):
    assert error(await machine.post(f"/v2/listen-live-call/{call_id}")) == (404, code)


async def test_a_call_without_sound_and_one_that_has_ended_give_no_token(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    await livemon_site.runtime.announce("mute-call", capabilities=[])
    await livemon_site.call("mute-call")
    assert error(await machine.post("/v2/listen-live-call/mute-call")) == (409, "unsupported")
    bot.call.end("user_hangup")
    await until(lambda: livemon_site.workspace.calls.get("call-1") is None)
    assert error(await machine.post(LISTEN)) == (409, "already_ended")


async def test_a_key_without_the_right_gets_no_token_and_that_is_recorded(livemon_site: Site, ada: Browser, bot: Bot):
    async with livemon_site.machine((await key(ada, "Reader", Right.WATCH, Right.READ))[0]) as reader:
        assert error(await reader.post(LISTEN)) == (403, "forbidden")
        assert error(await take_over(reader, "x")) == (403, "forbidden")
    told = [(one.action, one.outcome) for one in await livemon_site.recorded() if one.person == "Reader"]
    assert told == [("listen", "refused"), ("take_over", "refused")]


# --- the token


async def test_a_token_is_good_once(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    given = await ask(machine)
    async with joined(given):
        assert await refused(given["url"], given["access_token"]) == ("unauthenticated", 4401)
        assert livemon_site.workspace.listening.count("call-1") == 1


async def test_a_token_is_good_for_its_call_alone_and_is_not_lost_by_that(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient, valkey_url: str
):
    async with Runtime(valkey_url, name="other") as runtime:
        runtime.call(call_id="call-2", audio=Audio(caller="pcmu", agent="pcmu"))
        await livemon_site.call("call-2")
        given = await ask(machine)
        elsewhere = given["url"].replace("call-1", "call-2")
        assert await refused(elsewhere, given["access_token"]) == ("unauthenticated", 4401)
        assert not livemon_site.workspace.listening.count("call-2")
        async with joined(given):
            assert livemon_site.workspace.listening.count("call-1") == 1


@pytest.mark.parametrize("token", ["", "x", "lmt_default", "lmt_default.", "lmt_default.x", "lmt_none.x", "lmt_../.x"])
async def test_what_is_no_token_opens_nothing(livemon_site: Site, bot: Bot, token: str):
    url = f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1"
    assert await refused(url, token) == ("unauthenticated", 4401)


async def test_a_token_that_is_too_old_is_none(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, valkey: Redis
):
    short = lambda one: LiveTokens(one.redis, one.slug, one.calls.now, lives_ms=200)  # noqa: E731
    monkeypatch.setattr("livemon.api.v2.live_calls.tokens_of", short)
    given = await ask(machine)
    await until(lambda: _none(valkey))
    assert await refused(given["url"], given["access_token"]) == ("unauthenticated", 4401)


async def _none(valkey: Redis) -> bool:
    return not [one async for one in valkey.scan_iter("livemon:{default}:live-token:*")]


async def test_a_token_does_not_stand_in_redis(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient, valkey: Redis):
    given = await ask(machine)
    (name,) = [one async for one in valkey.scan_iter("livemon:{default}:live-token:*")]
    stored = await valkey.get(name)
    assert given["access_token"].partition(".")[2] not in (name + stored).decode()
    assert 0 < await valkey.pttl(name) <= 60_000


async def test_the_token_of_a_revoked_key_opens_nothing(livemon_site: Site, ada: Browser, bot: Bot):
    text, key_id = await key(ada)
    async with livemon_site.machine(text) as machine:
        given = await ask(machine)
    await ada.post(f"/keys/{key_id}/revoke")
    assert await refused(given["url"], given["access_token"]) == ("unauthenticated", 4401)


async def test_another_workspaces_call_does_not_exist(two_workspaces: Site, valkey_url: str):
    site = two_workspaces
    maya = await site.sign_in("Maya", workspace="other")
    async with Runtime(valkey_url, name="front-desk") as runtime:
        bot = Bot(runtime)
        await site.call("call-1")
        ada = await site.sign_in()
        async with site.machine((await key(ada))[0]) as mine, site.machine((await key(maya))[0]) as theirs:
            assert error(await theirs.post(LISTEN)) == (404, "not_found")
            async with joined(await ask(mine)) as program:
                await program.talk()
                assert error(await take_over(theirs, program.participant_id)) == (404, "not_found")
        assert not bot.call.agent_silent


async def test_while_redis_is_away_no_token_is_given_and_none_is_taken(
    own_valkey: ValkeyProcess, tmp_path: Path, made_database: Path
):
    shutil.copy(made_database, tmp_path)
    redis = Redis.from_url(own_valkey.url)
    async with site(own_valkey.url, tmp_path, redis) as at, Runtime(own_valkey.url, name="front-desk") as runtime:
        Bot(runtime)
        await at.call("call-1")
        async with at.machine((await key(await at.sign_in()))[0]) as machine:
            given = await ask(machine)
            own_valkey.kill()
            assert error(await machine.post(LISTEN)) == (503, "redis_away")
            assert await refused(given["url"], given["access_token"]) == ("redis_away", 1013)
            own_valkey.start()
    await redis.aclose()


# --- taking over


async def test_the_programs_voice_reaches_the_bot_once_the_answer_is_yes(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert not bot.call.controller
        answer = await take_over(machine, program.participant_id)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        live = livemon_site.workspace.calls.get("call-1")
        assert live
        assert live.controller
        assert live.controller.name == "Wallboard"
        await until(lambda: bot.call.agent_silent)
        await bot.hears(test_microphone.HZ)
        talking = await program.signals.state("talking")
        assert talking["claim_id"] == live.controller.claim_id
        again = await take_over(machine, program.participant_id)
        assert again.json() == {"success": True}, "who asks again has it still"
    told = [one.outcome for one in await livemon_site.recorded() if one.action == Action.TAKE_OVER]
    assert told[:2] == [Outcome.ASKED, Outcome.TALKING]


async def test_without_a_microphone_nobody_is_asked_for_the_call(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    async with joined(await ask(machine)) as program:
        answer = await take_over(machine, program.participant_id)
        assert error(answer) == (409, "microphone_not_heard")
        assert answer.headers["x-should-retry"] == "false"
    assert not livemon_site.workspace.take_overs._attempts
    assert not bot.call.controller


async def test_a_microphone_that_was_offered_and_brings_nothing_is_none(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    """Offered, answered and never connected; and connected once, and silent by now: not even packets of silence."""
    async with joined(await ask(machine)) as program:
        await program.signals.send(type="talk", sdp=offer(section("0", "sendrecv")))
        await program.signals.until("talk_ready")
        assert error(await take_over(machine, program.participant_id)) == (409, "microphone_not_heard")
        voice = await program.talk()
        voice.tone.quiet = True
        (link,) = livemon_site.workspace.talking._links
        await until(lambda: not link.speaks(asyncio.get_running_loop().time()))
        assert error(await take_over(machine, program.participant_id)) == (409, "microphone_not_heard")
        assert not livemon_site.workspace.take_overs._attempts


async def test_the_runtimes_no_is_answered_in_its_words_and_again_to_who_asks_again(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    asked = []

    @bot.call.on_take_over
    def refuse() -> None:
        asked.append(1)
        raise Refusal("The caller is paying.")

    async with joined(await ask(machine)) as program:
        await program.talk()
        for _ in range(2):
            answer = await take_over(machine, program.participant_id)
            assert error(answer) == (409, "refused")
            assert "The caller is paying." in answer.json()["message"]
            await until(lambda: not livemon_site.workspace.talking._links)
        assert len(asked) == 1
        await program.talk()  # a new microphone is a new try
        assert error(await take_over(machine, program.participant_id)) == (409, "refused")
        assert len(asked) == 2
    assert not bot.call.agent_silent


async def test_a_refusal_is_masked_for_a_key_that_may_not_see_numbers(livemon_site: Site, ada: Browser, bot: Bot):
    @bot.call.on_take_over
    def refuse() -> None:
        raise Refusal("The caller is paying with 4242 4242 4242 4242.")

    rights = (Right.WATCH, Right.LISTEN, Right.TAKE_OVER)
    async with (
        livemon_site.machine((await key(ada, "Masked", *rights))[0]) as machine,
        joined(await ask(machine)) as one,
    ):
        await one.talk()
        message = (await take_over(machine, one.participant_id)).json()["message"]
        assert "4242" not in message
        assert "paying with •••." in message
        assert "4242" not in json.dumps(await one.signals.state("cancelled"))


async def test_the_second_one_loses_and_reads_who_has_it(livemon_site: Site, ada: Browser, bot: Bot):
    first, second = (await key(ada, "First"))[0], (await key(ada, "Second"))[0]
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(livemon_site.machine(first))
        two = await stack.enter_async_context(livemon_site.machine(second))
        async with joined(await ask(one)) as winner, joined(await ask(two)) as loser:
            await winner.talk()
            await loser.talk()
            answers = {
                client: await take_over(client, program.participant_id)
                for client, program in ((one, winner), (two, loser))
            }
            assert answers[one].json() == {"success": True}
            assert error(answers[two]) == (409, "taken")
            assert "First has this call" in answers[two].json()["message"]
            lost = await loser.signals.state("lost")
            assert lost["holder"]["name"] == "First"
            await bot.hears(test_microphone.HZ)


async def test_asked_for_twice_at_once_it_is_one_claim(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    async with joined(await ask(machine)) as program:
        await program.talk()
        answers = await asyncio.gather(*(take_over(machine, program.participant_id) for _ in range(5)))
        assert {answer.text for answer in answers} == {'{"success":true}'}
        assert len(livemon_site.workspace.take_overs._attempts) == 1


async def test_a_runtime_that_does_not_answer_is_said_and_the_claim_taken_back(
    livemon_site: Site, ada: Browser, machine: httpx.AsyncClient, valkey: Redis
):
    """A runtime that writes its call and reads no commands."""
    audio = {"caller": "pcmu", "agent": "pcmu"}
    await livemon_site.runtime.announce("call-1", capabilities=["listen", "take_over"], audio=audio)
    await livemon_site.call("call-1")
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert error(await take_over(machine, program.participant_id)) == (504, "no_answer")
        live = livemon_site.workspace.calls.get("call-1")
        assert live
        assert live.controller is None


async def test_another_keys_participant_and_one_at_another_call_are_not_there(
    livemon_site: Site, ada: Browser, bot: Bot, machine: httpx.AsyncClient
):
    async with livemon_site.machine((await key(ada, "Mallory"))[0]) as mallory, joined(await ask(machine)) as program:
        await program.talk()
        code = error(await mallory.post(TAKE_OVER, json={"participant_id": program.participant_id}))[0]
        assert code in (404, 409)
        body = {"participant_id": program.participant_id}
        assert error(await machine.post("/v2/take-over-live-call/call-2", json=body)) == (404, "not_found")
    assert not livemon_site.workspace.take_overs._attempts
    assert not bot.call.controller


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"participant_id": 5}', b'{"participant_id": "a b"}', b"\xff", b"9" * 9_999]
)
async def test_a_body_that_is_something_else_is_refused(bot: Bot, machine: httpx.AsyncClient, body: bytes):
    assert error(await machine.post(TAKE_OVER, content=body)) == (400, "bad_request")


async def test_an_agent_that_is_silent_for_good_is_told_nothing(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    hints: list[Any] = []
    bot.call.on_inject(hints.append)
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert (await take_over(machine, program.participant_id)).status_code == 200
        body = {"call_control": {"additional_context": "Offer Tuesday.", "trigger_response": True}}
        answer = await machine.patch("/v2/update-live-call/call-1", json=body)
        assert error(answer) == (409, "taken")
        assert answer.json()["message"].startswith("Wallboard has this call")
        assert answer.headers["x-should-retry"] == "false"
    assert not hints


# --- asking for the call on the socket


async def test_the_call_can_be_asked_for_on_the_socket_by_the_key_that_listens(
    livemon_site: Site, ada: Browser, bot: Bot
):
    text = (await key(ada))[0]
    async with livemon_site.machine(text) as machine, joined(await ask(machine)) as program:
        await program.signals.send(type="take_over", api_key=text)
        assert (await program.signals.until("error"))["error"]["code"] == "microphone_not_heard"
        await program.talk()
        await program.signals.send(type="take_over", api_key=text)
        await program.signals.until("taken_over")
        assert bot.call.controller
        await bot.hears(test_microphone.HZ)
    told = [one.outcome for one in await livemon_site.recorded() if one.action == Action.TAKE_OVER]
    assert told[:2] == [Outcome.ASKED, Outcome.TALKING]


async def test_a_token_alone_takes_nothing_over(livemon_site: Site, ada: Browser, bot: Bot):
    """Whoever was given it to listen needs the key besides: that one, and with the right."""
    (text, _), (another, _) = await key(ada), await key(ada, "Another")
    ears, _ = await key(ada, "Ears", Right.WATCH, Right.LISTEN)
    async with livemon_site.machine(text) as machine, joined(await ask(machine)) as program:
        await program.talk()
        for wrong in ("", "lmk_x", another, program.participant_id):
            await program.signals.send(type="take_over", api_key=wrong)
            assert (await program.signals.until("error"))["error"]["code"] == "unauthenticated"
    async with livemon_site.machine(ears) as machine, joined(await ask(machine)) as program:
        await program.signals.send(type="take_over", api_key=ears)
        assert (await program.signals.until("error"))["error"]["code"] == "forbidden"
    assert not livemon_site.workspace.take_overs._attempts
    assert not bot.call.controller


async def test_who_asks_on_the_socket_is_counted_as_elsewhere(livemon_site: Site, ada: Browser, bot: Bot):
    livemon_site.paces[Pace.ACT] = 2
    text = (await key(ada))[0]
    async with livemon_site.machine(text) as machine, joined(await ask(machine)) as program:
        for code in ("microphone_not_heard", "rate_limited"):
            await program.signals.send(type="take_over", api_key=text)
            assert (await program.signals.until("error"))["error"]["code"] == code


# --- what ends it


async def test_a_revoked_key_is_heard_no_more_and_hears_no_more(livemon_site: Site, ada: Browser, bot: Bot):
    text, key_id = await key(ada)
    async with livemon_site.machine(text) as machine, joined(await ask(machine)) as program:
        await program.talk()
        assert (await take_over(machine, program.participant_id)).status_code == 200
        await bot.hears(test_microphone.HZ)
        await ada.post(f"/keys/{key_id}/revoke")
        assert await program.signals.closed() == (4401, "session_ended")
        await until(lambda: not livemon_site.workspace.talking._links)
        await until(lambda: not livemon_site.workspace.listening.count("call-1"))
    assert bot.call.agent_silent, "the agent never comes back"


async def test_who_has_the_call_and_loses_the_socket_has_it_until_the_microphone_goes(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert (await take_over(machine, program.participant_id)).status_code == 200
        await program.signals.connection.close()
        await until(lambda: not livemon_site.workspace.listening.count("call-1"))
        await bot.hears(test_microphone.HZ)
        again = await take_over(machine, program.participant_id)
        assert again.json() == {"success": True}
    await until(lambda: not livemon_site.workspace.talking._links)
    assert error(await take_over(machine, program.participant_id)) == (404, "not_found")


async def test_in_the_callers_hanging_up_everything_ends(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    async with joined(await ask(machine)) as program:
        await program.talk()
        assert (await take_over(machine, program.participant_id)).status_code == 200
        bot.call.end("user_hangup")
        assert (await program.signals.state("ended"))["reason"] == "ended"
        assert await program.signals.closed() == (1000, "call_ended")


async def test_while_nobody_knows_that_is_what_is_answered_and_who_has_it_is_told_later(
    own_valkey: ValkeyProcess, tmp_path: Path, made_database: Path
):
    """Redis is gone in the middle: the claim has reached the runtime, and its accept reaches nobody."""
    shutil.copy(made_database, tmp_path)
    redis = Redis.from_url(own_valkey.url)
    async with site(own_valkey.url, tmp_path, redis) as at, Runtime(own_valkey.url, name="front-desk") as runtime:
        bot = Bot(runtime)

        @bot.call.on_take_over
        def meet(supervisor: Supervisor) -> None:
            bot.meet(supervisor)
            own_valkey.kill()

        await at.call("call-1")
        async with at.machine((await key(await at.sign_in()))[0]) as machine, joined(await ask(machine)) as program:
            await program.talk()
            answer = await take_over(machine, program.participant_id)
            assert error(answer) == (503, "redis_away")
            assert "nobody knows yet" in answer.json()["message"]
            assert answer.headers["x-should-retry"] == "false"
            assert bot.call.agent_silent, "it holds its tongue until it knows"
            again = await take_over(machine, program.participant_id)
            assert error(again) == (503, "redis_away"), "it is the same take-over"
            own_valkey.start()
            await program.signals.state("checking")
            said = await program.signals.state("talking", "lost", "cancelled")
            has_it = said["state"] == "talking"
            assert ((await take_over(machine, program.participant_id)).status_code == 200) is has_it
            await until(lambda: bot.call.agent_silent is has_it)
    await redis.aclose()


# --- what is sent that should not be


async def test_one_stranger_keeps_nobody_else_out(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    """As many sockets as one may have, on which nothing is said."""
    given = await ask(machine)
    connect = partial(websockets.connect, given["url"], local_addr=("127.0.0.2", 0), open_timeout=60)
    async with AsyncExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            await stack.enter_async_context(connect())
        one_more = Signals(await stack.enter_async_context(connect()))
        assert await one_more.closed() == (1013, "too_many")
        async with joined(given):
            assert livemon_site.workspace.listening.count("call-1") == 1


async def test_who_does_not_join_in_time_is_let_go(livemon_site: Site, bot: Bot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_audio, "JOIN_WITHIN_S", 0.2)
    async with signalling(f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1") as signals:
        assert await signals.closed() == (1008, "nobody_joined")


async def test_no_cookie_and_no_key_lets_anybody_in_where_a_token_is_needed(livemon_site: Site, ada: Browser, bot: Bot):
    url = f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1"
    headers = {"Cookie": ada._headers["cookie"], "Authorization": f"Bearer {(await key(ada))[0]}"}
    async with websockets.connect(url, additional_headers=headers, origin=livemon_site.origin) as connection:
        await connection.send(json.dumps({"type": "join", "access_token": "", "sdp": RECEIVE}))
        assert json.loads(await connection.recv())["error"]["code"] == "unauthenticated"


async def test_messages_that_mean_nothing_are_answered_and_hurt_nobody(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    async with joined(await ask(machine)) as program:
        await livemon_fuzz(program.signals.connection)
        voice = await program.talk()
        assert (await take_over(machine, program.participant_id)).status_code == 200
        assert voice


async def livemon_fuzz(connection: Any) -> None:
    for message in ("", "{", "null", "[]", "5", '{"type": "join"}', '{"type": "talk"}', b"\xff\xfe", '{"type": {}}'):
        await connection.send(message)
        assert json.loads(await connection.recv())["error"]["code"] == "bad_request"
    await connection.send(json.dumps({"type": "talk", "sdp": "v=0"}))
    assert json.loads(await connection.recv())["error"]["code"] == "bad_request"


ANYTHING = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["type", "access_token", "sdp"]), st.text(max_size=50)).map(json.dumps),
    st.tuples(st.text(max_size=20), st.text(max_size=60)).map(
        lambda one: json.dumps({"type": "join", "access_token": f"lmt_{one[0]}.{one[1]}", "sdp": one[1]})
    ),
)


async def test_whatever_comes_first_opens_nothing_and_the_call_goes_on(
    livemon_site: Site, bot: Bot, machine: httpx.AsyncClient
):
    url = f"ws://127.0.0.1:{livemon_site.port}/v2/live-audio/call-1"

    async def throw(first: str | bytes) -> None:
        async with signalling(url) as signals:
            await signals.connection.send(first)
            code, _ = await signals.closed()
            assert code in (4400, 4401)

    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ANYTHING)
    def fuzz(first: str | bytes) -> None:
        asyncio.run_coroutine_threadsafe(throw(first), loop).result(60)

    await asyncio.to_thread(fuzz)
    async with joined(await ask(machine)):
        assert livemon_site.workspace.listening.count("call-1") == 1


async def test_a_flood_closes_the_socket(livemon_site: Site, bot: Bot, machine: httpx.AsyncClient):
    async with joined(await ask(machine)) as program:
        with suppress(ConnectionClosed):
            for _ in range(400):
                await program.signals.connection.send("x")
        assert await program.signals.closed() in ((1008, "too_much"), (1013, "too_slow"))
    await until(lambda: not livemon_site.workspace.listening.count("call-1"))
