"""What the page says and does while something is away: an agent, Redis, the server, the network."""

import asyncio
import contextlib
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect
from redis.asyncio import Redis

from livemon_runtime import Runtime
from livemon_runtime.keys import Keys
from tests.browser.conftest import SignIn, running
from tests.browser.live_page import LivePage, start_calls
from tests.conftest import ValkeyProcess
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIME = r"\d?\d:\d\d"
OUTAGE_S = 10
LONG_MS = 40_000
"""For what begins with finding out that something is back."""


@contextlib.asynccontextmanager
async def lone_agent(redis_url: str, call_id: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """An agent's process with one call, and its runtime's id."""
    command = [sys.executable, "-m", "tests.browser.lone_agent", redis_url, call_id]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(*command, cwd=root, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            said = await process.stdout.readline()
        yield process, said.decode().strip().removeprefix("runtime:")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_call_whose_agent_was_killed_says_since_when_it_is_not_reporting_and_keeps_its_row(
    live: LivePage, runtime: Runtime, valkey_of_livemon: ValkeyProcess
) -> None:
    (other,) = start_calls(runtime, 1)
    lone = f"call-{secrets.token_hex(4)}"
    async with lone_agent(valkey_of_livemon.url, lone) as (process, runtime_id):
        await live.open(f"/live/{lone}")
        await expect(live.turns).to_have_count(1)
        process.kill()
        await process.wait()
        client = Redis.from_url(valkey_of_livemon.url)
        await client.delete(Keys("default").runtime(runtime_id))  # what its time to live does 15 s after the last word
        await client.aclose()
        state = live.row(lone).get_by_test_id("call-state")
        await expect(state).to_have_text(re.compile(r"^Not reporting \d+:\d\d$"))
        await expect(state).to_have_attribute("title", re.compile(rf"^Not reporting, since {TIME}"))
        doubt = live.page.get_by_test_id("drawer-doubt")
        await expect(doubt).to_contain_text(re.compile(rf"Not reporting since {TIME}"))
        await expect(doubt).to_contain_text("The caller may still be connected.")
        await expect(live.row(other).get_by_test_id("call-state")).to_have_text("Ongoing")
        await live.page.get_by_test_id("filter-attention").click()
        await live.shows(lone)
    await expect(live.turns).to_have_count(1)
    adopted = runtime.call(call_id=lone, agent_name="Lone")  # as a process does that was started again with its calls
    await expect(doubt).to_have_count(0)
    await live.page.get_by_test_id("filter-all").click()
    await expect(state).to_have_text("Ongoing")
    assert await live.new_rows.count() == 0  # it came with the same news; that it is back makes it no new call
    adopted.agent_turn().final("I am back.")
    await expect(live.turns.last).to_have_text("I am back.")


async def test_after_a_kill_of_the_server_the_page_is_live_again_by_itself_and_right(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
) -> None:
    live = LivePage(await sign_in(own_livemon, name="Maya"))
    async with running(own_valkey.url) as runtime:
        first, second, third = start_calls(runtime, 3)
        first.agent_turn().final("Before.")
        await live.open(f"/live/{first.call_id}")
        await expect(live.turns).to_have_text(["Before."])
        own_livemon.kill()
        await expect(live.connection).to_have_attribute("data-state", "reconnecting")
        await expect(live.connection).to_contain_text(re.compile(rf"since {TIME}"))
        await expect(live.page.get_by_test_id("call-list-stale")).to_contain_text("may be out of date since")
        await expect(live.page.get_by_test_id("drawer-doubt")).to_contain_text(
            re.compile(rf"Reconnecting since {TIME}")
        )
        await live.shows(third, second, first)
        first.agent_turn().final("Meanwhile.")
        second.end()
        (fourth,) = start_calls(runtime, 1)

        await asyncio.to_thread(own_livemon.start)
        began = time.monotonic()
        await live.shows(fourth, third, first)
        print(f"the list was right {time.monotonic() - began:.1f} s after the server was back")
        await live.is_live()
        await expect(live.page.get_by_test_id("call-list-stale")).to_have_count(0)
        await live.has_open(first)
        await expect(live.turns).to_have_text(["Before.", "Meanwhile."])
        first.agent_turn().final("After.")
        await expect(live.turns).to_have_text(["Before.", "Meanwhile.", "After."])


async def test_ten_seconds_without_redis_keep_the_rows_and_end_no_call_and_the_page_says_since_when(
    own_livemon: LivemonProcess, own_valkey: ValkeyProcess, sign_in: SignIn
) -> None:
    live = LivePage(await sign_in(own_livemon, name="Maya"))
    async with running(own_valkey.url) as runtime:
        first, second, third = start_calls(runtime, 3)
        first.agent_turn().final("Before.")
        await live.open(f"/live/{first.call_id}")
        await expect(live.turns).to_have_text(["Before."])
        own_valkey.stop()
        stopped = time.monotonic()
        await expect(live.connection).to_have_attribute("data-state", "stale")
        print(f"the page said so {time.monotonic() - stopped:.1f} s after Redis was stopped")
        await expect(live.connection).to_contain_text(re.compile(rf"Redis is away since {TIME}"))
        await expect(live.page.get_by_test_id("call-list-stale")).to_contain_text("cannot reach Redis")
        await expect(live.page.get_by_test_id("drawer-doubt")).to_contain_text("nothing of it is lost")
        await live.connection.click()
        await expect(live.page.locator("#connection-explained")).to_contain_text("calls themselves go on without it")
        await live.connection.click()
        first.agent_turn().final("Meanwhile.")
        second.end("user_hangup")
        (fourth,) = start_calls(runtime, 1)
        late = LivePage(await live.page.context.new_page())  # whoever comes now sees the same, and for how old it is
        await late.page.goto("/live")
        await expect(late.connection).to_have_attribute("data-state", "stale")
        await asyncio.sleep(
            max(0.0, stopped + OUTAGE_S - time.monotonic())
        )  # the outage lasts as long as the contract says
        for page in (live, late):
            await page.shows(third, second, first)

        await asyncio.to_thread(own_valkey.start)
        began = time.monotonic()
        for page in (live, late):
            await expect(page.connection).to_have_attribute("data-state", "live", timeout=LONG_MS)
            await expect(page.row(fourth)).to_be_visible(timeout=LONG_MS)
            await page.shows(fourth, third, first)
            await expect(page.page.get_by_test_id("call-list-stale")).to_have_count(0)
        print(f"live and right {time.monotonic() - began:.1f} s after Redis was back")
        await expect(live.turns).to_have_text(["Before.", "Meanwhile."])
        await expect(live.page.get_by_test_id("call-ended")).to_have_count(0)


async def test_a_browser_without_network_says_so_and_goes_on_by_itself(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    live = LivePage(await sign_in(livemon, name="Maya"))
    await live.open()
    (call,) = start_calls(runtime, 1)
    await expect(live.row(call)).to_be_visible()
    await live.page.context.set_offline(True)
    await expect(live.connection).to_have_attribute("data-state", "offline")
    await expect(live.page.get_by_test_id("call-list-stale")).to_contain_text("has no network")
    await expect(live.row(call)).to_be_visible()
    call.end()
    (second,) = start_calls(runtime, 1)
    await live.page.context.set_offline(False)
    await live.is_live()
    await live.shows(second)
