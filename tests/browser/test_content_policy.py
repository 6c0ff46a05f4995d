"""Chromium keeps to the pages' Content-Security-Policy: it has nothing against what livemon does, and stops everything else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import ConsoleMessage, Page, TimeoutError, expect

from livemon.access.roles import Role
from livemon_runtime import Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage
from tests.browser.supervised import bot
from tests.browser.test_take_over import Sit, sit, speaking_chromium  # noqa: F401
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTE = """addEventListener("securitypolicyviolation", (event) => {
  (window.violations ??= []).push(`${event.effectiveDirective} ${event.blockedURI}`);
  console.error(`Content Security Policy, noted: ${event.effectiveDirective} ${event.blockedURI}`);
})"""
INJECTED = """() => {
  const inline = document.createElement("script");
  inline.textContent = "window.injected = 'an inline script'";
  document.body.append(inline);
  const image = document.createElement("div");
  image.innerHTML = `<img src="/assets/icons/livemon.svg" onload="window.injected = 'a handler in markup'">`;
  document.body.append(image);
  const foreign = document.createElement("script");
  foreign.src = "https://elsewhere.example/evil.js";
  document.body.append(foreign);
  const frame = document.createElement("iframe");
  frame.srcdoc = "<script>parent.injected = 'a frame'</script>";
  document.body.append(frame);
  document.body.insertAdjacentHTML("beforeend", `<base href="https://elsewhere.example/">`);
  fetch("https://elsewhere.example/take").catch(() => {});
  const picture = image.firstChild; // whose own handler is looked at when it is called
  return new Promise((done) => picture.complete ? done() : picture.addEventListener("load", done));
}"""
STOPPED = [
    "script-src-elem inline",
    "script-src-attr inline",
    "script-src-elem https://elsewhere.example/evil.js",
    "connect-src https://elsewhere.example/take",
    "base-uri https://elsewhere.example/",
]


@asynccontextmanager
async def without_complaint(page: Page) -> AsyncIterator[None]:
    """Nothing that happens on the page within the block is against its policy."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Permissions-Policy" in message.text:
            complaints.append(message.text)

    await page.add_init_script(NOTE)
    page.on("console", note)
    yield
    await page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert complaints == []


async def test_no_page_does_what_its_policy_forbids(
    livemon: LivemonProcess, sign_in: SignIn, nobody: LivePage, runtime: Runtime
):
    async with without_complaint(nobody.page):
        await nobody.page.goto("/live")
        await expect(nobody.page.get_by_test_id("sign-in-how")).to_be_visible()
        await nobody.page.goto("/assets/nowhere")
        await expect(nobody.page.get_by_test_id("not-found")).to_be_visible()
        await nobody.page.goto(f"/sign-in#token={await livemon.link_token('Maya')}")
        await nobody.page.wait_for_url("**/live")
        await nobody.is_live()
    async with without_complaint(nobody.page):
        await nobody.page.goto("/join")
        await expect(nobody.page.get_by_test_id("join-problem")).to_be_visible()
        for path, what in (("/members", "invite"), ("/keys", "key-make")):
            await nobody.page.goto(path)
            await nobody.page.get_by_test_id(what).click()
            await expect(nobody.page.locator("dialog[open]")).to_be_visible()
    page = await sign_in(livemon, "Bob", Role.MEMBER)
    async with without_complaint(page):
        for path, what in (("/nowhere", "not-found"), ("/live", "forbidden"), ("/", "home")):
            await page.goto(path)
            await expect(page.get_by_test_id(what)).to_be_visible()
        await page.get_by_test_id("account-menu").click()
        await expect(page.get_by_test_id("account-panel")).to_be_visible()


async def test_neither_listening_nor_a_take_over_does_what_the_policy_forbids(runtime: Runtime, sit: Sit):  # noqa: F811
    desk = await sit()
    async with without_complaint(desk.page), bot(runtime) as there:
        there.call.agent_turn().final("Good morning")
        await desk.open()
        await desk.row(there.call).click()
        await desk.has_open(there.call)
        await desk.page.get_by_test_id("live-listen").click()
        await expect(desk.page.get_by_test_id("exit-live-listen")).to_be_enabled()
        await desk.takes_over()
        await there.hears_the_microphone()
        await desk.page.get_by_test_id("end-call").first.click()
        await desk.page.get_by_test_id("end-call-confirm").click()
        await expect(desk.page.get_by_test_id("call-ended")).to_be_visible()


async def test_a_script_that_is_put_into_the_page_does_not_run_and_reaches_nobody(
    livemon: LivemonProcess, sign_in: SignIn
):
    page = await sign_in(livemon, "Maya")
    await page.add_init_script(NOTE)
    live = LivePage(page)
    await live.open()
    await page.evaluate(INJECTED)
    try:
        await page.wait_for_function(
            "(stopped) => stopped.every((each) => window.violations?.includes(each))", arg=STOPPED
        )
    except TimeoutError:
        assert await page.evaluate("window.violations") == STOPPED
    assert await page.evaluate("window.injected") is None
    assert await page.evaluate("document.baseURI") == f"{livemon.url}/live"


async def test_no_other_site_shows_livemon_in_a_frame(livemon: LivemonProcess, nobody: LivePage):
    page = await nobody.page.context.new_page()
    async with page.expect_console_message(lambda message: "frame-ancestors 'none'" in message.text):
        await page.set_content(f'<iframe src="{livemon.url}/sign-in"></iframe>')
