"""Who may see Live Monitoring, and who may not: by the address, over the open socket, and when a role is taken away."""

import asyncio
import re
import time
import urllib.request

import pytest
from playwright.async_api import Page, expect

from livemon.access.members import find_or_create, remove, set_role
from livemon.access.roles import Role
from livemon.store.store import Store
from livemon_runtime import Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
async def store(livemon: LivemonProcess):
    """What another node has open: the database of the server that is being looked at."""
    store = Store(livemon.database_url)
    await store.open()
    yield store
    await store.close()


async def shows_no_calls(page: Page) -> None:
    await expect(page.get_by_test_id("call-list")).to_have_count(0)
    await expect(page.get_by_test_id("call-drawer")).to_have_count(0)


async def serves(livemon: LivemonProcess, *, sockets: int) -> None:
    """So many sockets of lists and calls are open, as the server counts them."""
    deadline = time.monotonic() + 20
    while (count := await asyncio.to_thread(count_sockets, livemon.url)) != sockets:
        assert time.monotonic() < deadline, f"{count} sockets are open"
        await asyncio.sleep(0.05)


def count_sockets(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(r"^livemon_sockets\{.*\} (.*)$", text, re.MULTILINE)))


async def test_a_developer_finds_live_monitoring_at_the_start(livemon: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(livemon, "Dev", Role.DEVELOPER)
    await page.goto("/")
    await page.wait_for_url("**/live")
    await expect(page.get_by_test_id("nav-live-monitoring")).to_have_attribute("aria-current", "page")
    await LivePage(page).is_live()
    await expect(page).to_have_title("Live Monitoring · livemon")


async def test_a_member_signs_in_and_reads_who_may_see_what_and_whom_to_ask(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    page = await sign_in(livemon, "Mo", Role.MEMBER)
    await page.goto("/")
    await expect(page.get_by_test_id("home")).to_contain_text("Admins, Developers")
    await expect(page.get_by_test_id("home")).to_contain_text("ask a workspace admin")
    await expect(page.get_by_test_id("account-menu")).to_be_visible()
    await expect(page.get_by_test_id("nav-live-monitoring")).to_have_count(0)
    await shows_no_calls(page)
    # It stays: that this person may not watch ends no page that shows no calls.
    await page.evaluate("window.same = true")
    await page.wait_for_function("performance.now() > 4000")
    assert await page.evaluate("window.same")


@pytest.mark.parametrize("path", ["/live", "/live/call-1"])
async def test_the_address_typed_by_a_member_answers_403_and_says_whom_to_ask(
    livemon: LivemonProcess, sign_in: SignIn, path: str
) -> None:
    page = await sign_in(livemon, "Mo", Role.MEMBER)
    answer = await page.goto(path)
    assert answer.status == 403
    await expect(page.get_by_test_id("forbidden")).to_contain_text("for Admins and Developers")
    await expect(page.get_by_test_id("forbidden")).to_contain_text("Ask a workspace admin")
    await expect(page.get_by_test_id("nav-live-monitoring")).to_have_count(0)
    await shows_no_calls(page)


async def test_a_member_gets_no_further_over_the_open_socket(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    (call,) = start_calls(runtime, 1)
    page = await sign_in(livemon, "Mo", Role.MEMBER)
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto("/")
    home, forbidden = page.get_by_test_id("home"), page.get_by_test_id("forbidden")
    for event in ("sub_pages_navigate", "sub_pages_open"):
        for path in ("/live", f"/live/{call.call_id}"):
            await expect(home).to_be_visible()
            await page.evaluate("([event, path]) => window.emitEvent(event, path)", [event, path])
            await expect(forbidden).to_be_visible()
            await shows_no_calls(page)
            await page.evaluate("window.emitEvent('sub_pages_navigate', '/')")
    assert not [url for url in sockets if "/feed/" in url]


async def test_a_role_taken_away_closes_the_live_page_and_refuses_the_next_command(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime, store: Store
) -> None:
    (call,) = start_calls(runtime, 1, capabilities=["end"])
    live = LivePage(await sign_in(livemon, "Taken away", Role.DEVELOPER))
    other = LivePage(await sign_in(livemon, "Dev", Role.DEVELOPER))
    for page in (live, other):
        await page.open(f"/live/{call.call_id}")
        await page.has_open(call)
    await serves(livemon, sockets=4)

    await set_role(store, await find_or_create(store, "Taken away"), "default", Role.MEMBER)
    began = time.monotonic()
    await expect(live.page.get_by_test_id("forbidden")).to_be_visible()
    print(f"the page was closed {time.monotonic() - began:.2f} s after the role was taken away")
    await serves(livemon, sockets=2)
    await expect(live.page.get_by_test_id("nav-live-monitoring")).to_have_count(0)
    await shows_no_calls(live.page)
    ask = "(id) => fetch(`/calls/${id}/end`, { method: 'POST' }).then((answer) => answer.status)"
    assert await live.page.evaluate(ask, call.call_id) == 403
    await other.is_live()
    await other.has_open(call)


async def test_a_page_follows_by_itself_the_role_that_was_given(
    livemon: LivemonProcess, sign_in: SignIn, store: Store
) -> None:
    live = LivePage(await sign_in(livemon, "Promoted", Role.MEMBER))
    await live.page.goto("/")
    await expect(live.page.get_by_test_id("home")).to_be_visible()
    await set_role(store, await find_or_create(store, "Promoted"), "default", Role.DEVELOPER)
    await live.page.wait_for_url("**/live")
    await live.is_live()
    await expect(live.page.get_by_test_id("nav-live-monitoring")).to_be_visible()


async def test_a_page_without_calls_goes_with_its_session_too(livemon: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(livemon, "Mo", Role.MEMBER)
    await page.goto("/")
    await expect(page.get_by_test_id("home")).to_be_visible()
    answer = await page.request.post("/sign-out", headers={"Origin": livemon.url})
    assert answer.status == 204
    await expect(page.get_by_test_id("sign-in-how")).to_be_visible()


async def test_who_is_removed_from_the_workspace_is_signed_out(
    livemon: LivemonProcess, sign_in: SignIn, store: Store
) -> None:
    live = LivePage(await sign_in(livemon, "Removed", Role.ADMIN))
    await live.open()
    await remove(store, await find_or_create(store, "Removed"), "default")
    await expect(live.page.get_by_test_id("sign-in-how")).to_be_visible()


async def test_an_address_that_leads_nowhere_says_so_and_leads_on(live: LivePage) -> None:
    page = live.page
    lost = page.get_by_test_id("not-found")
    answer = await page.goto("/nowhere")
    assert answer.status == 404
    await expect(lost).to_contain_text("/nowhere")
    await lost.get_by_role("link").click()
    await page.wait_for_url("**/live")
    await live.is_live()

    await page.evaluate("window.emitEvent('sub_pages_open', '/nowhere')")  # as over the open socket
    await expect(lost).to_be_visible()
    await expect(live.list).to_be_hidden()
    await expect(page.get_by_test_id("nav-live-monitoring")).not_to_have_attribute("aria-current", "page")
    await page.get_by_test_id("nav-live-monitoring").click()
    await expect(live.list).to_be_visible()
    await expect(lost).to_have_count(0)
    await expect(page.get_by_test_id("nav-live-monitoring")).to_have_attribute("aria-current", "page")
