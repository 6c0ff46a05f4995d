"""Each right by itself, at the sockets and endpoints: what one lacks is not told, not begun, and noted (docs/rights.md)."""

import asyncio
import json
from typing import Any

import pytest

from livemon.access import members
from livemon.access.roles import CALL_RIGHTS, Right, Role
from livemon.masking.text import MASK
from livemon.store.audit.acts import Action, Outcome
from tests.api.site import Browser, Site, Socket
from tests.calls.live_part import until

PHONE = "+12125550184"
CARD = "4242 4242 4242 4242"
SECRETS = ("2125550184", "4242", "ada@example.org")


async def member(site: Site, *rights: Right, name: str = "Mo") -> Browser:
    """Somebody whose role has these rights."""
    site.rights[Role.MEMBER] = frozenset(rights)
    return await site.sign_in(name, Role.MEMBER)


async def speak_of_secrets(site: Site) -> None:
    """A call in which everything that should be masked is said, wherever a runtime may put it."""
    runtime = site.runtime
    await runtime.announce(
        "call-1", from_number=PHONE, agent_name=f"Ada {PHONE}", metadata={"mail": "ada@example.org", CARD: [CARD]}
    )
    arguments = json.dumps({"card": CARD, "deep": json.dumps({"mail": "ada@example.org"})})
    await runtime.append("call-1", 1, id="t1", role="user", content=f"My card is {CARD}", time_ms=1)
    await runtime.append(
        "call-1", 2, id="t2", role="tool_call_invocation", tool_call_id="c1", name="pay", arguments=arguments, time_ms=2
    )
    await runtime.append("call-1", 3, id="t3", role="tool_call_result", tool_call_id="c1", content=arguments, time_ms=3)
    await runtime.append("call-1", 4, id="t4", role="sms", content=f"Call {PHONE}", time_ms=4)
    await runtime.append("call-1", 5, id="t5", role="injected", content="ada@example.org", time_ms=5)
    await runtime.append("call-1", 6, id="t6", role="user", content="4242, and", time_ms=6)
    await site.call("call-1")


class Wire:
    """A socket whose every letter is kept."""

    def __init__(self, socket: Socket) -> None:
        self._socket, self.raw = socket, ""

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            async with asyncio.timeout(30):
                text = await self._socket.connection.recv()
            self.raw += str(text)
            message = json.loads(text)
            if message["t"] == kind:
                return message


# --- masked on the server


async def test_the_lists_socket_brings_no_number_to_who_may_not_see_numbers(livemon_site: Site):
    await speak_of_secrets(livemon_site)
    mo = await member(livemon_site, Right.WATCH, Right.READ)
    async with mo.socket("/feed/calls") as socket:
        wire = Wire(socket)
        snapshot = await wire.until("snapshot")
        assert snapshot["masked"] is True
        assert [(row["id"], row["from"]) for row in snapshot["calls"]] == [("call-1", MASK)]
        await livemon_site.runtime.announce("call-2", to_number=PHONE)
        await wire.until("diff")
    assert not [secret for secret in SECRETS if secret in wire.raw]


async def test_a_calls_socket_brings_no_number_to_who_may_not_see_numbers(livemon_site: Site):
    await speak_of_secrets(livemon_site)
    mo, ada = await member(livemon_site, Right.WATCH, Right.READ), await livemon_site.sign_in()
    async with mo.socket("/feed/calls/call-1") as socket, ada.socket("/feed/calls/call-1") as other:
        wire, plain = Wire(socket), Wire(other)
        assert (await wire.until("call"))["masked"] is True
        reset = await wire.until("reset")
        assert [item["role"] for item in reset["items"]] == [
            *("user", "tool_call_invocation", "sms", "injected", "user"),
        ]
        await socket.send({"t": "older", "before": reset["items"][-1]["key"]})
        assert len((await wire.until("older"))["items"]) == 4
        partial = {"id": "t7", "role": "user", "content": f"It is {CARD[:-1]}", "time_ms": 7}
        await livemon_site.runtime.say_partial("call-1", **partial)
        put = {item["id"]: item for item in (await wire.until("put"))["items"]}
        assert put["t7"]["content"] == f"It is {MASK}"
        await livemon_site.runtime.end("call-1", reason=f"error_{PHONE}")
        while (await wire.until("call"))["call"]["call_status"] != "ended":
            pass
        assert (await plain.until("reset"))["items"][0]["content"] == f"My card is {CARD}"
    assert not [secret for secret in SECRETS if secret in wire.raw]


async def test_a_runtimes_own_words_are_masked_too(livemon_site: Site):
    runtime = livemon_site.runtime
    await runtime.announce("call-1")
    await livemon_site.call("call-1")
    mo = await member(livemon_site, Right.WATCH, Right.END)
    asking = asyncio.create_task(mo.post("/calls/call-1/end"))
    key = runtime.keys.commands("rt-1")
    await until(lambda: runtime.redis.xlen(key))
    ((_, fields),) = await runtime.redis.xrange(key)
    said = {"code": "refused", "message": f"{PHONE} is paying with {CARD}"}
    result = {"command_id": json.loads(fields[b"data"])["command_id"], "call_id": "call-1", "ok": False, "error": said}
    await runtime.say("command_result", "call-1", json.dumps(result))
    answer = await asking
    assert f"+{MASK} is paying with {MASK}" in answer.json()["error"]["message"]


# --- each right


async def test_who_may_not_read_gets_the_call_and_is_told_that_the_transcript_is_withheld(livemon_site: Site):
    await speak_of_secrets(livemon_site)
    mo = await member(livemon_site, *(CALL_RIGHTS - {Right.READ}))
    async with mo.socket("/feed/calls/call-1") as socket:
        wire = Wire(socket)
        call = await wire.until("call")
        assert (call["call"]["from_number"], call["masked"]) == (PHONE, False)
        assert await wire.until("reset") == {"t": "reset", "items": [], "older": False, "withheld": True}
        await socket.send({"t": "older", "before": [100, 100]})
        assert await wire.until("older") == {"t": "older", "items": [], "older": False, "withheld": True}
        await livemon_site.runtime.append("call-1", 7, id="t7", role="user", content="A secret", time_ms=7)
        await livemon_site.runtime.update("call-1", agent_name="Bob")
        await wire.until("call")
    assert "My card" not in wire.raw
    assert "secret" not in wire.raw
    assert not len(livemon_site.workspace.transcripts)


COMMANDS = [
    (Right.LISTEN, "/calls/call-1/listen", Action.LISTEN),
    (Right.TAKE_OVER, "/calls/call-1/take-over", Action.TAKE_OVER),
    (Right.END, "/calls/call-1/end", Action.END_CALL),
]


@pytest.mark.parametrize(("right", "path", "action"), COMMANDS)
async def test_a_command_needs_its_own_right_and_its_refusal_is_noted(
    livemon_site: Site, right: Right, path: str, action: Action
):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    mo = await member(livemon_site, *(CALL_RIGHTS - {right}))
    answer = await mo.post(path, json={"sdp": "v=0"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert "Ask an admin" in answer.json()["error"]["message"]
    (entry,) = await livemon_site.recorded()
    assert (entry.action, entry.outcome, entry.person) == (action, Outcome.REFUSED, "Mo")


@pytest.mark.parametrize(("right", "path", "action"), COMMANDS)
async def test_a_command_needs_no_other_right_but_that_to_watch(
    livemon_site: Site, right: Right, path: str, action: Action
):
    await livemon_site.runtime.announce("call-1", capabilities=[])
    await livemon_site.call("call-1")
    mo = await member(livemon_site, Right.WATCH, right)
    assert (await mo.post(path, json={"sdp": "v=0"})).status_code in (400, 409), "not for want of a right"
    livemon_site.rights[Role.MEMBER] = frozenset({right})
    assert (await mo.post(path, json={"sdp": "v=0"})).status_code == 403


async def test_to_follow_a_take_over_one_needs_the_right_to_take_over(livemon_site: Site):
    mo = await member(livemon_site, *(CALL_RIGHTS - {Right.TAKE_OVER}))
    async with mo.socket("/take-overs/no-such") as socket:
        assert await socket.closed() == (4403, "forbidden")
    livemon_site.rights[Role.MEMBER] = CALL_RIGHTS
    async with mo.socket("/take-overs/no-such") as socket:
        assert await socket.closed() == (4404, "not_found")


# --- rights that change


@pytest.mark.parametrize("path", ["/feed/calls", "/feed/calls/call-1"])
@pytest.mark.parametrize("lost", [Right.READ, Right.UNMASKED])
async def test_a_socket_closes_for_the_browser_to_come_again_once_one_may_see_less(
    livemon_site: Site, path: str, lost: Right
):
    await speak_of_secrets(livemon_site)
    livemon_site.rights[Role.MEMBER] = CALL_RIGHTS - {lost}
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    async with grace.socket(path) as socket:
        assert (await socket.read())["masked"] is False
        await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
        assert await socket.closed() == (1013, "rights_changed")
    async with grace.socket(path) as socket:
        wire = Wire(socket)
        first = await wire.until("call" if path.endswith("call-1") else "snapshot")
        assert first["masked"] is (lost is Right.UNMASKED)
        if path.endswith("call-1"):
            assert ("withheld" in await wire.until("reset")) is (lost is Right.READ)


async def test_a_socket_closes_for_good_with_the_right_to_watch_alone(livemon_site: Site):
    await livemon_site.sign_in("Another")
    grace = await livemon_site.sign_in("Grace", Role.DEVELOPER)
    async with grace.socket("/feed/calls") as socket:
        await socket.read()
        await members.set_role(livemon_site.store, grace.user_id, "default", Role.MEMBER)
        assert await socket.closed() == (4403, "session_ended")


async def test_who_may_see_more_is_told_more(livemon_site: Site):
    await speak_of_secrets(livemon_site)
    mo = await member(livemon_site, Right.WATCH)
    async with mo.socket("/feed/calls/call-1") as socket:
        await socket.read()
        await members.set_role(livemon_site.store, mo.user_id, "default", Role.DEVELOPER)
        assert await socket.closed() == (1013, "rights_changed")
    async with mo.socket("/feed/calls/call-1") as socket:
        assert (await socket.until(lambda message: message["t"] == "reset"))["items"][0]["content"].endswith(CARD)
