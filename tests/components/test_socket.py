"""`socket.js` in a real Chromium, against a server that goes away, is silent, or says no. The page's clock is the test's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.chromium import close
from tests.components.conftest import DESKTOP, Server, Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN = """async () => {
  const { LiveSocket } = await import("/assets/socket.js");
  window.states = [];
  window.messages = [];
  window.socket = new LiveSocket("/feed/calls/s", {
    message: (message) => window.messages.push(message),
    state: (state, since, code) => window.states.push([state, code, since]),
  });
  window.socket.open();
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def stage(drawer_server: Server, drawer_browser: Browser) -> AsyncIterator[Stage]:
    """In a context of its own: clock and network are the context's."""
    context = await drawer_browser.new_context(**DESKTOP)
    async with staged(drawer_server, context) as stage:
        yield stage
    await close(context)


async def opened(stage: Stage) -> Page:
    """A page with a socket that is live."""
    await stage.page.evaluate(OPEN)
    await stage.connection("s")
    await stage.say("s", {"t": "tick"})
    await state(stage.page, "live")
    return stage.page


async def state(page: Page, name: str, code: int | None = None) -> None:
    await page.wait_for_function(
        "(wanted) => states.at(-1)?.[0] === wanted[0] && states.at(-1)[1] === wanted[1]", arg=[name, code]
    )


async def connections(stage: Stage, number: int) -> None:
    async with asyncio.timeout(60), stage.connected:
        await stage.connected.wait_for(lambda: len(stage.accepted) >= number)


async def test_it_is_live_once_the_server_has_spoken_not_when_it_has_connected(stage: Stage) -> None:
    await stage.page.evaluate(OPEN)
    await stage.connection("s")
    assert await stage.page.evaluate("socket.state") == "connecting"
    await stage.say("s", {"t": "tick", "now": 1})
    await state(stage.page, "live")
    assert await stage.page.evaluate("messages") == [{"t": "tick", "now": 1}]


async def test_a_lost_connection_is_made_again_and_says_since_when(stage: Stage) -> None:
    page = await opened(stage)
    before = await page.evaluate("Date.now()")
    await stage.drop("s")
    await state(page, "reconnecting")
    assert await page.evaluate("states.at(-1)[2]") >= before
    await stage.connection("s")
    await stage.say("s", {"t": "tick"})
    await state(page, "live")


async def test_the_waits_grow_to_five_seconds_and_begin_anew_after_a_message(stage: Stage) -> None:
    """0.25 s, doubling to 5 s, each with a quarter more or less of it."""
    page = await opened(stage)
    waits: Any = """() => {
      const real = window.setTimeout;
      window.waits = [];
      window.setTimeout = (act, ms) => (window.waits.push(ms), real(act, Math.min(ms, 5)));
    }"""
    await page.evaluate(waits)
    stage.refusals["s"] = 1013
    await stage.drop("s")
    await page.wait_for_function("waits.length >= 8")
    stage.refusals.clear()
    await stage.connection("s")
    for wait, meant in zip(
        (await page.evaluate("waits"))[:8], (250, 500, 1000, 2000, 4000, 5000, 5000, 5000), strict=True
    ):
        assert 0.75 * meant <= wait <= 1.25 * meant
    await stage.say("s", {"t": "tick"})
    await state(page, "live")
    await page.evaluate("waits.length = 0")
    await stage.drop("s")
    await page.wait_for_function("waits.length >= 1")
    assert (await page.evaluate("waits"))[0] <= 1.25 * 250


async def test_twelve_seconds_without_a_word_are_a_dead_connection(stage: Stage) -> None:
    await stage.page.clock.install()
    page = await opened(stage)
    await page.clock.run_for(11_000)
    assert await page.evaluate("socket.state") == "live"
    await stage.say("s", {"t": "tick"})
    await page.wait_for_function("messages.length === 2")
    await page.clock.run_for(11_000)
    assert await page.evaluate("socket.state") == "live"
    await page.clock.run_for(2_000)
    await page.wait_for_function("states.at(-1)[0] === 'reconnecting'")


@pytest.mark.parametrize("code", [4401, 4403, 4404, 4409])
async def test_a_refusal_is_final(stage: Stage, code: int) -> None:
    await stage.page.clock.install()
    page = await opened(stage)
    await stage.drop("s", code)
    await state(page, "refused", code)
    for nudge in ("window.dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"):
        await page.evaluate(nudge)
    await page.clock.run_for(60_000)
    assert await page.evaluate("socket.socket") is None
    assert len(stage.accepted) == 1


async def test_it_names_the_workspace_that_the_page_shows(stage: Stage) -> None:
    await stage.shows("night-shift")
    async with stage.page.expect_event("websocket") as socket:
        await opened(stage)
    assert (await socket.value).url.endswith("/feed/calls/s?workspace=night-shift")


async def test_offline_is_told_from_a_server_that_is_away_and_ends_with_the_network(stage: Stage) -> None:
    page = await opened(stage)
    await page.context.set_offline(True)
    await state(page, "offline")
    since = await page.evaluate("states.at(-1)[2]")
    await page.context.set_offline(False)
    await connections(stage, 2)
    assert await page.evaluate("states.at(-1)") == ["reconnecting", None, since], "lost since the first of both"
    await stage.say("s", {"t": "tick"})
    await state(page, "live")


async def test_a_person_who_comes_back_to_the_page_does_not_wait(stage: Stage) -> None:
    page = await opened(stage)
    await page.clock.install()  # from now on no wait ends by itself
    await stage.drop("s")
    await state(page, "reconnecting")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await connections(stage, 2)


async def test_what_is_closed_says_and_does_nothing_any_more(stage: Stage) -> None:
    page = await opened(stage)
    await page.evaluate("socket.close()")
    await state(page, "closed")
    async with asyncio.timeout(60), stage.connected:
        await stage.connected.wait_for(lambda: not stage.sockets["s"])
    await page.evaluate("window.dispatchEvent(new Event('online')), window.dispatchEvent(new Event('offline'))")
    assert await page.evaluate("[socket.state, socket.send({})]") == ["closed", False]
    assert len(stage.accepted) == 1


async def test_what_is_not_json_is_ignored(stage: Stage) -> None:
    page = await opened(stage)
    for follower in stage.sockets["s"]:
        await follower.send_text("{nonsense")
    await stage.say("s", {"t": "tick", "n": 2})
    await page.wait_for_function("messages.at(-1).n === 2")
    assert await page.evaluate("messages.length") == 2
