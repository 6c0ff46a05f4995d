"""The account menu in a real Chromium: who one is, light or dark, and a way out."""

import pytest
from playwright.async_api import Page, expect
from starlette.responses import Response

from livemon.texts import TEXTS
from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def opened(stage: Stage, name: str = "Maya Kim") -> Page:
    await stage.page.add_script_tag(url="/assets/theme.js")
    await stage.mount("account_menu", name=name, role="Admin", workspace="default")
    await stage.page.get_by_test_id("account-menu").click()
    await expect(stage.page.get_by_test_id("account-panel")).to_be_visible()
    return stage.page


@pytest.mark.parametrize(("name", "initials"), [("Maya Kim", "MK"), ("admin", "A"), ("Ana María López", "AL")])
async def test_it_says_who_one_is(stage: Stage, name: str, initials: str) -> None:
    page = await opened(stage, name)
    await expect(page.get_by_test_id("account-menu")).to_have_text(initials)
    await expect(page.get_by_test_id("account-menu")).to_have_accessible_name(f"Account: {name}")
    await expect(page.get_by_test_id("account-panel")).to_contain_text(name)
    await expect(page.get_by_test_id("account-panel")).to_contain_text("Admin in Default")


async def test_escape_closes_it_and_gives_the_focus_back_and_a_press_elsewhere_closes_it_too(stage: Stage) -> None:
    page = await opened(stage)
    panel = page.get_by_test_id("account-panel")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(page.get_by_test_id("account-menu")).to_be_focused()
    await page.get_by_test_id("account-menu").click()
    await page.get_by_text("Admin in Default").click()
    await expect(panel).to_be_visible()
    await page.mouse.click(700, 700)
    await expect(panel).to_be_hidden()


async def test_light_or_dark_is_chosen_and_remembered_and_the_system_counts_again(stage: Stage) -> None:
    page = await opened(stage)
    html = page.locator("html")
    await page.get_by_test_id("theme-dark").check()
    await expect(html).to_have_attribute("data-theme", "dark")
    assert await page.evaluate("livemonTheme.choice()") == "dark"
    await page.emulate_media(color_scheme="light")
    await expect(html).to_have_attribute("data-theme", "dark")
    await page.get_by_test_id("theme-system").check()
    await expect(html).to_have_attribute("data-theme", "light")
    await page.emulate_media(color_scheme="dark")
    await expect(html).to_have_attribute("data-theme", "dark")


async def test_signing_out_leads_to_the_sign_in_page(stage: Stage) -> None:
    page = await opened(stage)
    await page.get_by_test_id("sign-out").click()
    await page.wait_for_url("**/sign-in")


async def test_a_sign_out_that_failed_says_that_one_is_still_signed_in(stage: Stage) -> None:
    async def broken() -> Response:
        return Response(status_code=503)

    stage.sign_out = broken
    page = await opened(stage)
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_role("alert")).to_have_text(TEXTS["account.sign_out_failed"])
    await expect(page.get_by_test_id("sign-out")).to_be_enabled()
