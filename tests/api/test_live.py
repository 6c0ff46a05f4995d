"""The list's socket, a call's socket and ending a call, as a browser meets them on a real server."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from livemon.access import members
from livemon.access.roles import Role
from livemon.api import sockets
from livemon.api.sockets import MAX_MESSAGE
from livemon_runtime import Runtime
from tests.api.site import Site
from tests.calls.live_part import until

# --- the list


async def test_the_list_begins_with_a_snapshot_and_goes_on_in_sequence(livemon_site: Site):
    await livemon_site.runtime.announce("there", agent_name="Ada")
    await livemon_site.call("there")
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/calls") as socket:
        snapshot = await socket.read()
        assert (snapshot["t"], snapshot["feed"]) == ("snapshot", {"state": "live", "since": None})
        rows = {row["id"]: row for row in snapshot["calls"]}
        seq = snapshot["seq"]
        await livemon_site.runtime.announce("new")
        await livemon_site.runtime.end("there")
        new: list[str] = []
        while rows.keys() != {"new"}:
            diff = await socket.read()
            assert (diff["t"], diff["seq"]) == ("diff", seq + 1)
            seq = diff["seq"]
            rows |= {row["id"]: rows.get(row["id"], {}) | row for row in diff["put"]}
            new += diff["new"]
            for call_id in diff["drop"]:
                del rows[call_id]
        assert new == ["new"]


async def test_what_a_browser_says_to_the_list_is_ignored(livemon_site: Site):
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/calls") as socket:
        await socket.read()
        for message in ("rubbish", "[]", '{"t": "older", "before": [1, 2]}', b"\xff", "null", '{"t": "older"}'):
            await socket.send(message)
        await livemon_site.runtime.announce("new")
        assert (await socket.until(lambda message: message["t"] == "diff"))["new"] == ["new"]


async def test_one_session_has_so_many_sockets_and_no_more(livemon_site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sockets, "MAX_HOLDERS", 3)
    ada, grace = await livemon_site.sign_in(), await livemon_site.sign_in("Grace")
    async with AsyncExitStack() as opened:
        several = [await opened.enter_async_context(ada.socket("/feed/calls")) for _ in range(3)]
        for socket in several:
            await socket.read()
        async with ada.socket("/feed/calls") as one_more:
            with pytest.raises(ConnectionClosed) as closed:
                await one_more.read()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too_many")
        async with grace.socket("/feed/calls") as another:
            assert (await another.read())["t"] == "snapshot"
    await until(lambda: not livemon_site.sessions.holders(ada.session_id))
    async with ada.socket("/feed/calls") as again:
        assert (await again.read())["t"] == "snapshot"


# --- a call


async def test_a_calls_socket_tells_the_call_and_its_transcript_from_the_first_word(livemon_site: Site):
    runtime = livemon_site.runtime
    await runtime.announce("call-1", agent_name="Ada")
    for n in range(1, 601):
        await runtime.append("call-1", n, id=f"t{n}", role="agent", content=f"word {n}", time_ms=n)
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/calls/call-1") as socket:
        assert (await socket.read())["call"]["agent_name"] == "Ada"
        reset = await socket.until(lambda message: message["t"] == "reset")
        assert (len(reset["items"]), reset["older"]) == (500, True)
        await socket.send({"t": "older", "before": reset["items"][0]["key"]})
        older = await socket.until(lambda message: message["t"] == "older")
        assert [item["content"] for item in older["items"]] == [f"word {n}" for n in range(1, 101)]
        assert older["older"] is False
        await runtime.end("call-1")
        ended = await socket.until(lambda message: message["t"] == "call" and message["call"]["call_status"] == "ended")
        assert ended["call"]["disconnection_reason"] == "user_hangup"
    async with ada.socket("/feed/calls/call-1") as socket:
        assert (await socket.read())["call"]["call_status"] == "ended", "for an hour it can be opened still"


@pytest.mark.parametrize(
    "before", ["[]", "[1]", "[1, 2, 3]", '["a", 1]', "[true, 1]", "null", "[1.5, 2]", "{}", "[[], 1]"]
)
async def test_a_question_that_makes_no_sense_is_ignored(livemon_site: Site, before: str):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/calls/call-1") as socket:
        await socket.until(lambda message: message["t"] == "reset")
        await socket.send(f'{{"t": "older", "before": {before}}}')
        await livemon_site.runtime.update("call-1", agent_name="Ada")
        message = await socket.read()
        assert message["t"] == "call"
        assert message["call"]["agent_name"] == "Ada"


async def test_a_question_with_the_largest_numbers_is_answered(livemon_site: Site):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/calls/call-1") as socket:
        await socket.until(lambda message: message["t"] == "reset")
        for before in ([2**62, -(2**62)], [-5, 0]):
            await socket.send({"t": "older", "before": before})
            assert await socket.read() == {"t": "older", "items": [], "older": False}


@pytest.mark.parametrize("name", ["nobody", "a%20b", "call-1:transcript", "x" * 200])
async def test_a_call_that_is_not_there_closes_as_not_found(livemon_site: Site, name: str):
    ada = await livemon_site.sign_in()
    async with ada.socket(f"/feed/calls/{name}") as socket:
        assert (await socket.closed())[0] == 4404


async def test_two_tabs_on_one_call_have_one_reader_and_the_last_one_takes_it_along(livemon_site: Site):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    transcripts = livemon_site.workspace.transcripts
    async with ada.socket("/feed/calls/call-1") as first:
        await first.read()
        async with ada.socket("/feed/calls/call-1") as second:
            await second.read()
            assert len(transcripts) == 1
        await livemon_site.runtime.update("call-1", agent_name="Ada")
        await first.until(lambda message: message["t"] == "call" and message["rev"] == 2)
        assert len(transcripts) == 1
    await until(lambda: len(transcripts) == 0)


# --- who may

FEEDS = ["/feed/calls", "/feed/calls/call-1"]


@pytest.mark.parametrize("path", FEEDS)
async def test_a_member_without_the_right_is_turned_away(livemon_site: Site, path: str):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    mallory = await livemon_site.sign_in("Mallory", Role.MEMBER)
    async with mallory.socket(path) as socket:
        assert (await socket.closed()) == (4403, "forbidden")
    assert (await mallory.post("/calls/call-1/end")).status_code == 403
    assert livemon_site.workspace.calls.get("call-1").listed


@pytest.mark.parametrize("path", FEEDS)
async def test_a_socket_closes_with_the_session(livemon_site: Site, path: str):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    async with ada.socket(path) as socket:
        await socket.read()
        await livemon_site.sessions.end(ada.session_id)
        assert (await socket.closed())[0] == 4401
    await until(lambda: len(livemon_site.workspace.transcripts) == 0)


@pytest.mark.parametrize("path", FEEDS)
async def test_a_socket_closes_with_the_role(livemon_site: Site, path: str):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    async with grace.socket(path) as socket:
        await socket.read()
        await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
        assert (await socket.closed())[0] == 4403
    assert (await grace.post("/calls/call-1/end")).status_code == 403


@pytest.mark.parametrize("path", FEEDS)
async def test_a_flood_or_a_long_message_closes_the_socket(livemon_site: Site, path: str):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    async with ada.socket(path) as socket:
        await socket.send("x" * (MAX_MESSAGE + 1))
        assert (await socket.closed()) == (1008, "too_much")
    async with ada.socket(path) as socket:
        with suppress(ConnectionClosed):
            for _ in range(1_000):
                await socket.send("hello?")
        assert (await socket.closed()) == (1008, "too_much")


# --- ending


async def test_ending_a_call_answers_once_its_runtime_has_said_so(livemon_site: Site, valkey_url: str):
    async with Runtime(valkey_url, name="front-desk") as bot:
        await bot.alive.wait()
        call = bot.call(call_id="call-1")
        call.on_end(lambda _command: None)
        await until(lambda: (one := livemon_site.workspace.calls.get("call-1")) and "end" in one.call.capabilities)
        ada = await livemon_site.sign_in()
        async with ada.socket("/feed/calls") as socket:
            await socket.read()
            answer = await ada.post("/calls/call-1/end")
            assert (answer.status_code, answer.json()) == (200, {"ok": True})
            await socket.until(lambda message: "call-1" in message.get("drop", []))
        assert (await ada.post("/calls/call-1/end")).json() == {"ok": True}, "twice is harmless"


@pytest.mark.parametrize("name", ["nobody", "a%20b", "call-1:transcript"])
async def test_ending_what_is_not_there_is_not_found(livemon_site: Site, name: str):
    answer = await (await livemon_site.sign_in()).post(f"/calls/{name}/end")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_a_refusal_is_an_error_with_the_runtimes_reason(livemon_site: Site):
    runtime = livemon_site.runtime
    await runtime.announce("call-1")
    await livemon_site.call("call-1")
    ada = await livemon_site.sign_in()
    asking = asyncio.create_task(ada.post("/calls/call-1/end"))
    key = runtime.keys.commands("rt-1")
    await until(lambda: runtime.redis.xlen(key))
    ((_, fields),) = await runtime.redis.xrange(key)
    command = json.loads(fields[b"data"])
    assert (command["by"], command["by_name"]) == (ada.user_id, "Ada")
    said = {"code": "refused", "message": "Not now"}
    result = {"command_id": command["command_id"], "call_id": "call-1", "ok": False, "error": said}
    await runtime.say("command_result", "call-1", json.dumps(result))
    answer = await asking
    assert answer.status_code == 409
    assert "Not now" in answer.json()["error"]["message"]


async def test_a_call_that_cannot_be_ended_says_so(livemon_site: Site):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    answer = await (await livemon_site.sign_in()).post("/calls/call-1/end")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "unsupported")


async def test_a_runtime_that_is_gone_is_no_answer(livemon_site: Site):
    await livemon_site.runtime.announce("call-1")
    await livemon_site.call("call-1")
    await livemon_site.runtime.gone()
    answer = await (await livemon_site.sign_in()).post("/calls/call-1/end")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "no_answer")
