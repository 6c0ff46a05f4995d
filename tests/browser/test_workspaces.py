"""Two workspaces of one person in a real browser: the switch, and a call's address that opens it wherever it is."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.access.workspaces import add_workspace
from livemon.store.store import Store
from livemon_runtime import Runtime
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLUG, NAME = "night", "Night shift"


@pytest_asyncio.fixture(loop_scope="session")
async def store(livemon: LivemonProcess) -> AsyncIterator[Store]:
    store = Store(livemon.database_url)
    await store.open()
    if SLUG not in await store.workspaces():
        await add_workspace(store, SLUG, name=NAME)
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def night(store: Store, livemon: LivemonProcess, valkey_of_livemon: ValkeyProcess) -> AsyncIterator[Runtime]:
    """An agent's process of the other workspace."""
    async with Runtime(valkey_of_livemon.url, name="night-agent", workspace=SLUG) as runtime:
        await runtime.alive.wait()
        yield runtime
        for call in runtime.calls():
            call.end()


async def belongs(store: Store, name: str, role: Role = Role.DEVELOPER) -> None:
    await set_role(store, await find_or_create(store, name), SLUG, role)


async def choose(page: Page, slug: str) -> None:
    await page.get_by_test_id("account-menu").click()
    await page.locator(f"[data-testid=workspace-switch][data-slug={slug}]").click()


async def test_the_switch_shows_the_other_workspaces_calls_and_takes_the_other_tabs_along(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime, night: Runtime, store: Store
):
    (by_day,), (at_night,) = start_calls(runtime, 1), start_calls(night, 1)
    live = LivePage(await sign_in(livemon, "Both"))
    await belongs(store, "Both")
    await live.open(f"/live/{by_day.call_id}")
    await live.shows(by_day)
    second = LivePage(await live.page.context.new_page())
    await second.open()
    await live.page.get_by_test_id("account-menu").click()
    await expect(live.page.get_by_test_id("workspaces")).to_be_visible()
    await expect_no_complaints(live.page)
    await live.page.locator(f"[data-slug={SLUG}]").click()
    await live.shows(at_night)
    await second.shows(at_night)
    await expect(live.page.get_by_test_id("nav-audit-log")).to_have_count(0)  # a Developer there
    await choose(second.page, "default")
    await second.shows(by_day)
    await live.shows(by_day)
    await expect(second.page.get_by_test_id("nav-audit-log")).to_be_visible()


async def test_a_page_that_is_behind_ends_no_call_of_the_workspace_that_the_browser_has_gone_to(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime, night: Runtime, store: Store
):
    """Both workspaces have a call of that id. The page is kept from loading anew, so it stays behind for as long as it takes."""
    (by_day,) = start_calls(runtime, 1)
    at_night, ends = night.call(call_id=by_day.call_id), list[str]()
    at_night.on_end(lambda: ends.append("night"))
    live = LivePage(await sign_in(livemon, "Behind"))
    await belongs(store, "Behind")
    behind = LivePage(await live.page.context.new_page())
    await live.open()
    await behind.open()
    await behind.page.evaluate("window.livemonLeaves = true")
    await choose(live.page, SLUG)
    await live.page.locator(f"meta[name=livemon-workspace][content={SLUG}]").wait_for(state="attached")
    await live.shows(at_night)
    asks = """async (path) => {
      const { post } = await import("/assets/request.js");
      try { return await post(path); } catch (error) { return [error.answered, error.code, error.message]; }
    }"""
    answered, code, message = await behind.page.evaluate(asks, f"/calls/{by_day.call_id}/end")
    assert (answered, code) == (True, "other_workspace")
    assert "nothing was done" in message
    assert ends == []
    assert await live.page.evaluate(asks, f"/calls/{by_day.call_id}/end") == {"ok": True}
    assert ends == ["night"]


async def test_a_link_to_a_call_opens_it_in_whichever_workspace_it_is(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime, night: Runtime, store: Store
):
    (by_day,), (at_night,) = start_calls(runtime, 1), start_calls(night, 1, agent_name="Luna")
    live = LivePage(await sign_in(livemon, "Linked"))
    await belongs(store, "Linked")
    first = live.page
    await live.open(f"/live/{by_day.call_id}")

    linked = LivePage(await first.context.new_page())
    await linked.page.goto(f"/live/{at_night.call_id}")
    await linked.has_open(at_night)
    await expect(linked.drawer).to_contain_text("Luna")

    # the tab that was there has loaded anew: it does not take the session back by itself
    await expect(first.get_by_test_id("other-workspace")).to_have_attribute("data-slug", "default")
    await linked.has_open(at_night)
    await expect_no_complaints(first)
    await first.get_by_test_id("workspace-switch").click()
    await live.has_open(by_day)
    await expect(linked.page.get_by_test_id("other-workspace")).to_have_attribute("data-slug", SLUG)

    at_night.end("user_hangup")
    await linked.page.get_by_test_id("workspace-switch").click()
    await expect(linked.page.get_by_test_id("call-ended")).to_be_visible()


async def test_also_for_somebody_who_sees_no_calls_where_they_are(
    livemon: LivemonProcess, sign_in: SignIn, night: Runtime, store: Store
):
    (at_night,) = start_calls(night, 1)
    live = LivePage(await sign_in(livemon, "Day member", Role.MEMBER))
    await belongs(store, "Day member")
    await live.page.goto(f"/live/{at_night.call_id}")
    await live.has_open(at_night)


@pytest.mark.parametrize("role", [None, Role.MEMBER])
async def test_a_call_where_one_sees_none_looks_like_one_that_does_not_exist(
    livemon: LivemonProcess, sign_in: SignIn, night: Runtime, store: Store, role: Role | None
):
    (at_night,) = start_calls(night, 1)
    name = f"Outside {role}"
    live = LivePage(await sign_in(livemon, name))
    if role is not None:
        await belongs(store, name, role)
    seen = []
    for call_id in (at_night.call_id, "no-such-call"):
        await live.page.goto(f"/live/{call_id}")
        await expect(live.page.get_by_test_id("drawer-refused")).to_be_visible()
        await expect(live.page.get_by_test_id("other-workspace")).to_have_count(0)
        seen.append((await live.drawer.inner_text()).replace(call_id, "…"))
    assert seen[0] == seen[1]
