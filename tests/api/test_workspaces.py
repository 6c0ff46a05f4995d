"""Which workspaces somebody belongs to, and going from one to another: a new session, and the end of the one that was."""

import asyncio

import httpx
import pytest

from livemon.access import invitations, members
from livemon.access.administration import Administration
from livemon.access.guard import COOKIE
from livemon.access.roles import Role
from livemon.access.sessions import session_id_of
from livemon.access.workspaces import add_workspace
from livemon.api.workspaces import MAX_BODY
from livemon_runtime import Runtime
from tests.api import test_take_over
from tests.api.site import Browser, Site
from tests.api.test_listen import refused
from tests.api.test_take_over import press, state
from tests.calls.live_part import until
from tests.media import test_microphone

voice = test_take_over.voice


@pytest.fixture
def livemon_site(two_workspaces: Site) -> Site:
    return two_workspaces


bot = test_take_over.bot


async def in_both(site: Site, name: str = "Ada", there: Role = Role.DEVELOPER) -> Browser:
    """An Admin of `default` who is something in `other` too; signed in to `default`."""
    browser = await site.sign_in(name)
    await members.set_role(site.store, browser.user_id, "other", there)
    return browser


def after(browser: Browser, answer: httpx.Response) -> Browser:
    """The same browser with the cookie that it was given."""
    assert answer.status_code == 200, answer.text
    cookie = answer.cookies[COOKIE]
    return Browser(browser.site, cookie, browser.user_id, session_id_of(cookie))


async def go(browser: Browser, slug: str) -> httpx.Response:
    return await browser.post("/workspace", json={"slug": slug})


async def invitation_elsewhere(site: Site) -> str:
    """The token of one into a third workspace."""
    await add_workspace(site.store, "third")
    person = await site.sessions.person((await site.sign_in("Eve", workspace="third")).session_id)
    assert person is not None
    return (await invitations.invite(Administration(site.store, site.audit, person, ""), Role.MEMBER, ""))[1]


async def test_somebody_is_told_their_own_workspaces_and_no_others(two_workspaces: Site):
    ada, bob = await in_both(two_workspaces), await two_workspaces.sign_in("Bob", Role.MEMBER)
    default = {"slug": "default", "name": "Default", "role": "admin", "current": True}
    other = {"slug": "other", "name": "The other", "role": "developer", "current": False}
    answer = await ada.get("/workspaces")
    assert answer.json() == {"workspaces": [default, other]}
    assert answer.headers["cache-control"] == "no-store"
    assert (await bob.get("/workspaces")).json() == {"workspaces": [default | {"role": "member"}]}


async def test_going_to_another_closes_what_was_open_and_shows_what_is_there(two_workspaces: Site):
    await two_workspaces.runtime.announce("call-1", agent_name="Here")
    await two_workspaces.other.runtime.announce("call-1", agent_name="There")
    await two_workspaces.call("call-1")
    await until(lambda: two_workspaces.other.workspace.calls.get("call-1"))
    ada = await in_both(two_workspaces)
    async with ada.socket("/feed/calls") as listed, ada.socket("/feed/calls/call-1") as call:
        assert [row["agent"] for row in (await listed.read())["calls"]] == ["Here"]
        answer = await go(ada, "other")
        assert answer.json() == {"next": "/live"}
        assert [await one.closed() for one in (listed, call)] == [(4401, "session_ended")] * 2
    assert await two_workspaces.sessions.person(ada.session_id) is None
    there = after(ada, answer)
    async with there.socket("/feed/calls") as listed:
        assert [row["agent"] for row in (await listed.read())["calls"]] == ["There"]
    current = {one["slug"]: one["current"] for one in (await there.get("/workspaces")).json()["workspaces"]}
    assert current == {"default": False, "other": True}
    assert after(there, await go(there, "default")).cookie not in (ada.cookie, there.cookie)


async def test_who_may_see_no_calls_there_is_led_to_the_start(two_workspaces: Site):
    ada = await in_both(two_workspaces, there=Role.MEMBER)
    there = after(ada, answer := await go(ada, "other"))
    assert answer.json() == {"next": "/"}
    assert (await there.post("/calls/call-1/end")).status_code == 403


async def test_the_cookie_is_as_good_as_that_of_a_sign_in(two_workspaces: Site):
    ada = await in_both(two_workspaces)
    attributes = (await go(ada, "other")).headers["set-cookie"].lower().split("; ")
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)


async def test_each_workspaces_log_says_its_part_and_nothing_of_the_other(two_workspaces: Site):
    ada = await in_both(two_workspaces)
    await go(ada, "other")
    left, came = await two_workspaces.recorded()
    assert (left.workspace, left.action, left.outcome, left.detail) == (
        "default",
        "sign_out",
        "done",
        '{"reason":"switched"}',
    )
    assert (came.workspace, came.action, came.outcome, came.detail) == ("other", "sign_in", "done", '{"by":"switch"}')
    assert {(one.person_id, one.person, one.address) for one in (left, came)} == {(ada.user_id, "Ada", "127.0.0.1")}
    for one, unsaid in ((left, "other"), (came, "default")):
        assert unsaid not in f"{one.subject}{one.detail}"


@pytest.mark.parametrize("slug", ["other", "nowhere", "", "x" * 500, "'; --", "Default"])
async def test_a_workspace_of_others_is_none_at_all(two_workspaces: Site, slug: str):
    bob = await two_workspaces.sign_in("Bob")
    answer = await go(bob, slug)
    assert refused(answer) == (404, "not_found")
    assert COOKIE not in answer.cookies
    assert answer.text == (await go(bob, "never-made")).text
    assert [one["slug"] for one in (await bob.get("/workspaces")).json()["workspaces"]] == ["default"]
    (entry,) = await two_workspaces.recorded()  # the second time is counted
    assert (entry.workspace, entry.action, entry.outcome, entry.person) == ("default", "sign_in", "refused", "Bob")
    assert (entry.subject, entry.detail, entry.address) == ("", '{"by":"switch","reason":"not_found"}', "127.0.0.1")


async def test_to_where_one_is_already_nothing_changes(two_workspaces: Site):
    ada = await in_both(two_workspaces)
    answer = await go(ada, "default")
    assert (answer.status_code, answer.json(), COOKIE in answer.cookies) == (200, {"next": "/live"}, False)
    assert (await ada.get("/workspaces")).status_code == 200


async def test_of_two_that_go_at_once_one_gets_there(two_workspaces: Site):
    ada = await in_both(two_workspaces)
    answers = await asyncio.gather(*(go(ada, "other") for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 401}, "those who come later are there already"
    assert sum(COOKIE in answer.cookies for answer in answers) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"slug": 7}', b'{"slug": "' + b"x" * MAX_BODY + b'"}'])
async def test_what_cannot_be_read_changes_nothing(two_workspaces: Site, body: bytes):
    ada = await in_both(two_workspaces)
    assert refused(await ada.post("/workspace", content=body)) == (400, "bad_request")
    assert (await ada.get("/workspaces")).status_code == 200


async def test_without_the_log_nobody_goes_anywhere(two_workspaces: Site):
    ada = await in_both(two_workspaces)
    two_workspaces.audit._key = None
    assert refused(await go(ada, "other")) == (503, "not_recorded")
    assert (await ada.get("/workspaces")).status_code == 200


# --- with a call


async def test_whoever_has_a_call_stays_and_a_second_device_may_go(
    livemon_site: Site, bot: test_take_over.Bot, voice: test_microphone.Supervisor
):
    desk = await in_both(livemon_site)
    tablet = await livemon_site.sign_in()
    async with desk.socket(f"/take-overs/{await press(desk, voice)}") as socket:
        await state(socket, "talking")
        await until(lambda: livemon_site.workspace.calls.get("call-1").controller)
        answer = await go(desk, "other")
        assert refused(answer) == (409, "talking")
        assert "the caller would hear nobody" in answer.json()["error"]["message"]
        joining = await desk.post("/join/as-me", json={"token": await invitation_elsewhere(livemon_site)})
        assert refused(joining) == (409, "talking")
        assert (await go(tablet, "other")).status_code == 200
        bot.call.end("user_hangup")
        await state(socket, "ended")
    await until(lambda: livemon_site.workspace.calls.get("call-1") is None)
    assert (await go(desk, "other")).status_code == 200


async def test_a_call_that_one_has_by_another_node_counts_and_one_that_nobody_reports_does_not(
    livemon_site: Site, bot: test_take_over.Bot, voice: test_microphone.Supervisor, monkeypatch: pytest.MonkeyPatch
):
    """Another node's attempts are not known here: only that the call is theirs."""
    desk = await in_both(livemon_site)
    await press(desk, voice)
    await until(lambda: livemon_site.workspace.calls.get("call-1").controller)
    livemon_site.workspace.take_overs._attempts.clear()
    assert refused(await go(desk, "other")) == (409, "talking")

    async def nobody_is_heard() -> list:
        return []

    calls = livemon_site.workspace.calls
    monkeypatch.setattr(calls._runtimes, "look", nobody_is_heard)
    calls.registry.quiet(calls.get("call-1").runtime, calls.now())
    assert (await go(desk, "other")).status_code == 200


async def test_a_call_of_somebody_else_is_no_hindrance(
    livemon_site: Site, bot: test_take_over.Bot, voice: test_microphone.Supervisor
):
    ada, bob = await livemon_site.sign_in(), await in_both(livemon_site, "Bob")
    async with ada.socket(f"/take-overs/{await press(ada, voice)}") as socket:
        await state(socket, "talking")
        await until(lambda: livemon_site.workspace.calls.get("call-1").controller)
        assert (await go(bob, "other")).status_code == 200


async def test_runtimes_of_both_may_have_the_same_ids(two_workspaces: Site, valkey_url: str):
    """The SDK's side of what the seal is made of: the workspace is in every key."""
    async with (
        Runtime(valkey_url, name="a") as here,
        Runtime(valkey_url, name="b", workspace="other") as there,
    ):
        here.call(call_id="same", agent_name="Here")
        there.call(call_id="same", agent_name="There")
        await two_workspaces.call("same")
        await until(lambda: two_workspaces.other.workspace.calls.get("same"))
        assert two_workspaces.workspace.calls.get("same").call.agent_name == "Here"
        assert two_workspaces.other.workspace.calls.get("same").call.agent_name == "There"
        here.calls()[0].end()
        await until(lambda: two_workspaces.workspace.calls.get("same") is None)
        assert two_workspaces.other.workspace.calls.get("same").listed
