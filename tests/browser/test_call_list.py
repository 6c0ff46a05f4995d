"""The live list against the real server: calls that agents start and end, in the browsers of those who watch."""

import datetime
import re
import secrets
import time

import pytest
from playwright.async_api import expect

from livemon.access.roles import Role
from livemon_runtime import Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import LivePage, start_calls
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_of_twenty_calls_one_starts_and_is_highlighted_for_a_while_and_one_ends_and_goes(
    live: LivePage, runtime: Runtime
) -> None:
    calls = start_calls(runtime, 19)
    await expect(live.rows).to_have_count(19)
    await live.page.reload()
    await live.is_live()
    await expect(live.rows).to_have_count(19)
    await expect(live.new_rows).to_have_count(0)  # those present at the opening are not new

    (started,) = start_calls(runtime, 1)
    await expect(live.row(started)).to_have_attribute("data-new", "true")
    began = time.monotonic()
    await live.shows(started, *reversed(calls))
    await expect(live.new_rows).to_have_count(1)
    await expect(live.summary).to_have_text("20 calls")
    await expect(live.new_rows).to_have_count(0)
    print(f"highlighted for {time.monotonic() - began:.1f} s")

    calls[7].end()
    await expect(live.row(calls[7])).to_have_count(0)
    await live.shows(started, *reversed(calls[:7] + calls[8:]))
    await expect(live.summary).to_have_text("19 calls")


async def test_everybody_who_watches_sees_the_same(
    live: LivePage, livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    other = LivePage(await sign_in(livemon, name="Dev", role=Role.DEVELOPER))
    await other.open()
    calls = start_calls(runtime, 3, call_type="phone_call", direction="inbound", from_number="+12125550184")
    calls[1].update(agent_name="Grace")
    calls[0].end()
    for page in (live, other):
        await page.shows(calls[2], calls[1])
        await expect(page.row(calls[1])).to_contain_text("Grace")
    words = "(rows) => rows.map((row) => [...row.children].map((cell) => cell.className.includes('duration') || cell.innerText))"
    assert await live.rows.evaluate_all(words) == await other.rows.evaluate_all(words)


async def test_a_row_says_time_duration_type_and_call_id_under_their_titles(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(
        runtime, 1, call_type="phone_call", direction="outbound", to_number="+12125550184", agent_name="Reminders"
    )
    await expect(live.row(call)).to_be_visible()
    titles = [title.strip() for title in await live.page.get_by_role("columnheader").all_inner_texts()]
    assert titles[:4] == ["Time", "Call Duration", "Type", "Call ID"]
    cells = live.row(call).get_by_role("gridcell")
    await expect(cells.nth(0)).to_have_text(re.compile(r"^\d?\d:\d\d"))
    await expect(cells.nth(1)).to_have_text(re.compile(r"^0:0\d$"))
    await expect(cells.nth(2)).to_contain_text("Outbound")
    await expect(cells.nth(3)).to_have_text(call.call_id)
    await expect(live.row(call)).to_contain_text("Reminders")
    await expect(live.row(call)).to_contain_text("+12125550184")


async def test_on_a_phone_a_row_has_two_lines_however_long_its_words(live: LivePage, runtime: Runtime) -> None:
    await live.page.set_viewport_size({"width": 390, "height": 844})
    call = runtime.call(call_id=f"call-{secrets.token_hex(40)}", agent_name="The front desk of the hotel " * 3)
    tops = (
        "(row) => Object.fromEntries([...row.children].map((cell) => [cell.className.split(' ')[0], cell.offsetTop]))"
    )
    await expect(live.row(call)).to_be_visible()
    top = await live.row(call).evaluate(tops)
    assert top["is-type"] == top["is-duration"] == top["is-state"]
    assert top["is-type"] < top["is-time"] == top["is-id"] == top["is-agent"]


async def test_a_call_that_is_not_connected_yet_is_not_in_the_list(live: LivePage, runtime: Runtime) -> None:
    registered = runtime.call(call_type="web_call", call_status="registered")
    (ongoing,) = start_calls(runtime, 1)
    await live.shows(ongoing)
    registered.update(call_status="ongoing")
    await expect(live.row(registered)).to_be_visible()


async def test_the_selection_follows_its_call_and_goes_to_its_neighbour_when_it_ends(
    live: LivePage, runtime: Runtime
) -> None:
    calls = start_calls(runtime, 4)
    await live.shows(*reversed(calls))
    await live.page.keyboard.press("Home")
    await live.page.keyboard.press("ArrowDown")
    await expect(live.row(calls[2])).to_have_attribute("aria-selected", "true")
    above = start_calls(runtime, 5)
    await live.shows(*reversed(calls + above))
    await expect(live.selected).to_have_attribute("data-call-id", calls[2].call_id)
    calls[2].end()
    await expect(live.selected).to_have_attribute("data-call-id", calls[1].call_id)
    calls[0].end()
    calls[1].end()
    await expect(live.selected).to_have_attribute("data-call-id", calls[3].call_id)


async def test_arrows_home_end_and_enter_walk_and_open_and_escape_closes(live: LivePage, runtime: Runtime) -> None:
    calls = start_calls(runtime, 5)
    await live.shows(*reversed(calls))
    press = live.page.keyboard.press
    await press("End")
    await expect(live.row(calls[0])).to_have_attribute("aria-selected", "true")
    await press("ArrowUp")
    await expect(live.row(calls[1])).to_have_attribute("aria-selected", "true")
    await expect(live.drawer).to_have_count(0)
    await press("Enter")
    await live.has_open(calls[1])
    await press("ArrowUp")  # with the drawer open it goes along
    await live.has_open(calls[2])
    await press("Home")
    await live.has_open(calls[4])
    await expect(live.selected).to_have_attribute("data-call-id", calls[4].call_id)
    await press("Escape")
    await expect(live.drawer).to_have_count(0)
    await live.page.wait_for_url("**/live")
    await press("ArrowDown")
    await expect(live.row(calls[3])).to_have_attribute("aria-selected", "true")
    await expect(live.drawer).to_have_count(0)


async def test_calls_are_searched_filtered_and_sorted(live: LivePage, runtime: Runtime) -> None:
    (phone,) = start_calls(
        runtime, 1, call_type="phone_call", direction="inbound", from_number="+12125550184", agent_name="Zoe"
    )
    (web,) = start_calls(runtime, 1, call_type="web_call", agent_name="Ada")
    await expect(live.rows).to_have_count(2)

    search = live.page.get_by_test_id("call-search")
    for words in ("(212) 555", "zoe", "inbound", phone.call_id[-7:]):
        await search.fill(words)
        await live.shows(phone)
    (second,) = start_calls(runtime, 1, call_type="phone_call", from_number="+12125550100", agent_name="Zoe")
    await search.fill("zoe")
    await live.shows(second, phone)  # one that starts is found, too
    await expect(live.summary).to_have_text("2 of 3 calls")
    await search.fill("nobody")
    await expect(live.page.get_by_test_id("call-list-none")).to_be_visible()
    await search.fill("")

    await live.page.get_by_test_id("filter-web").click()
    await live.shows(web)
    await live.page.get_by_test_id("filter-all").click()

    await live.page.get_by_test_id("sort-agent").click()
    await expect(live.page.get_by_role("columnheader", name="Agent")).to_have_attribute("aria-sort", "ascending")
    await live.shows(web, second, phone)
    await live.page.get_by_test_id("sort-agent").click()
    await live.shows(second, phone, web)


async def test_a_reload_leaves_order_and_filter_as_they_were_and_forgets_the_search(
    live: LivePage, runtime: Runtime
) -> None:
    (zoe,) = start_calls(runtime, 1, call_type="web_call", agent_name="Zoe")
    (ada,) = start_calls(runtime, 1, call_type="web_call", agent_name="Ada")
    (phone,) = start_calls(runtime, 1, call_type="phone_call", agent_name="Mia")
    await live.page.get_by_test_id("sort-agent").click()
    await live.page.get_by_test_id("filter-web").click()
    await live.page.get_by_test_id("call-search").fill("zoe")
    await live.shows(zoe)
    await live.page.reload()
    await live.shows(ada, zoe)
    await expect(live.page.get_by_test_id("call-search")).to_have_value("")
    await expect(live.page.get_by_test_id("filter-web")).to_have_attribute("aria-pressed", "true")
    await expect(live.page.get_by_role("columnheader", name="Agent")).to_have_attribute("aria-sort", "ascending")
    for odd in ("{", '{"sort": {"column": "constructor", "descending": true}, "filter": "all"}', "null"):
        await live.page.evaluate("odd => sessionStorage.setItem('livemon:list-order', odd)", odd)
        await live.page.reload()
        await live.shows(phone, ada, zoe)


async def test_without_a_call_it_says_how_to_connect_the_first_agent(live: LivePage, runtime: Runtime) -> None:
    empty = live.page.get_by_test_id("call-list-empty")
    await expect(empty.get_by_test_id("empty-connect")).to_have_attribute("href", "/connect")
    (call,) = start_calls(runtime, 1)
    await expect(live.row(call)).to_be_visible()
    await expect(empty).to_have_count(0)
    call.end()
    await expect(empty).to_be_visible()


async def test_a_browser_whose_clock_is_five_minutes_fast_shows_the_same_durations(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    """Durations are counted by the server's clock, in the list and in the drawer."""
    live = LivePage(await sign_in(livemon, name="Maya"))
    await live.page.clock.install(time=datetime.datetime.now() + datetime.timedelta(minutes=5))
    call = runtime.call(start_timestamp=runtime.clock.now_ms() - 3_600_000)
    await live.open(f"/live/{call.call_id}")
    assert await live.page.evaluate("Date.now()") > runtime.clock.now_ms() + 200_000
    minute = re.compile(r"^1:00:\d\d$")
    await expect(live.row(call).get_by_test_id("call-duration")).to_have_text(minute)
    await expect(live.page.get_by_test_id("drawer-duration")).to_have_text(minute)
    shown = await live.row(call).get_by_test_id("call-duration").inner_text()
    await expect(live.row(call).get_by_test_id("call-duration")).not_to_have_text(shown)  # and it ticks


async def test_five_hundred_calls_are_scrolled_through_with_few_rows_on_the_page(
    live: LivePage, runtime: Runtime
) -> None:
    calls = start_calls(runtime, 500)
    await expect(live.summary).to_have_text("500 calls")
    await expect(live.page.get_by_role("grid")).to_have_attribute("aria-rowcount", "501")
    assert await live.rows.count() < 60
    await live.page.keyboard.press("End")
    await expect(live.row(calls[0])).to_be_in_viewport(ratio=1)
    assert await live.rows.count() < 60
    await live.row(calls[0]).click()
    await live.has_open(calls[0])
    started = start_calls(runtime, 3)  # far above what is in sight
    await expect(live.summary).to_have_text("503 calls")
    await expect(live.row(calls[0])).to_be_in_viewport(ratio=1)
    await live.page.keyboard.press("Home")
    await expect(live.row(started[-1])).to_be_in_viewport(ratio=1)
