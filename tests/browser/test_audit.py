"""The audit log's page: who finds it, what it shows of what was done, filters, pages, the file, and any screen."""

import asyncio
import csv
from typing import Any

import pytest
from playwright.async_api import Page, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon_runtime import Runtime
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = [(1366, 900), (820, 1180), (390, 844)]


@pytest.fixture
async def log(livemon: LivemonProcess):
    """The log of the server that is being looked at, as another node has it open."""
    store = Store(livemon.database_url)
    await store.open()
    log = AuditLog(store, livemon.folder / "data" / "audit.key")
    await log.open()
    yield log
    await store.close()


def entries(page: Page, **data: Any):
    return page.locator("".join(["[data-testid=audit-entry]", *(f'[data-{k}="{v}"]' for k, v in data.items())]))


async def open_log(page: Page) -> None:
    await page.goto("/audit")
    await expect(page.get_by_test_id("audit-log")).to_have_attribute("aria-busy", "false")
    await expect(entries(page).first).to_be_visible()
    await expect(page.get_by_test_id("connection-state")).to_be_hidden()  # there is no list that could say


async def fill(log: AuditLog, name: str, count: int, **fields: Any) -> None:
    for n in range(count):
        said = {"call_id": f"call-{name.lower()}-{n:03}", "address": "192.0.2.7", **fields}
        await log.record(Act(Action.LISTEN, Outcome.ASKED, "default", f"id-{name}", name, **said))


async def test_what_was_done_on_the_page_is_read_in_the_log(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    (call,) = start_calls(runtime, 1, capabilities=["end"])
    call.on_end(lambda: None)
    live = LivePage(await sign_in(livemon, "Maya Kim"))
    await live.open(f"/live/{call.call_id}")
    await live.has_open(call)
    page = live.page
    await page.get_by_test_id("end-call").click()
    await page.get_by_test_id("end-call-confirm").click()
    await expect(page.get_by_test_id("call-ended")).to_be_visible()
    await page.get_by_test_id("nav-audit-log").click()
    await page.wait_for_url("**/audit")
    await expect(page).to_have_title("Audit log · livemon")
    await expect(page.get_by_test_id("nav-audit-log")).to_have_attribute("aria-current", "page")
    await expect(page.get_by_test_id("nav-live-monitoring")).not_to_have_attribute("aria-current", "page")
    await page.get_by_test_id("audit-call").fill(call.call_id)
    await expect(entries(page)).to_have_count(2)
    done = entries(page, action="end_call", outcome="done")
    for words in ("Maya Kim", "End Call", "Done", call.call_id, "127.0.0.1"):
        await expect(done).to_contain_text(words)
    await page.get_by_test_id("nav-live-monitoring").click()
    await live.is_live()
    await expect(page.get_by_test_id("audit-log")).to_have_count(0)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MEMBER])
async def test_nobody_but_an_admin_finds_it(livemon: LivemonProcess, sign_in: SignIn, role: Role) -> None:
    page = await sign_in(livemon, f"No {role}", role)
    answer = await page.goto("/audit")
    assert answer.status == 403
    await expect(page.get_by_test_id("forbidden")).to_contain_text("for Admins")
    await expect(page.get_by_test_id("nav-audit-log")).to_have_count(0)
    await expect(page.get_by_test_id("audit-log")).to_have_count(0)
    await expect_no_complaints(page)


async def test_nobody_gets_there_over_the_open_socket_and_the_attempt_is_in_the_log(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    asked = []
    page = await sign_in(livemon, "Mo Over", Role.MEMBER)
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/")
    await expect(page.get_by_test_id("home")).to_be_visible()
    await page.evaluate("window.emitEvent('sub_pages_navigate', '/audit')")
    await expect(page.get_by_test_id("forbidden")).to_be_visible()
    assert not [url for url in asked if "/audit/" in url]
    admin = await sign_in(livemon, "Ada")
    await open_log(admin)
    await admin.get_by_test_id("audit-person").fill("Mo Over")
    refused = entries(admin, action="access", outcome="refused").filter(has_text="Mo Over")
    await expect(refused).to_contain_text("/audit")


async def test_the_role_taken_away_closes_the_page(livemon: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(livemon, "Was Admin")
    await open_log(page)
    store = Store(livemon.database_url)
    await store.open()
    await set_role(store, await find_or_create(store, "Was Admin"), "default", Role.DEVELOPER)
    await store.close()
    await expect(page.get_by_test_id("forbidden")).to_be_visible()
    await expect(page.get_by_test_id("audit-log")).to_have_count(0)


async def test_filters_by_person_action_call_and_time(livemon: LivemonProcess, sign_in: SignIn, log: AuditLog) -> None:
    await fill(log, "Filtra", 3)
    await log.record(Act(Action.ROLE, Outcome.DONE, "default", "id-Filtra", "Filtra", subject="Bob"))
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.get_by_test_id("audit-person").fill("filtra")
    await expect(entries(page)).to_have_count(4)
    await page.get_by_test_id("audit-action").select_option("listen")
    await expect(entries(page)).to_have_count(3)
    await page.get_by_test_id("audit-call").fill("call-filtra-001")
    await expect(entries(page)).to_have_count(1)
    await page.get_by_test_id("audit-since").fill("2199-01-01T00:00")
    await expect(page.get_by_test_id("audit-empty")).to_contain_text("No entry matches")
    await page.get_by_test_id("audit-clear").click()
    await expect(entries(page)).not_to_have_count(0)
    assert await page.get_by_test_id("audit-person").input_value() == ""
    await page.get_by_test_id("audit-until").fill("2001-01-01T00:00")
    await expect(page.get_by_test_id("audit-empty")).to_be_visible()


async def test_pages_back_and_forth_and_anew(livemon: LivemonProcess, sign_in: SignIn, log: AuditLog) -> None:
    await fill(log, "Pager", 120)
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.get_by_test_id("audit-person").fill("Pager")
    older, newer = page.get_by_test_id("audit-older"), page.get_by_test_id("audit-newer")
    for first, count in ((119, 50), (69, 50), (19, 20)):
        await expect(entries(page).first).to_contain_text(f"call-pager-{first:03}")
        await expect(entries(page)).to_have_count(count)
        if count == 50:
            await older.click()
    await expect(older).to_be_disabled()
    await newer.click()
    await expect(entries(page).first).to_contain_text("call-pager-069")
    await fill(log, "Pager", 1, call_id="call-just-now")
    await page.get_by_test_id("audit-reload").click()
    await expect(entries(page).first).to_contain_text("call-just-now")
    await expect(newer).to_be_disabled()


async def test_the_file_has_what_the_filters_show(livemon: LivemonProcess, sign_in: SignIn, log: AuditLog) -> None:
    await fill(log, "=Filed", 60)
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.get_by_test_id("audit-person").fill("=Filed")
    await expect(entries(page)).to_have_count(50)
    async with page.expect_download() as downloading:
        await page.get_by_test_id("audit-export").click()
    download = await downloading.value
    assert download.suggested_filename.endswith(".csv")
    text = await asyncio.to_thread((await download.path()).read_text)
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["call_id"] for row in rows] == [f"call-=filed-{n:03}" for n in reversed(range(60))]
    assert {row["person"] for row in rows} == {"'=Filed"}


async def test_what_somebody_calls_themselves_is_text(livemon: LivemonProcess, sign_in: SignIn, log: AuditLog) -> None:
    name = "<img src=x onerror=alert(1)>"
    await fill(log, name, 1, call_id="call-markup")
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.get_by_test_id("audit-call").fill("call-markup")
    await expect(entries(page).first).to_contain_text(name)
    await expect(page.locator("img[src=x]")).to_have_count(0)


async def test_a_server_that_does_not_answer_is_said_and_reload_goes_on(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.route("**/audit/entries*", lambda route: route.abort())
    await page.get_by_test_id("audit-reload").click()
    await expect(page.get_by_test_id("audit-error")).to_contain_text("does not answer")
    await expect(entries(page).first).to_be_visible()
    await page.unroute("**/audit/entries*")
    await page.get_by_test_id("audit-reload").click()
    await expect(page.get_by_test_id("audit-error")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_on_any_screen_it_fits_and_axe_has_no_complaints(
    livemon: LivemonProcess, sign_in: SignIn, log: AuditLog, width: int, height: int
) -> None:
    await fill(log, "Somebody with rather a long name", 60)
    page = await sign_in(livemon, "Ada", viewport={"width": width, "height": height}, reduced_motion="reduce")
    await open_log(page)
    await expect_no_complaints(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    scroll = page.locator(".audit-scroll")
    assert await scroll.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing has to be scrolled sideways"
    for control in ("audit-reload", "audit-export", "audit-person", "audit-action", "audit-since", "audit-older"):
        box = await page.get_by_test_id(control).bounding_box()
        assert box["height"] >= 44, control
    await page.get_by_test_id("audit-older").scroll_into_view_if_needed()
    await expect(page.get_by_test_id("audit-older")).to_be_in_viewport()


async def test_by_the_keyboard_alone(livemon: LivemonProcess, sign_in: SignIn, log: AuditLog) -> None:
    await fill(log, "Keys", 51)
    page = await sign_in(livemon, "Ada")
    await open_log(page)
    await page.get_by_test_id("audit-reload").focus()
    passed = []
    for _ in range(60):  # a field for a time has several stops
        await page.keyboard.press("Tab")
        passed.append(await page.evaluate("document.activeElement.dataset.testid ?? document.activeElement.className"))
        if passed[-1] == "audit-person":
            await page.keyboard.type("Keys")
            await expect(entries(page).last).to_contain_text("call-keys-001")
        if passed[-1] == "audit-older":
            break
    assert passed[-1] == "audit-older", passed
    assert "audit-scroll" in passed
    await page.keyboard.press("Enter")
    await expect(entries(page)).to_have_count(1)
