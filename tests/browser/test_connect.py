"""The Connect page: it turns green by itself, and by nothing but a call that has really come."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from livemon.access.members import find_or_create, set_role
from livemon.access.roles import Role
from livemon.store.store import Store
from livemon_runtime import Audio, Runtime
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import DESKTOP, SignIn, running
from tests.chromium import WITHIN_MS
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_MS = 120_000
"""For what begins with the start of a program, or with finding out that something is back."""
SIZES = [DESKTOP, {"width": 820, "height": 1180}, {"width": 390, "height": 844}]


@pytest_asyncio.fixture(loop_scope="session")
async def page(livemon: LivemonProcess, sign_in: SignIn) -> AsyncIterator[Page]:
    """The page of Maya, an Admin, with no runtime so far."""
    page = await sign_in(livemon, "Maya")
    page.set_default_timeout(WITHIN_MS)
    await page.goto("/connect")
    yield page


def state_of(page: Page) -> Locator:
    return page.get_by_test_id("connect-state")


async def is_in(page: Page, state: str, *words: str) -> None:
    await expect(state_of(page)).to_have_attribute("data-state", state, timeout=LONG_MS)
    for one in words:
        await expect(state_of(page)).to_contain_text(one)


async def test_it_waits_sees_the_runtime_turns_green_with_the_first_call_and_leads_to_it(
    page: Page, valkey_of_livemon: ValkeyProcess
) -> None:
    await expect(page.get_by_test_id("nav-connect")).to_have_attribute("aria-current", "page")
    await is_in(page, "waiting", "Waiting for the first call", "No runtime is there yet.")
    async with Runtime(valkey_of_livemon.url, name="front-desk", version="1.2") as runtime:
        await is_in(page, "runtime", "front-desk 1.2 has said that it is there")
        row = page.get_by_test_id("connect-runtime")
        await expect(row).to_have_attribute("data-reports", "false")
        await expect(row).to_contain_text("No call yet")
        audio = Audio(caller="opus", agent="opus")
        async with runtime.call(agent_name="Ada", audio=audio, capabilities=["listen", "end"]) as call:
            await is_in(page, "connected", "Your agent is connected", "First call: Ada")
            await expect(state_of(page)).to_contain_text(re.compile(r"\d+ s ago"))
            await expect(row).to_have_attribute("data-reports", "true")
            await expect(row.locator("[data-can=true]")).to_have_text(["Live Listen", "End Call"])
            await expect(row.locator("[data-can=false]")).to_have_text(["no Take Over", "no Hints"])
            await page.get_by_role("link", name="Open the call").click()
            await expect(page.get_by_test_id("call-drawer")).to_have_attribute("data-call-id", call.call_id)
            await page.get_by_test_id("nav-connect").click()
            await is_in(page, "connected", "Latest call: Ada")  # this page has not waited for it
        await is_in(page, "connected", "Latest call: Ada", "over")
        await expect(row).to_contain_text("No call now")
    await is_in(page, "waiting", "Waiting for the next call", "A call of Ada came, and its runtime has left.")
    await expect(page.get_by_test_id("connect-runtime")).to_have_count(0)


async def test_a_call_that_is_only_registered_turns_nothing_green(page: Page, runtime: Runtime) -> None:
    call = runtime.call(agent_name="Ada", call_status="registered")
    drawer = await page.context.new_page()
    await drawer.goto(f"/live/{call.call_id}")
    await expect(drawer.get_by_test_id("call-facts")).to_contain_text("Ada")  # livemon knows it
    await is_in(page, "runtime", "no call of it has come yet")
    call.update(call_status="ongoing")
    await is_in(page, "connected", "First call: Ada")


async def test_while_redis_is_away_it_says_so_and_does_not_wait(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
) -> None:
    page = await sign_in(own_livemon, "Maya")
    await page.goto("/connect")
    await is_in(page, "waiting")
    own_valkey.stop()
    await is_in(page, "away", "Redis is away", "Calls themselves go on")
    await expect(page.get_by_test_id("connect-help")).to_have_count(0)
    late = await page.context.new_page()
    await late.goto("/connect")
    await is_in(late, "away", "Redis is away")
    await asyncio.to_thread(own_valkey.start)
    for one in (page, late):
        await is_in(one, "waiting", "Waiting for the first call")
    async with running(own_valkey.url) as runtime:
        runtime.call(agent_name="Ada")
        for one in (page, late):
            await is_in(one, "connected", "First call: Ada")
        own_livemon.kill()
        await is_in(page, "away", "The server does not answer")


async def test_who_loses_the_right_loses_the_page_and_what_it_is_told(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    page = await sign_in(livemon, "Leaving", Role.DEVELOPER)
    await page.goto("/connect")
    await is_in(page, "runtime", "test-agent")
    store = Store(livemon.database_url)
    await store.open()
    await set_role(store, await find_or_create(store, "Leaving"), "default", Role.MEMBER)
    await store.close()
    await expect(page.get_by_test_id("connect-forbidden")).to_be_visible(timeout=LONG_MS)
    await expect(page.get_by_test_id("connect-forbidden")).to_contain_text(
        "Connecting agents is for Admins and Developers"
    )
    assert "test-agent" not in await page.content()
    assert "redis://" not in await page.content()


async def test_another_workspaces_runtime_is_not_seen(page: Page, valkey_of_livemon: ValkeyProcess) -> None:
    async with Runtime(valkey_of_livemon.url, name="stranger", workspace="beside") as stranger:
        await stranger.alive.wait()
        stranger.call(agent_name="Eve")
        async with running(valkey_of_livemon.url):
            await is_in(page, "runtime", "test-agent")
            await expect(page.get_by_test_id("connect-runtime")).to_have_count(1)
            assert "stranger" not in await page.content()


async def test_by_the_keyboard_alone_a_stack_is_picked_and_its_lines_are_copied(page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    first = page.get_by_role("radio", name="Pipecat")
    await first.focus()
    for _ in range(3):
        await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="Python")).to_be_checked()
    agent = page.locator("[data-testid=connect-copy][data-block=agent]")
    await agent.focus()
    await page.keyboard.press("Enter")
    await expect(agent).to_have_text("Copied")
    lines = await page.locator("[data-testid=connect-lines][data-block=agent]").inner_text()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.rstrip("\n") == lines.rstrip("\n")
    assert 'workspace="default"' in copied


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}x{size['height']}")
async def test_axe_has_no_complaint_nothing_is_too_small_for_a_finger_and_nothing_sticks_out(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime, size: dict[str, int]
) -> None:
    page = await sign_in(livemon, "Ada", viewport=size, reduced_motion="reduce")
    await page.goto("/connect")
    await is_in(page, "runtime")
    runtime.call(agent_name="Ada", audio=Audio(caller="opus", agent="opus"))
    await is_in(page, "connected")
    for stack in ("pipecat", "livekit", "twilio", "python", "other", "api"):
        await page.locator(f"[data-testid=connect-stack][data-stack={stack}]").click()
        await expect(page.get_by_test_id("connect-lines").first).to_be_visible()
        small = await page.evaluate(
            """() => [...document.querySelectorAll(".connect :is(button, a, label)")]
                .filter((one) => one.offsetParent).map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
                .filter(([, { width, height }]) => width < 44 || height < 44).map(([words]) => words)"""
        )
        assert small == [], stack
        assert await page.evaluate("document.querySelector('.lm-pages').scrollWidth <= innerWidth"), stack
    await expect_no_complaints(page)
