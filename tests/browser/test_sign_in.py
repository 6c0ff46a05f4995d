"""Getting in by a one-time link, coming back to where one wanted to go, and getting out again."""

import re
from urllib.parse import quote

import pytest
from playwright.async_api import BrowserContext, expect

from livemon.access.sign_in_limits import MOST
from livemon_runtime import Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def is_signed_out(context: BrowserContext, url: str) -> None:
    answer = await context.request.get(f"{url}/live", max_redirects=0, headers={"Accept": "text/html"})
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=/live")


async def test_a_link_signs_in_once_and_leads_to_the_list(livemon: LivemonProcess, nobody: LivePage) -> None:
    token = await livemon.link_token("Maya")
    await nobody.page.goto(f"/sign-in#token={token}")
    await nobody.page.wait_for_url("**/live")
    await nobody.is_live()
    (cookie,) = await nobody.page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("livemon_session", True, "Lax")

    other = await nobody.page.context.browser.new_context(base_url=livemon.url)
    try:
        page = await other.new_page()
        await page.goto(f"/sign-in#token={token}")
        await expect(page.get_by_test_id("sign-in-used")).to_be_visible()  # a part that is hidden has its text already
        await expect(page.get_by_test_id("sign-in-used")).to_contain_text("livemon sign-in-link")
        assert token not in page.url
        await is_signed_out(other, livemon.url)
    finally:
        await other.close()


async def test_who_is_not_signed_in_comes_back_to_where_they_wanted_to_go(
    livemon: LivemonProcess, nobody: LivePage, runtime: Runtime
) -> None:
    """Also when the link that they then open knows nothing of it."""
    (call,) = start_calls(runtime, 1)
    page = nobody.page
    await page.goto(f"/live/{call.call_id}")
    await expect(page.get_by_test_id("sign-in-how")).to_contain_text("livemon sign-in-link")
    assert page.url.endswith(f"/sign-in?next=/live/{call.call_id}")
    await page.goto(f"/sign-in#token={await livemon.link_token('Maya')}")
    await nobody.has_open(call)


async def test_where_too_many_sign_ins_have_failed_the_page_says_so_and_keeps_the_link(
    livemon: LivemonProcess, nobody: LivePage
) -> None:
    page, token = nobody.page, await livemon.link_token("Maya")
    await page.set_extra_http_headers({"X-Forwarded-For": "198.51.100.77"})  # a proxy on this machine is believed
    await page.goto(f"/sign-in#token={token}x")
    await expect(page.get_by_test_id("sign-in-used")).to_be_visible()
    forged = {"Origin": livemon.url, "X-Forwarded-For": "198.51.100.77"}
    for _ in range(MOST - 1):
        await page.request.post(f"{livemon.url}/sign-in/link", data={"token": "x"}, headers=forged)
    await page.goto(f"/sign-in#token={token}")
    await expect(page.get_by_test_id("sign-in-limited")).to_be_visible()
    await expect(page.get_by_test_id("sign-in-limited")).to_contain_text("the link is still good")
    assert token not in page.url
    await page.goto("/sign-in/any-provider")
    problem = page.get_by_test_id("sign-in-problem")
    await expect(problem).to_have_attribute("data-problem", "limited")
    await expect(problem).to_contain_text("Try again in about five minutes")
    await page.goto(f"/sign-in#token={token}")
    await expect(page.get_by_test_id("sign-in-limited")).to_be_visible()
    await page.set_extra_http_headers({"X-Forwarded-For": "198.51.100.78"})
    await page.get_by_test_id("sign-in-limited").get_by_role("button").click()
    await page.wait_for_url("**/live")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//elsewhere.example/live",
        "https://elsewhere.example",
        "/\\elsewhere.example",
        "/.//elsewhere.example",
        "/..//elsewhere.example",
        "https:elsewhere.example",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
        "//",
        "http://",
    ],
)
async def test_a_link_leads_to_no_other_server(livemon: LivemonProcess, nobody: LivePage, elsewhere: str) -> None:
    await nobody.page.goto(f"/sign-in?next={quote(elsewhere, safe='')}#token={await livemon.link_token('Maya')}")
    await nobody.page.wait_for_url(f"{livemon.url}/live")


async def test_signing_out_ends_the_session_in_every_tab(livemon: LivemonProcess, sign_in: SignIn) -> None:
    live = LivePage(await sign_in(livemon, "Maya"))
    await live.open()
    other = LivePage(await live.page.context.new_page())
    await other.open()
    await live.page.get_by_test_id("account-menu").click()
    await expect(live.page.get_by_test_id("account-panel")).to_contain_text("Maya")
    await live.page.get_by_test_id("sign-out").click()
    for page in (live.page, other.page):
        await expect(page.get_by_test_id("sign-in-how")).to_be_visible()
        assert re.search(r"/sign-in(\?next=/live)?$", page.url)
    await is_signed_out(live.page.context, livemon.url)


async def test_who_signs_in_as_somebody_else_is_not_the_first_any_more(
    livemon: LivemonProcess, sign_in: SignIn
) -> None:
    live = LivePage(await sign_in(livemon, "Maya"))
    (before,) = await live.page.context.cookies()
    await live.page.goto(f"/sign-in#token={await livemon.link_token('Noor')}")
    await live.page.wait_for_url("**/live")
    await live.page.get_by_test_id("account-menu").click()
    await expect(live.page.get_by_test_id("account-panel")).to_contain_text("Noor")
    cookie = f"{before['name']}={before['value']}"
    answer = await live.page.request.get(f"{livemon.url}/live", max_redirects=0, headers={"Cookie": cookie})
    assert answer.status == 401
