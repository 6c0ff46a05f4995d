"""The TwiML that the gateway answers, and how a call goes on after its stream: a supervisor's is never the bot's again."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import httpx
import pytest
from twilio.request_validator import RequestValidator

from livemon_runtime import Runtime
from livemon_runtime.adapters.twilio.after import Step, step_of
from livemon_runtime.adapters.twilio.fates import Fate, Fates
from tests.adapters.twilio.bots import by_hand
from tests.adapters.twilio.carrier import TOKEN, calling, sid
from tests.adapters.twilio.serving import ended, gateway, soon, take_over
from tests.runtime.conftest import Livemon, eventually

BOT = "wss://bot.example.com/ws"
PUBLIC = "https://calls.example.com"
CALL = {"CallSid": sid(), "From": "+12125550184", "To": "+12125550100", "Direction": "outbound-api"}


async def asked(
    port: int, path: str, form: dict[str, str] | None = None, *, get: bool = False, signed: bool = True
) -> httpx.Response:
    """As Twilio asks for TwiML at the public address."""
    form = {**CALL, **(form or {})}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        if get:
            path = str(httpx.URL(path, params={**httpx.URL(path).params, **form}))
        url = PUBLIC + path
        signature = RequestValidator(TOKEN).compute_signature(url, {} if get else form)
        headers = {"X-Twilio-Signature": signature if signed else "no"}
        return await (client.get(path, headers=headers) if get else client.post(path, data=form, headers=headers))


def verbs(answer: httpx.Response) -> list[tuple[str, str]]:
    """Each verb with its address."""
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    found: list[tuple[str, str]] = []
    for verb in ElementTree.fromstring(answer.text):
        stream = verb.find("Stream")
        found.append((verb.tag, (stream.get("url") or "") if stream is not None else (verb.text or "")))
    return found


def parameters(answer: httpx.Response) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in ElementTree.fromstring(answer.text).iter("Parameter")}


AGAIN = [("Connect", "wss://calls.example.com/media"), ("Redirect", f"{PUBLIC}/twiml/after?attempt=2")]
STRAIGHT = [("Connect", BOT)]
HANG_UP = [("Hangup", "")]


@pytest.mark.parametrize("get", [False, True])
async def test_the_twiml_of_a_call_goes_through_the_gateway_and_then_asks_what_has_become_of_it(
    livemon: Livemon, runtime: Runtime, get: bool
) -> None:
    async with gateway(runtime, BOT, public_url=PUBLIC) as serving:
        answer = await asked(serving.port, "/twiml?agent=Ada&seat=7%20b", get=get)
        assert (await asked(serving.port, "/twiml", get=get, signed=False)).status_code == 403
        assert (await asked(serving.port, "/twiml/after", get=get, signed=False)).status_code == 403
    connect, redirect = verbs(answer)
    assert connect == ("Connect", "wss://calls.example.com/media")
    assert redirect[0] == "Redirect"
    assert redirect[1].startswith(f"{PUBLIC}/twiml/after?attempt=1&agent=Ada&seat=7+b")
    given = parameters(answer)
    assert {name: given[name] for name in ("from", "to", "direction", "agent", "seat")} == {
        "from": "+12125550184", "to": "+12125550100", "direction": "outbound", "agent": "Ada", "seat": "7 b",
    }  # fmt: skip


async def test_a_call_that_nobody_knows_goes_through_the_gateway_again_and_in_the_end_past_it(
    livemon: Livemon, runtime: Runtime, valkey_url: str
) -> None:
    async with gateway(runtime, BOT, valkey_url, public_url=PUBLIC) as serving:
        assert verbs(await asked(serving.port, "/twiml/after?attempt=1")) == AGAIN
        assert verbs(await asked(serving.port, "/twiml/after?attempt=3")) == STRAIGHT
        assert verbs(await asked(serving.port, "/twiml/after?attempt=x")) == AGAIN


async def test_with_redis_away_a_call_that_nobody_knows_is_the_bots(livemon: Livemon, runtime: Runtime) -> None:
    async with gateway(runtime, BOT, public_url=PUBLIC) as serving:
        assert verbs(await asked(serving.port, "/twiml/after?attempt=1")) == AGAIN


async def test_a_call_ended_from_livemon_is_hung_up_on_and_its_stream_refused(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url, public_url=PUBLIC, auth_token=TOKEN) as serving:
        async with public_call(serving.port) as carrier:
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            assert (await livemon.ask(runtime, sid(), "end"))["ok"]
            await soon(carrier.closed.is_set)
        assert verbs(await asked(serving.port, "/twiml/after?attempt=1")) == HANG_UP
        async with public_call(serving.port) as carrier:
            await soon(carrier.closed.is_set)
        assert server.made.empty(), "the caller was given back to the bot"
    assert runtime.counters["twilio_over"] == 1


def public_call(port: int) -> Any:
    return calling(port, address=f"{PUBLIC.replace('https', 'wss')}/media")


@pytest.mark.parametrize("after", [None, "https://app.example.com/next"])
async def test_after_the_bot_what_is_configured_follows(livemon: Livemon, runtime: Runtime, after: str | None) -> None:
    async with by_hand() as server, gateway(runtime, server.url, public_url=PUBLIC, after=after) as serving:
        async with public_call(serving.port):
            bot = await server.bot()
            await bot.socket.close()
            await eventually(lambda: ended(livemon, "agent_hangup"))
        answer = verbs(await asked(serving.port, "/twiml/after?attempt=1"))
    assert answer == ([("Redirect", after)] if after else HANG_UP)


async def test_a_stream_that_broke_off_is_taken_up_again_unless_a_supervisor_had_the_caller(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url, public_url=PUBLIC) as serving:
        async with public_call(serving.port):
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            assert verbs(await asked(serving.port, "/twiml/after?attempt=1")) == AGAIN  # before we have noticed
            await eventually(lambda: ended(livemon, "error_carrier_lost"))
        async with public_call(serving.port) as carrier:
            await server.bot()
            await take_over(livemon, runtime, f"{sid()}-2")
            carrier.socket.transport.abort()
            await eventually(lambda: ended(livemon, "error_carrier_lost", f"{sid()}-2"))
        assert verbs(await asked(serving.port, "/twiml/after?attempt=2")) == HANG_UP


async def test_another_gateway_finds_in_redis_what_has_become_of_a_call(
    livemon: Livemon, runtime: Runtime, valkey_url: str
) -> None:
    async with (
        by_hand() as server,
        gateway(runtime, server.url, public_url=PUBLIC) as one,
        gateway(runtime, BOT, valkey_url, public_url=PUBLIC) as other,
        public_call(one.port),
    ):
        await server.bot()
        await eventually(lambda: livemon.call(sid()))
        assert verbs(await asked(other.port, "/twiml/after?attempt=1")) == AGAIN
        await take_over(livemon, runtime)
        assert verbs(await asked(other.port, "/twiml/after?attempt=1")) == HANG_UP


async def test_a_gateway_that_is_draining_sends_new_calls_straight_to_the_bot(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with gateway(runtime, BOT, public_url=PUBLIC) as serving:
        await serving.drain(0.1, print)
        assert verbs(await asked(serving.port, "/twiml")) == STRAIGHT
        assert verbs(await asked(serving.port, "/twiml/after?attempt=1")) == STRAIGHT


@pytest.mark.parametrize(
    ("status", "reason", "step"),
    [
        ("ongoing", None, Step.AGAIN),
        ("taken_over", None, Step.HANG_UP),
        ("error", "error_gateway_stopped", Step.ANEW),
        ("ended", "runtime_lost", Step.ANEW),
        ("ended", "agent_hangup", Step.NEXT),
        ("ended", "user_hangup", Step.NEXT),
        ("ended", "manual_stopped", Step.HANG_UP),
        ("ended", "supervisor_lost", Step.HANG_UP),
        ("ended", None, Step.HANG_UP),
        (None, None, Step.AGAIN),
    ],
)
def test_what_is_stored_of_a_call_says_how_it_goes_on(status: str | None, reason: str | None, step: Step) -> None:
    assert step_of({"call_status": status, "disconnection_reason": reason}) is step


async def test_a_call_that_comes_again_to_another_gateway_after_its_row_ended_has_a_row_of_its_own(
    livemon: Livemon, runtime: Runtime, valkey_url: str
) -> None:
    async with (
        by_hand() as server,
        Runtime(valkey_url, name="other") as other_runtime,
        gateway(other_runtime, server.url, valkey_url, public_url=PUBLIC) as other,
    ):
        async with gateway(runtime, server.url, public_url=PUBLIC) as one, public_call(one.port) as carrier:
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            carrier.socket.transport.abort()
            await eventually(lambda: ended(livemon, "error_carrier_lost"))
        answer = await asked(other.port, "/twiml/after?attempt=1")
        assert verbs(answer) == AGAIN
        async with calling(other.port, address=PUBLIC.replace("https", "wss") + "/media", **parameters(answer)):
            await server.bot()
            await eventually(lambda: livemon.listed())
            assert await livemon.listed() == [f"{sid()}-2"]


def test_what_was_ended_never_lives_again() -> None:
    fates = Fates()
    assert fates.become("CA1", Fate.LIVE)
    assert not fates.become("CA1", Fate.LIVE)
    assert fates.become("CA1", Fate.OVER)
    assert not fates.become("CA1", Fate.LIVE)
    assert fates.of("CA1") is Fate.OVER
    for n in range(10_001):
        fates.become(f"CA-{n}", Fate.LIVE)
    assert fates.of("CA1") is None
