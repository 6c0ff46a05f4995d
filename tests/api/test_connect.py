"""The runtimes' socket and the password of Redis, as a browser meets them on a real server."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from livemon.access.administration import Administration
from livemon.access.api_keys import WantedKey, make_key
from livemon.access.roles import CALL_RIGHTS, Right, Role
from tests.api.site import Browser, Site
from tests.api.test_recording import no_writes

PASSWORD = "p$HOME'\"x"
URL = f"redis://agent:{PASSWORD}@redis.example.com:6379/0"


async def refused(browser: Browser) -> int:
    async with browser.socket("/feed/runtimes") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.read()
        return closed.value.rcvd.code


# --- the socket


async def test_it_tells_the_runtimes_and_the_first_call_as_they_come(livemon_site: Site):
    ada = await livemon_site.sign_in()
    async with ada.socket("/feed/runtimes") as socket:
        there = await socket.until(lambda message: message.get("state") == "runtime")
        assert [one["name"] for one in there["runtimes"]] == ["raw"]
        assert there["feed"] == {"state": "live", "since": None}
        await livemon_site.runtime.announce("c-1", agent_name="Ada")
        connected = await socket.until(lambda message: message.get("state") == "connected")
        assert connected["call"]["id"] == "c-1"


async def test_it_is_for_those_who_may_connect_and_for_their_workspace_alone(two_workspaces: Site):
    site = two_workspaces
    assert await refused(await site.sign_in("Mo", Role.MEMBER)) == 4403
    site.rights[Role.DEVELOPER] = CALL_RIGHTS - {Right.CONNECT}
    assert await refused(await site.sign_in("Dev", Role.DEVELOPER)) == 4403
    site.rights[Role.DEVELOPER] = frozenset({Right.WATCH, Right.CONNECT})
    dev = await site.sign_in("Dee", Role.DEVELOPER)
    await site.runtime.announce("c-1", agent_name="Ada +1 212 555 0184")
    async with dev.socket("/feed/runtimes") as socket:
        message = await socket.until(lambda message: message.get("state") == "connected")
    assert [one["id"] for one in message["runtimes"]] == ["rt-1"]
    assert message["masked"] is True
    assert "555" not in json.dumps(message)


async def test_it_closes_when_the_right_is_taken_away(livemon_site: Site):
    dev = await livemon_site.sign_in("Dev", Role.DEVELOPER)
    async with dev.socket("/feed/runtimes") as socket:
        await socket.read()
        livemon_site.rights[Role.DEVELOPER] = CALL_RIGHTS - {Right.CONNECT}
        assert await socket.closed() == (4403, "session_ended")
    async with dev.socket("/feed/calls") as list_socket:
        assert (await list_socket.read())["t"] == "snapshot"


async def test_a_machine_needs_the_right_too(livemon_site: Site):
    ada = await livemon_site.sign_in()
    person = await livemon_site.sessions.find(ada.cookie)
    admin = Administration(livemon_site.store, livemon_site.audit, person, "192.0.2.7")
    for rights, expected in ((["watch", "connect"], "runtimes"), (["watch"], None)):
        made = await make_key(admin, WantedKey("robot", rights, 1))
        async with livemon_site.machine_socket(made.key, "/feed/runtimes") as socket:
            if expected:
                assert (await socket.read())["t"] == expected
            else:
                assert (await socket.closed())[0] == 4403


# --- the password


async def test_an_admin_has_the_password_shown_in_the_lines_and_that_is_recorded(livemon_site: Site):
    livemon_site.host.redis_url = URL
    ada = await livemon_site.sign_in()
    answer = await ada.post("/connect/password")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert json.dumps(URL) in "".join(block["lines"] for one in answer.json()["stacks"] for block in one["blocks"])
    entries = [entry for entry in await livemon_site.recorded() if entry.action == "redis_shown"]
    assert [(entry.outcome, entry.person) for entry in entries] == [("done", "Ada")]
    assert not [entry for entry in entries if PASSWORD in json.dumps([entry.detail, entry.subject])]


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MEMBER])
async def test_nobody_else_has(livemon_site: Site, role: Role):
    livemon_site.host.redis_url = URL
    answer = await (await livemon_site.sign_in("Dev", role)).post("/connect/password")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert PASSWORD not in answer.text
    entries = [entry for entry in await livemon_site.recorded() if entry.action == "redis_shown"]
    assert [(entry.outcome, entry.person) for entry in entries] == [("refused", "Dev")]


async def test_not_even_an_admin_where_it_opens_another_workspace_too(two_workspaces: Site):
    two_workspaces.host.redis_url = URL
    answer = await (await two_workspaces.sign_in()).post("/connect/password")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "refused")
    assert "opens all of them" in answer.json()["error"]["message"]
    assert PASSWORD not in answer.text


async def test_where_there_is_none_it_says_so(livemon_site: Site):
    answer = await (await livemon_site.sign_in()).post("/connect/password")
    assert answer.status_code == 409
    assert "has no password" in answer.json()["error"]["message"]


async def test_what_cannot_be_recorded_is_not_shown(livemon_site: Site, monkeypatch: pytest.MonkeyPatch):
    livemon_site.host.redis_url = URL
    ada = await livemon_site.sign_in()
    with no_writes(livemon_site, monkeypatch):
        answer = await ada.post("/connect/password")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_recorded")
    assert PASSWORD not in answer.text
