"""Joining by an invitation where people sign in at a provider: through its real pages, in a real browser."""

import pytest
from playwright.async_api import Page, expect

from livemon.access.roles import Role
from tests.browser import test_single_sign_on
from tests.browser.live_page import LivePage
from tests.browser.test_single_sign_on import House
from tests.canaille_server import PASSWORD
from tests.two_nodes import Asker, asker

pytestmark = pytest.mark.asyncio(loop_scope="session")

house, page = test_single_sign_on.house, test_single_sign_on.page


async def invited(admin: Asker, role: Role, name: str = "") -> str:
    """The link of a new invitation."""
    answer = await admin.post("/invitations", {"role": role.value, "name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


async def join(page: Page, link: str, name: str) -> None:
    await page.goto(link)
    await page.get_by_test_id("join-with-canaille").click()
    await at_canaille(page, name)


async def at_canaille(page: Page, name: str) -> None:
    await page.locator("input[name=login]").fill(name)
    await page.locator("#loginform button[type=submit]").click()
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("#passwordform button[type=submit]").click()


async def is_in_as(page: Page, role: str) -> None:
    if role != "Member":
        await page.wait_for_url("**/live")
        await LivePage(page).is_live()
    await page.get_by_test_id("account-menu").click()
    await expect(page.get_by_test_id("account-panel")).to_contain_text(role)
    await page.keyboard.press("Escape")


async def sign_out(page: Page) -> None:
    await page.get_by_test_id("account-menu").click()
    await page.get_by_test_id("sign-out").click()
    await expect(page.get_by_test_id("sign-in-canaille")).to_be_visible()


async def role_of(admin: Asker, name: str) -> list[str]:
    return [one["role"] for one in (await admin.get("/members/all")).json()["members"] if one["name"] == name]


async def test_whom_no_claim_names_has_the_invitations_role_now_and_when_they_come_back(
    page: Page, house: House
) -> None:
    """Mel is a Member by the claims alone, and known already."""
    admin = await asker(house.livemon, "Root")
    await page.goto("/sign-in")
    await page.get_by_test_id("sign-in-canaille").click()
    await at_canaille(page, "mel")
    await is_in_as(page, "Member")
    await sign_out(page)
    link = await invited(admin, Role.DEVELOPER, "Mel")
    await join(page, link, "mel")
    await is_in_as(page, "Developer")
    assert await role_of(admin, "Mel Kaye") == ["developer"]
    await sign_out(page)
    await page.get_by_test_id("sign-in-canaille").click()
    await at_canaille(page, "mel")
    await is_in_as(page, "Developer")
    await sign_out(page)
    await page.goto("about:blank")
    await page.goto(link)
    await expect(page.get_by_test_id("join-problem")).to_have_attribute("data-problem", "invitation_used")


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
async def test_what_the_claims_say_counts_whatever_the_invitation_says(page: Page, house: House, role: Role) -> None:
    admin = await asker(house.livemon, "Root")
    await join(page, await invited(admin, role), "grace")
    await is_in_as(page, "Developer")
    assert await role_of(admin, "Grace Hopper") == ["developer"]


async def test_whom_the_domain_keeps_out_is_kept_out_and_the_invitation_stays_good(page: Page, house: House) -> None:
    admin = await asker(house.livemon, "Root")
    link = await invited(admin, Role.ADMIN)
    await join(page, link, "eve")
    await expect(page.get_by_test_id("sign-in-problem")).to_have_attribute("data-problem", "not_admitted")
    assert all(cookie["name"] != "livemon_session" for cookie in await page.context.cookies())
    assert await role_of(admin, "Eve Smith") == []
    await page.context.clear_cookies()
    await join(page, link, "ada")
    await is_in_as(page, "Admin")


async def test_an_invitation_taken_back_while_somebody_is_at_the_provider_lets_nobody_in(
    page: Page, house: House
) -> None:
    admin = await asker(house.livemon, "Root")
    made = (await admin.post("/invitations", {"role": "admin", "name": ""})).json()
    await page.goto(made["url"])
    await page.get_by_test_id("join-with-canaille").click()
    await expect(page.locator("input[name=login]")).to_be_visible()
    assert (await admin.post(f"/invitations/{made['id']}/revoke")).status_code == 204
    await at_canaille(page, "mel")
    await expect(page.get_by_test_id("sign-in-problem")).to_contain_text("This invitation is over")
    assert all(cookie["name"] != "livemon_session" for cookie in await page.context.cookies())
