"""The monitor's socket: who may, what comes in which order, and how it ends."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from livemon.access.roles import Right, Role
from livemon_runtime import Runtime
from tests.api.site import Browser, Site, Socket
from tests.api.test_rights import CARD, PHONE, SECRETS, speak_of_secrets
from tests.api.v2.test_live_calls import key
from tests.calls.live_part import until

PATH = "/v2/monitor-call/call-1"


@pytest.fixture
async def ada(livemon_site: Site) -> Browser:
    return await livemon_site.sign_in()


@pytest.fixture
async def text(ada: Browser) -> str:
    """A key with every right."""
    return (await key(ada))[0]


@pytest.fixture
async def runtime(valkey_url: str, livemon_site: Site) -> AsyncIterator[Runtime]:
    async with Runtime(valkey_url, name="front-desk") as running:
        yield running


class Kept:
    """What a program has that merges by id, as Retell's client does."""

    def __init__(self, socket: Socket) -> None:
        self.socket, self.entries, self.told = socket, {}, []

    async def until(self, kind: str, fits: Any = lambda _: True) -> dict[str, Any]:
        while True:
            message = await self.socket.read()
            self.told.append(message["type"])
            self.entries |= {one["id"]: one for one in message.get("transcripts", [])}
            if message["type"] == kind and fits(message):
                return message

    @property
    def in_order(self) -> list[dict[str, Any]]:
        return sorted(self.entries.values(), key=lambda one: one["time_sec"])


async def test_from_mid_call_to_the_end_with_partials_tools_and_everything_else(
    livemon_site: Site, runtime: Runtime, text: str
):
    call = runtime.call(call_id="call-1", agent_name="Ada", from_number=PHONE)
    call.agent_turn().final("Good morning.")
    call.tool_call("t1", "find_booking", {"name": "Bo"})
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        kept = Kept(socket)
        snapshot = await kept.until("transcript_snapshot")
        assert kept.told == ["transcript_snapshot"]
        assert snapshot["call"]["from_number"] == PHONE
        assert [one["role"] for one in snapshot["transcripts"]] == ["agent", "tool_call_invocation"]
        turn = call.user_turn()
        turn.partial("I would")
        growing = await kept.until("transcript_updated")
        assert [(one["content"], one["final"]) for one in growing["transcripts"]] == [("I would", False)]
        turn.final("I would like a table.")
        call.tool_result("t1", {"found": 2}, successful=True)
        call.node_transition(new_node_name="Booking")
        call.dtmf("5")
        call.sms("Your table.")
        call.injected("She is a regular.", by="Bo")
        await kept.until(
            "transcript_updated", lambda _: any(one["role"] == "injected" for one in kept.entries.values())
        )
        call.update(agent_name="Ada II")
        assert (await kept.until("call_updated"))["call"]["agent_name"] == "Ada II"
        call.agent_turn().final("Goodbye.")
        call.end("user_hangup")
        ended = await kept.until("call_ended")
        assert (ended["disconnection_reason"], ended["event_timestamp"] > 0) == ("user_hangup", True)
        assert await socket.closed() == (1000, "call_ended")
    turns = [one["content"] for one in kept.in_order if one["role"] in ("user", "agent")]
    assert turns == ["Good morning.", "I would like a table.", "Goodbye."], "the last words come before the end"
    (found,) = [one for one in kept.entries.values() if one["role"] == "tool_call_result"]
    assert (found["tool_call_id"], json.loads(found["content"]), found["successful"]) == ("t1", {"found": 2}, True)
    roles = {one["role"] for one in kept.entries.values()}
    assert roles >= {"node_transition", "dtmf", "sms", "injected", "tool_call_invocation"}


async def test_a_call_that_has_ended_is_told_whole_and_that_it_is_over(livemon_site: Site, runtime: Runtime, text: str):
    call = runtime.call(call_id="call-1")
    call.agent_turn().final("Hello.")
    await livemon_site.call("call-1")
    call.agent_turn().final("Goodbye.")
    call.end("agent_hangup")
    await until(lambda: livemon_site.workspace.calls.get("call-1") is None)
    async with livemon_site.machine_socket(text, PATH) as socket:
        kept = Kept(socket)
        await kept.until("call_ended")
        assert [one["content"] for one in kept.in_order] == ["Hello.", "Goodbye."]
        assert kept.told[0] == "transcript_snapshot"
        assert await socket.closed() == (1000, "call_ended")


async def test_a_long_call_is_told_from_its_beginning(livemon_site: Site, text: str):
    await livemon_site.runtime.announce()
    for n in range(1, 1_302):
        await livemon_site.runtime.append("call-1", n, id=f"t{n}", role="user", content=str(n), time_ms=n)
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        kept = Kept(socket)
        await kept.until("transcript_snapshot")
        assert len(kept.entries) <= 500
        await kept.until("transcript_updated", lambda _: len(kept.entries) == 1_301)
        assert [one["content"] for one in kept.in_order] == [str(n) for n in range(1, 1_302)]


async def test_a_slow_reader_gets_a_fresh_snapshot_and_misses_nothing(livemon_site: Site, text: str):
    await livemon_site.runtime.announce()
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        kept = Kept(socket)
        await kept.until("transcript_snapshot")
        watched = livemon_site.workspace.transcripts._watched["call-1"]
        (outbox,) = watched._outboxes
        for n in range(1, 500):
            await livemon_site.runtime.append("call-1", n, id=f"t{n}", role="user", content=str(n), time_ms=n)
            if n == 250:
                outbox.renew()  # as when more than fits has waited
        await kept.until("transcript_updated", lambda _: len(kept.entries) == 499)
    assert kept.told.count("transcript_snapshot") == 2


@pytest.mark.parametrize(("call_id", "code"), [("call-2", 4004), ("a%20b", 4404)])
async def test_a_call_that_is_not_live_yet_is_to_be_asked_for_again(
    livemon_site: Site, text: str, call_id: str, code: int
):
    async with livemon_site.machine_socket(text, f"/v2/monitor-call/{call_id}") as socket:
        assert (await socket.closed())[0] == code


async def test_a_call_that_only_is_registered_is_not_live_yet(livemon_site: Site, text: str):
    await livemon_site.runtime.announce("call-1", call_status="registered")
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        assert await socket.closed() == (4004, "not_live")
    await livemon_site.runtime.update("call-1")
    await until(lambda: livemon_site.workspace.calls.get("call-1").listed)
    async with livemon_site.machine_socket(text, PATH) as socket:
        assert (await socket.read())["type"] == "transcript_snapshot"


async def test_another_workspaces_call_is_one_that_is_not_there(two_workspaces: Site):
    site = two_workspaces
    await site.runtime.announce("call-1")
    await site.call("call-1")
    maya = await site.sign_in("Maya", workspace="other")
    async with site.machine_socket((await key(maya))[0], PATH) as socket:
        assert await socket.closed() == (4004, "not_live")


async def test_numbers_are_masked_for_a_key_that_may_not_see_them(livemon_site: Site, ada: Browser):
    await speak_of_secrets(livemon_site)
    masked, _ = await key(ada, "Masked", Right.WATCH, Right.READ)
    async with livemon_site.machine_socket(masked, PATH) as socket:
        raw = json.dumps(await socket.read())
        await livemon_site.runtime.append("call-1", 7, id="t7", role="user", content=f"again {CARD}", time_ms=7)
        raw += json.dumps(await socket.until(lambda message: message["type"] == "transcript_updated"))
    assert not [word for word in SECRETS if word in raw]
    assert "transcript_snapshot" in raw


async def test_a_key_without_the_right_to_read_is_told_of_the_call_and_not_a_word_of_it(
    livemon_site: Site, ada: Browser, runtime: Runtime
):
    call = runtime.call(call_id="call-1")
    call.agent_turn().final("Secret words.")
    await livemon_site.call("call-1")
    text, _ = await key(ada, "Counter", Right.WATCH)
    async with livemon_site.machine_socket(text, PATH) as socket:
        snapshot = await socket.read()
        assert (snapshot["withheld"], snapshot["transcripts"]) == (True, [])
        call.end("user_hangup")
        raw = json.dumps(await socket.until(lambda message: message["type"] == "call_ended"))
        assert "Secret" not in raw
        assert await socket.closed() == (1000, "call_ended")


# --- who may


async def test_a_member_and_a_stranger_are_refused_for_good(livemon_site: Site):
    max_ = await livemon_site.sign_in("Max", Role.MEMBER)
    async with max_.socket(PATH) as socket:
        assert (await socket.closed())[0] == 4403
    async with livemon_site.machine_socket("key_of_another_service", PATH) as socket:
        assert (await socket.closed())[0] == 4401


async def test_a_client_that_can_send_no_header_brings_the_key_as_a_subprotocol(
    livemon_site: Site, ada: Browser, text: str
):
    """As Retell's own client does it; the key is never answered."""
    await livemon_site.runtime.announce()
    await livemon_site.call("call-1")
    url = f"ws://127.0.0.1:{livemon_site.port}{PATH}"
    async with websockets.connect(url, subprotocols=["bearer", text]) as connection:  # pyright: ignore[reportArgumentType]
        assert connection.subprotocol == "bearer"
        assert json.loads(await connection.recv())["type"] == "transcript_snapshot"
        assert text not in str(connection.response.headers if connection.response else "")
    for offered in (["bearer", "lmk_wrong"], ["bearer"], ["bearer", text, "more"]):
        async with websockets.connect(url, subprotocols=offered) as connection:  # pyright: ignore[reportArgumentType]
            assert (await Socket(connection).closed())[0] in (4401, 4403)


async def test_a_page_of_another_site_gets_nothing_by_a_key_that_it_has(livemon_site: Site, text: str):
    await livemon_site.runtime.announce()
    url = f"ws://127.0.0.1:{livemon_site.port}{PATH}"
    offered: Any = ["bearer", text]
    async with websockets.connect(url, subprotocols=offered, origin="https://evil.example") as connection:
        assert await Socket(connection).closed() == (4403, "cross_site")


async def test_a_revoked_key_closes_it(livemon_site: Site, ada: Browser):
    await livemon_site.runtime.announce()
    await livemon_site.call("call-1")
    text, key_id = await key(ada)
    async with livemon_site.machine_socket(text, PATH) as socket:
        await socket.read()
        await ada.post(f"/keys/{key_id}/revoke")
        assert await socket.closed() == (4401, "session_ended")


async def test_what_a_program_sends_is_ignored_and_a_flood_closes_it(livemon_site: Site, text: str):
    await livemon_site.runtime.announce()
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        await socket.read()
        for message in ("", "{", '{"t": "older", "before": [5, 1]}', b"\xff", "x" * 4_000):
            await socket.send(message)
        await livemon_site.runtime.append("call-1", 1, id="t1", role="user", content="Hello", time_ms=1)
        assert (await socket.read())["transcripts"][0]["content"] == "Hello"
        await socket.send("x" * 5_000)
        assert await socket.closed() == (1008, "too_much")


async def test_an_outage_of_redis_is_told_and_its_end(livemon_site: Site, text: str):
    """The feed's own word; that it comes is `tests/calls`' business."""
    await livemon_site.runtime.announce()
    await livemon_site.call("call-1")
    async with livemon_site.machine_socket(text, PATH) as socket:
        assert (await socket.read())["feed"] == {"state": "live", "since": None}
        state = livemon_site.workspace.calls.state
        livemon_site.workspace.transcripts._on_state(type(state)("stale", 5))
        told = await socket.until(lambda message: message["type"] == "feed_updated")
        assert told["feed"] == {"state": "stale", "since": 5}
