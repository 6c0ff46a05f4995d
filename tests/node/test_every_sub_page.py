"""Every sub page, asked for over an open page's socket (`sub_pages_navigate`), which goes past all guards over routes.

The shell says which there are (`tests.access.routes`); what the table does not name fails.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.roles import Role
from livemon.access.sessions import session_id_of
from tests.livemon_process import LivemonProcess
from tests.node.everybody import CALL, NEIGHBOURS_CALL, Everybody, Kind, secrets_of_others
from tests.node.page_client import PageClient, page_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENTS = ("sub_pages_navigate", "sub_pages_open")
PLAIN = {"div", "section", "h1", "h2", "p", "a", "table", "tr", "th", "td", "span", "nicegui-sub_pages"}
"""What a page is made of that says no more than its words."""
FRAME = PLAIN | {"main", "nicegui-connection_state"}
LIVE = {"nicegui-call_list", "nicegui-call_drawer"}
CONNECT = {"nicegui-connect"}


@dataclass(frozen=True)
class SubPage:
    """What each finds there: a test id, or the tag of what the page is made of."""

    member: str
    developer: str
    admin: str
    made_of: frozenset[str] = frozenset()
    """The tags that only whoever may see the page may be sent."""


TABLE = {
    "/": SubPage("home", "nicegui-call_list", "nicegui-call_list", frozenset(LIVE)),
    "/live": SubPage("forbidden", "nicegui-call_list", "nicegui-call_list", frozenset(LIVE)),
    "/live/{call_id}": SubPage("forbidden", "nicegui-call_drawer", "nicegui-call_drawer", frozenset(LIVE)),
    "/connect": SubPage("connect-forbidden", "nicegui-connect", "nicegui-connect", frozenset({"nicegui-connect"})),
    "/members": SubPage("members-forbidden", "members-forbidden", "nicegui-members", frozenset({"nicegui-members"})),
    "/keys": SubPage("keys-forbidden", "keys-forbidden", "nicegui-api_keys", frozenset({"nicegui-api_keys"})),
    "/audit": SubPage("forbidden", "forbidden", "nicegui-audit_log", frozenset({"nicegui-audit_log"})),
}
ADDRESSES = {path.format(call_id=CALL): page for path, page in TABLE.items()} | {
    f"/live/{NEIGHBOURS_CALL}": TABLE["/live/{call_id}"],
    "/live?x=1": TABLE["/live"],
    "/members/": TABLE["/members"],
}


async def cookie_of(people: Everybody, kind: Kind) -> str:
    return (await people.headers(kind))["cookie"].removeprefix(f"{COOKIE}=")


async def go(page: PageClient, event: str, path: str, *words: str) -> str:
    """Ask for a sub page; all that comes back, once one of the words was among it."""
    page.heard.clear()
    await page.emit(event, path)
    await page.until(*words)
    return await page.everything()


def tags_in(heard: str) -> set[str]:
    return set(re.findall(r'"tag":"([\w-]+)"', heard))


async def test_the_table_names_every_sub_page_and_nothing_else(application: dict[str, Any]):
    assert sorted(application["sub_pages"]) == sorted(TABLE)


@pytest.mark.parametrize("event", EVENTS)
async def test_a_member_gets_words_and_nothing_else(people: Everybody, running: LivemonProcess, event: str):
    async with page_client(running, await cookie_of(people, Kind.MEMBER), "/") as page:
        for path, sub_page in ADDRESSES.items():
            if path != "/":  # where the page is
                heard = await go(page, event, path, f'"data-testid":"{sub_page.member}"')
                assert tags_in(heard) <= PLAIN, path
                assert "Undercover" not in heard, path
        heard = await go(page, event, "/", '"data-testid":"home"')
        assert tags_in(heard) <= PLAIN


@pytest.mark.parametrize("kind", [Kind.DEVELOPER, Kind.NEIGHBOUR])
async def test_a_developer_gets_the_calls_and_nothing_of_an_admins(
    people: Everybody, running: LivemonProcess, kind: Kind
):
    async with page_client(running, await cookie_of(people, kind), "/audit") as page:
        assert page.status == 403
        for path, sub_page in ADDRESSES.items():
            await go(page, EVENTS[0], "/nowhere", "not-found")
            heard = await go(page, EVENTS[0], path, sub_page.developer)
            assert tags_in(heard) <= FRAME | LIVE | CONNECT, path
            assert not [word for word in secrets_of_others(kind) if word in heard], path


async def test_an_admin_gets_them_all_so_that_the_words_above_mean_something(
    people: Everybody, running: LivemonProcess
):
    async with page_client(running, await cookie_of(people, Kind.ADMIN), "/audit") as page:
        for path, sub_page in ADDRESSES.items():
            await go(page, EVENTS[0], "/nowhere", "not-found")
            heard = await go(page, EVENTS[0], path, sub_page.admin)
            assert tags_in(heard) >= sub_page.made_of, path


@pytest.mark.parametrize("path", [one for one in ADDRESSES if one != "/live"])
@pytest.mark.parametrize("end", ["demoted", "removed", "ended"])
async def test_whoever_may_no_more_while_the_page_is_open_is_told_to_load_it_anew_and_gets_nothing(
    people: Everybody, running: LivemonProcess, path: str, end: str
):
    cookie = await cookie_of(people, Kind.ADMIN)
    person = await people.sessions.find(cookie)
    assert person is not None
    async with page_client(running, cookie, "/live") as page:
        assert "nicegui-call_list" in page.html
        if end == "demoted":
            await members.set_role(people.store, person.user_id, "default", Role.MEMBER)
        elif end == "removed":
            await members.remove(people.store, person.user_id, "default")
        else:
            await people.sessions.end(session_id_of(cookie))
        heard = await go(page, EVENTS[0], path, "location.reload")
        assert tags_in(heard) <= PLAIN, path
        assert "Undercover" not in heard
