"""End: by Twilio's REST API with credentials, by closing the stream without, and which of them is said truthfully."""

import base64
from typing import Any

import pytest

from livemon_runtime import Runtime
from tests.adapters.twilio.bots import by_hand
from tests.adapters.twilio.carrier import ACCOUNT, TOKEN, calling, sid
from tests.adapters.twilio.rest import twilio_rest
from tests.adapters.twilio.serving import ended, gateway, soon, take_over
from tests.runtime.conftest import Livemon, eventually


async def notes(livemon: Livemon) -> list[str]:
    return [entry["content"] for entry in await livemon.transcript(sid()) if entry["role"] == "note"]


@pytest.mark.parametrize(
    ("more", "user"),
    [({}, f"{ACCOUNT}:{TOKEN}"), ({"api_key": "SK1", "api_secret": "secret"}, "SK1:secret")],
    ids=["token", "API key"],
)
async def test_with_credentials_the_call_is_completed_by_rest(
    livemon: Livemon, runtime: Runtime, more: dict[str, Any], user: str
) -> None:
    async with by_hand() as server, twilio_rest() as rest:
        own = {"account_sid": ACCOUNT, "api_url": rest.url, **more}
        async with gateway(runtime, server.url, **own) as serving, calling(serving.port) as carrier:
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            rest.ended = carrier.stop  # as Twilio does: the stream is over before the answer is there
            assert await livemon.ask(runtime, sid(), "end")
            await eventually(lambda: ended(livemon, "manual_stopped"))
            await soon(carrier.closed.is_set)
    ((path, authorization, form),) = rest.asked
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid()}.json"
    assert form == {"Status": "completed"}
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == user
    assert len(await notes(livemon)) == 1, "more than why there is no transcript"


async def test_without_credentials_the_stream_is_closed_and_the_transcript_says_what_that_means(
    livemon: Livemon, runtime: Runtime
) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        bot = await server.bot()
        await eventually(lambda: livemon.call(sid()))
        assert (await livemon.ask(runtime, sid(), "end"))["ok"]
        await eventually(lambda: ended(livemon, "manual_stopped"))
        await soon(carrier.closed.is_set)
        await soon(bot.closed.is_set)
    assert any("by closing Twilio's stream" in note for note in await notes(livemon))


async def test_a_rest_api_that_fails_once_is_asked_again(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, twilio_rest() as rest:
        rest.answers = [500, 429]
        async with (
            gateway(runtime, server.url, account_sid=ACCOUNT, api_url=rest.url) as serving,
            calling(serving.port),
        ):
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            assert (await livemon.ask(runtime, sid(), "end"))["ok"]
    assert len(rest.asked) == 3


@pytest.mark.parametrize(("answers", "tries"), [([500] * 9, 3), ([401] * 9, 1)], ids=["down", "refused"])
async def test_a_rest_api_that_does_not_end_the_call_is_said_and_the_stream_closed(
    livemon: Livemon, runtime: Runtime, answers: list[int], tries: int
) -> None:
    async with by_hand() as server, twilio_rest() as rest:
        rest.answers = list(answers)
        own = {"account_sid": ACCOUNT, "api_url": rest.url}
        async with gateway(runtime, server.url, **own) as serving, calling(serving.port) as carrier:
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            answer = await livemon.ask(runtime, sid(), "end")
            assert not answer["ok"]
            assert answer["error"]["code"] == "failed"
            assert f"HTTP {answers[0]}" in answer["error"]["message"]
            assert "stream was closed instead" in answer["error"]["message"]
            await soon(carrier.closed.is_set)
            await eventually(lambda: ended(livemon, "manual_stopped"))
    assert len(rest.asked) == tries


async def test_a_rest_api_that_hangs_holds_nobody_up_for_long(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, twilio_rest() as rest:
        rest.hangs = True
        own = {"account_sid": ACCOUNT, "api_url": rest.url}
        async with gateway(runtime, server.url, **own) as serving, calling(serving.port) as carrier:
            await server.bot()
            await eventually(lambda: livemon.call(sid()))
            answer = await livemon.ask(runtime, sid(), "end")
            assert answer["error"]["code"] == "failed"
            assert "no answer" in answer["error"]["message"]
            await soon(carrier.closed.is_set)


async def test_a_supervisor_ends_the_call_that_they_have(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port) as carrier:
        await server.bot()
        await take_over(livemon, runtime)
        assert (await livemon.ask(runtime, sid(), "end"))["ok"]
        await eventually(lambda: ended(livemon, "manual_stopped"))
        await soon(carrier.closed.is_set)


async def test_a_hint_is_refused_with_the_reason(livemon: Livemon, runtime: Runtime) -> None:
    async with by_hand() as server, gateway(runtime, server.url) as serving, calling(serving.port):
        await server.bot()
        await eventually(lambda: livemon.call(sid()))
        answer = await livemon.ask(runtime, sid(), "inject", content="Offer a drink.", trigger_response=True)
    assert answer["error"]["code"] == "unsupported"
    assert "Media Streams" in answer["error"]["message"]
