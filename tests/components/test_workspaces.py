"""Going to another workspace, by the account menu and by a call's address, in a real Chromium."""

import pytest
from playwright.async_api import Page, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS, say
from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

TWO = [
    {"slug": "default", "name": "Front desk", "role": "admin", "current": True},
    {"slug": "night", "name": "<b>Night</b> shift", "role": "developer", "current": False},
]


async def two() -> Response:
    return JSONResponse({"workspaces": TWO})


async def went() -> Response:
    return JSONResponse({"next": "/live"})


async def has_a_call() -> Response:
    return JSONResponse({"error": {"code": "talking", "message": "You have a call at this moment."}}, 409)


async def no_gateway() -> Response:
    return Response("Bad gateway", 502)


async def menu(stage: Stage) -> Page:
    await stage.page.add_script_tag(url="/assets/theme.js")
    await stage.mount("account_menu", name="Maya Kim", role="Admin", workspace="default")
    await stage.page.get_by_test_id("account-menu").click()
    await expect(stage.page.get_by_test_id("account-panel")).to_be_visible()
    return stage.page


async def test_the_menu_shows_ones_workspaces_and_goes_to_the_one_that_is_pressed(stage: Stage):
    stage.workspaces, stage.switch = two, went
    page = await menu(stage)
    here, there = page.locator("[data-slug=default]"), page.locator("[data-slug=night]")
    await expect(here).to_have_attribute("aria-current", "true")
    await expect(here).to_be_disabled()
    await expect(there).to_contain_text("<b>Night</b> shift")
    await expect(there).to_contain_text("Developer")
    await expect(page.locator(".account-who")).to_contain_text("Admin in Front desk")
    await there.click()
    await page.wait_for_url("**/live")
    assert stage.switched_to == ["night"]


async def test_with_one_workspace_there_is_nothing_to_choose(stage: Stage):
    async with stage.page.expect_response("**/workspaces"):
        page = await menu(stage)
    await page.evaluate("() => new Promise(requestAnimationFrame)")
    await expect(page.get_by_test_id("workspace-switch")).to_have_count(0)


async def test_a_menu_that_cannot_read_them_says_so_and_the_next_opening_may(stage: Stage):
    stage.workspaces = no_gateway
    page = await menu(stage)
    await expect(page.get_by_role("alert")).to_have_text(TEXTS["workspace.unread"])
    stage.workspaces = two
    for _ in range(2):
        await page.get_by_test_id("account-menu").click()
    await expect(page.get_by_test_id("workspace-switch")).to_have_count(2)
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("answer", "words"), [(has_a_call, "You have a call at this moment."), (no_gateway, TEXTS["workspace.unknown"])]
)
async def test_why_one_stays_is_said_and_it_can_be_tried_again(stage: Stage, answer, words: str):
    stage.workspaces, stage.switch = two, answer
    page = await menu(stage)
    await page.locator("[data-slug=night]").click()
    await expect(page.get_by_role("alert")).to_have_text(words)
    await expect(page.locator("[data-slug=night]")).to_be_enabled()
    assert not await page.evaluate("window.livemonLeaves"), "the page reloads if its session ends"


async def test_whoever_comes_by_the_address_is_led_to_the_call(stage: Stage):
    stage.switch = went
    await stage.mount("other_workspace", call_id="call/1", slug="night", name="Night", at_once=True)
    await stage.page.wait_for_url("**/live/call%2F1")
    assert stage.switched_to == ["night"]


async def test_a_page_that_is_loaded_again_asks_first(stage: Stage):
    stage.switch = went
    await stage.page.reload()
    await stage.page.wait_for_function("window.ready")
    await stage.mount("other_workspace", call_id="call-1", slug="night", name="Night", at_once=True)
    await asks_first(stage)


async def test_an_address_within_an_open_page_asks_first(stage: Stage):
    stage.switch = went
    await stage.mount("other_workspace", call_id="call-1", slug="night", name="Night", at_once=False)
    await asks_first(stage)


async def asks_first(stage: Stage) -> None:
    await expect(stage.page.get_by_role("heading")).to_have_text(say("workspace.other.title", name="Night"))
    assert stage.switched_to == []
    await stage.page.get_by_test_id("workspace-switch").click()
    await stage.page.wait_for_url("**/live/call-1")
    assert stage.switched_to == ["night"]


async def test_whoever_has_a_call_reads_why_they_stay(stage: Stage):
    stage.switch = has_a_call
    await stage.mount("other_workspace", call_id="call-1", slug="night", name="Night", at_once=True)
    await expect(stage.page.get_by_role("alert")).to_have_text("You have a call at this moment.")
    await expect(stage.page.get_by_test_id("workspace-switch")).to_be_enabled()
