"""Who may enter, from an Admin's page to other people's browsers: invited, given a role, signed out, kept out."""

import asyncio
import time

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from livemon.access.roles import Role
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import DESKTOP, SignIn
from tests.browser.live_page import LivePage
from tests.chromium import close
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = [(1366, 900), (820, 1180), (390, 844)]
PAGES = [("/members", "members"), ("/keys", "keys")]


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere(livemon: LivemonProcess, chromium: Browser):
    """Another person's browser, in which nobody is signed in."""
    context: BrowserContext = await chromium.new_context(viewport=DESKTOP, base_url=livemon.url)
    errors: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    await close(context)
    assert errors == []


def row(page: Page, name: str) -> Locator:
    return page.get_by_test_id("member").filter(has=page.get_by_role("heading", name=name, exact=True))


async def open_members(page: Page) -> None:
    await page.goto("/members")
    await expect(page.get_by_test_id("member").first).to_be_visible()
    await expect(page.get_by_test_id("connection-state")).to_be_hidden()  # there is no list that could say


async def invite(page: Page, name: str, role: Role) -> str:
    """The link."""
    await page.get_by_test_id("invite").click()
    await page.get_by_test_id("invite-name").fill(name)
    await page.get_by_test_id("invite-role").select_option(role.value)
    await page.get_by_test_id("invite-submit").click()
    link = await page.get_by_test_id("invite-link").inner_text()
    await page.get_by_test_id("invite-link-submit").click()
    return link


async def join(page: Page, link: str) -> None:
    await page.goto(link)
    await page.get_by_test_id("join-accept").click()


async def test_from_the_invitation_to_the_role_and_out_again(
    livemon: LivemonProcess, sign_in: SignIn, elsewhere: Page
) -> None:
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    link = await invite(admin, "Jo Invited", Role.MEMBER)
    assert link.startswith(f"{livemon.url}/join#token=")
    waiting = admin.get_by_test_id("invitation").filter(has_text="Jo Invited")
    await expect(waiting).to_contain_text("invited by Ada")

    await elsewhere.goto(link)
    await expect(elsewhere.get_by_test_id("join-invited")).to_contain_text("Member")
    await expect(elsewhere.get_by_test_id("join-name")).to_have_value("Jo Invited")
    assert "token" not in elsewhere.url
    await elsewhere.get_by_test_id("join-accept").click()
    await expect(elsewhere.get_by_test_id("home")).to_be_visible()

    jo = row(admin, "Jo Invited")
    await expect(jo).to_have_attribute("data-role", "member")
    await expect(waiting).to_have_count(0)
    await expect(jo.get_by_test_id("session")).to_contain_text("Chrome on Linux")
    await expect(jo.get_by_test_id("session")).to_contain_text("127.0.0.1")
    await jo.get_by_test_id("member-role").select_option("developer")
    await admin.get_by_test_id("member-role-confirm").click()
    await expect(jo).to_have_attribute("data-role", "developer")
    await elsewhere.wait_for_url("**/live")
    await LivePage(elsewhere).is_live()

    await jo.get_by_test_id("session-end").click()
    await admin.get_by_test_id("session-end-confirm").click()
    began = time.monotonic()
    await expect(elsewhere.get_by_test_id("sign-in-how")).to_be_visible()
    print(f"the browser was at the sign-in page {time.monotonic() - began:.2f} s after its session was ended")
    await expect(jo.get_by_test_id("session")).to_have_count(0)

    await elsewhere.goto(link)
    await expect(elsewhere.locator("[data-problem=invitation_used]")).to_be_visible()
    await jo.get_by_test_id("member-remove").click()
    await admin.get_by_test_id("member-remove-confirm").click()
    await expect(jo).to_have_count(0)


async def test_a_name_that_is_taken_is_refused_and_another_one_joins(
    livemon: LivemonProcess, sign_in: SignIn, elsewhere: Page
) -> None:
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    await elsewhere.goto(await invite(admin, "Ada", Role.DEVELOPER))
    await elsewhere.get_by_test_id("join-accept").click()
    await expect(elsewhere.locator("[data-problem=name_taken]")).to_be_visible()
    await elsewhere.get_by_test_id("join-name").fill("Ada the Second")
    await elsewhere.get_by_test_id("join-accept").click()
    await elsewhere.wait_for_url("**/live")
    await expect(row(admin, "Ada the Second")).to_be_visible()


async def test_who_is_signed_in_joins_as_themselves_and_keeps_what_they_had(
    livemon: LivemonProcess, sign_in: SignIn, elsewhere: Page
) -> None:
    code, said = await asyncio.to_thread(livemon.run, "add-workspace", "northwind")
    assert code == 0, said
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    link = await invite(admin, "Whoever", Role.DEVELOPER)
    value = await livemon.cookie("Kim Both", Role.MEMBER, "northwind")
    await elsewhere.context.add_cookies([{"name": "livemon_session", "value": value, "url": livemon.url}])
    await elsewhere.goto(link)
    await expect(elsewhere.get_by_test_id("join-as-me")).to_have_text("Join as Kim Both")
    await expect_no_complaints(elsewhere)
    await elsewhere.get_by_test_id("join-as-me").click()
    await elsewhere.wait_for_url("**/live")
    await LivePage(elsewhere).is_live()
    await expect(row(admin, "Kim Both")).to_have_attribute("data-role", "developer")
    places = (await (await elsewhere.request.get("/workspaces")).json())["workspaces"]
    assert {one["slug"]: (one["role"], one["current"]) for one in places} == {
        "default": ("developer", True),
        "northwind": ("member", False),
    }
    again = await invite(admin, "Whoever else", Role.MEMBER)
    await elsewhere.goto(again)
    await expect(elsewhere.get_by_test_id("join-you")).to_contain_text("who is a member there")
    await expect(elsewhere.get_by_test_id("join-as-me")).to_be_hidden()


async def test_an_invitation_that_was_revoked_lets_nobody_in(
    livemon: LivemonProcess, sign_in: SignIn, elsewhere: Page
) -> None:
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    link = await invite(admin, "Not After All", Role.ADMIN)
    one = admin.get_by_test_id("invitation").filter(has_text="Not After All")
    await one.get_by_test_id("invitation-revoke").click()
    await admin.get_by_test_id("invitation-revoke-confirm").click()
    await expect(one).to_have_count(0)
    await elsewhere.goto(link)
    await expect(elsewhere.locator("[data-problem=invitation_used]")).to_be_visible()


async def test_a_sign_in_link_lets_a_member_in_once(livemon: LivemonProcess, sign_in: SignIn, elsewhere: Page) -> None:
    await sign_in(livemon, "Lost Device", Role.DEVELOPER)
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    await row(admin, "Lost Device").get_by_test_id("member-link").click()
    link = await admin.get_by_test_id("member-link-shown").inner_text()
    await elsewhere.goto(link)
    await elsewhere.wait_for_url("**/live")
    await elsewhere.get_by_test_id("account-menu").click()
    await expect(elsewhere.get_by_test_id("account-panel")).to_contain_text("Lost Device")


async def test_ones_own_session_is_marked_and_its_end_is_ones_own_sign_out(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    page = await sign_in(livemon, "Own Session")
    await open_members(page)
    await expect(row(page, "Own Session")).to_contain_text("This device")
    await expect(page.locator("[data-testid=session-end][data-this]")).to_have_count(1)
    await page.locator("[data-testid=session-end][data-this]").click()
    await page.get_by_test_id("session-end-confirm").click()
    await expect(page.get_by_test_id("sign-in-how")).to_be_visible()


async def test_the_last_admin_cannot_remove_or_demote_himself(own_livemon: LivemonProcess, sign_in: SignIn) -> None:
    await sign_in(own_livemon, "Dev", Role.DEVELOPER)
    page = await sign_in(own_livemon, "Only Admin")
    await open_members(page)
    await row(page, "Admin").get_by_test_id("member-remove").click()  # for whom the first start made a link
    await page.get_by_test_id("member-remove-confirm").click()
    await expect(row(page, "Admin")).to_have_count(0)
    one = row(page, "Only Admin")
    await one.get_by_test_id("member-remove").click()
    await page.get_by_test_id("member-remove-confirm").click()
    await expect(one.get_by_test_id("member-problem")).to_contain_text("Only Admin was not removed")
    await expect(one.get_by_test_id("member-problem")).to_contain_text("last Admin")
    await one.get_by_test_id("member-role").select_option("developer")
    await page.get_by_test_id("member-role-confirm").press("Enter")  # two clicks at once are taken for one
    await expect(one.get_by_test_id("member-problem")).to_contain_text("still has the role Admin")
    await expect(one.get_by_test_id("member-role")).to_have_value("admin")
    await expect(one).to_have_attribute("data-role", "admin")
    await row(page, "Dev").get_by_test_id("member-role").select_option("admin")
    await page.get_by_test_id("member-role-confirm").press("Enter")
    await expect(row(page, "Dev")).to_have_attribute("data-role", "admin")
    await one.get_by_test_id("member-remove").click()
    await page.get_by_test_id("member-remove-confirm").click()
    await expect(page.get_by_test_id("sign-in-how")).to_be_visible()


async def test_who_gives_away_the_role_of_an_admin_has_the_page_no_more(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    page = await sign_in(livemon, "Steps Down")
    await open_members(page)
    await row(page, "Steps Down").get_by_test_id("member-role").select_option("developer")
    await page.get_by_test_id("member-role-confirm").click()
    await expect(page.get_by_test_id("members-forbidden")).to_be_visible()
    await expect(page.get_by_test_id("members")).to_have_count(0)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MEMBER])
@pytest.mark.parametrize(("path", "name"), PAGES)
async def test_nobody_but_an_admin_finds_them_and_the_attempt_is_in_the_log(
    livemon: LivemonProcess, sign_in: SignIn, role: Role, path: str, name: str
) -> None:
    asked: list[str] = []
    page = await sign_in(livemon, f"No {role} of {name}", role)
    page.on("request", lambda request: asked.append(request.url))
    answer = await page.goto(path)
    assert answer.status == 403
    await expect(page.get_by_test_id(f"{name}-forbidden")).to_contain_text("for Admins")
    await expect(page.get_by_test_id(f"nav-{name}")).to_have_count(0)
    await expect_no_complaints(page)
    await page.goto("/")
    await expect(page.get_by_test_id("account-menu")).to_be_visible()
    await page.evaluate("(path) => window.emitEvent('sub_pages_navigate', path)", path)
    await expect(page.get_by_test_id(f"{name}-forbidden")).to_be_visible()
    assert not [url for url in asked if url.endswith("/all")]
    admin = await sign_in(livemon, "Ada")
    await admin.goto("/audit")
    await admin.get_by_test_id("audit-person").fill(f"No {role} of {name}")
    await expect(admin.locator("[data-action=access][data-outcome=refused]").first).to_contain_text(path)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_on_any_screen_they_fit_and_axe_has_no_complaints(
    livemon: LivemonProcess, sign_in: SignIn, width: int, height: int
) -> None:
    page = await sign_in(livemon, "Ada", viewport={"width": width, "height": height}, reduced_motion="reduce")
    await open_members(page)
    await invite(page, "Somebody with rather a long name, and then some more of it", Role.DEVELOPER)
    await fits(page)
    await page.get_by_test_id("member-remove").first.click()
    await fits(page)
    await page.get_by_test_id("member-remove-cancel").click()
    await page.get_by_test_id("invite").click()
    await fits(page)
    await page.get_by_test_id("invite-cancel").click()
    await page.get_by_test_id("nav-keys").click()
    await expect(page.get_by_test_id("nav-keys")).to_have_attribute("aria-current", "page")
    await expect(page.get_by_test_id("nav-keys")).to_be_in_viewport(ratio=1)
    await expect(page).to_have_title("API keys · livemon")
    await page.get_by_test_id("key-make").click()
    await fits(page)
    await page.get_by_test_id("key-name").fill("Wallboard")
    await page.get_by_test_id("key-make-submit").click()
    await expect(page.get_by_test_id("key-secret")).to_be_visible()
    await fits(page)
    await page.get_by_test_id("key-secret-submit").click()
    await expect(page.get_by_test_id("key").first).to_be_visible()
    await fits(page)


async def fits(page: Page) -> None:
    """Nothing to be scrolled sideways, everything that is touched is large enough, and axe finds nothing."""
    await expect_no_complaints(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.locator(".lm-pages").evaluate("one => one.scrollWidth <= one.clientWidth")
    small = """() => [...document.querySelectorAll("button, select, input:not([type=checkbox]), .choice, .lm-tabs a")]
      .filter((one) => one.checkVisibility() && !one.closest(".account-panel"))
      .map((one) => [one.dataset.testid ?? one.className, one.getBoundingClientRect()])
      .filter(([, box]) => box.height < 44 || box.width < 44).map(([name]) => name)"""
    assert await page.evaluate(small) == []


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_page_of_an_invitation_on_any_screen(
    livemon: LivemonProcess, sign_in: SignIn, chromium: Browser, width: int, height: int
) -> None:
    admin = await sign_in(livemon, "Ada")
    await open_members(admin)
    link = await invite(admin, "Ada", Role.DEVELOPER)
    context = await chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(link)
    await expect(page.get_by_test_id("join-accept")).to_be_visible()
    await expect_no_complaints(page)
    await page.get_by_test_id("join-accept").click()
    await expect(page.get_by_test_id("join-problem")).to_be_visible()
    await expect_no_complaints(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for control in ("join-name", "join-accept"):
        assert (await page.get_by_test_id(control).bounding_box())["height"] >= 44, control
    await close(context)


async def test_by_the_keyboard_alone(livemon: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(livemon, "Ada")
    await open_members(page)
    await page.get_by_test_id("invite").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("Kim Keys")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("invite-link-copy")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("invite-link")).to_have_count(0)
    await expect(page.get_by_test_id("invite")).to_be_focused()
    revoke = page.get_by_test_id("invitation").filter(has_text="Kim Keys").get_by_test_id("invitation-revoke")
    await expect(revoke).to_be_visible()
    for _ in range(400):
        await page.keyboard.press("Tab")
        if await revoke.evaluate("one => one === document.activeElement"):
            break
    await expect(revoke).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("invitation-revoke-cancel")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(revoke).to_have_count(0)
    await expect(page.get_by_test_id("members-said")).to_contain_text("does not work any more")
