"""The live list in a real Chromium: what is new, selected, found and sorted, under fingers and keys, or out of date."""

import re

import pytest
from playwright.async_api import expect

from tests.components.call_list.conftest import START, ListStage, row

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_columns_have_their_titles_in_their_order(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    titles = await stage.page.get_by_role("columnheader").all_inner_texts()
    assert [title.strip() for title in titles] == [
        "Time", "Call Duration", "Type", "Call ID", "Agent", "From / To", "State",
    ]  # fmt: skip


async def test_a_row_says_when_how_long_which_type_and_which_call(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2, type="web_call", dir=None))
    cells = await stage.row(1).get_by_role("gridcell").all_inner_texts()
    when, duration, *others = [cell.strip() for cell in cells]
    assert when == "08:54:20"
    assert re.fullmatch(r"1:59:\d\d", duration)  # it runs
    assert others == ["Inbound", "call-001", "Ada", "+12125550001", "Ongoing"]
    assert "Web" in await stage.row(2).inner_text()


async def test_the_newest_call_stands_on_top(stage: ListStage) -> None:
    await stage.snapshot(row(2), row(1), row(3))
    assert await stage.order() == ["003", "002", "001"]
    await stage.diff(row(4), new=True)
    await expect(stage.row(4)).to_be_visible()
    assert await stage.order() == ["004", "003", "002", "001"]


async def test_a_new_call_is_highlighted_for_a_while_and_those_of_the_snapshot_never(stage: ListStage) -> None:
    await stage.snapshot(*(row(n) for n in range(20)))
    await expect(stage.page.locator("[data-new]")).to_have_count(0)
    await stage.diff(row(20), new=True)
    await expect(stage.row(20)).to_have_attribute("data-new", "true")
    await stage.diff(row(5, agent="Grace"))
    await expect(stage.row(5)).to_contain_text("Grace")
    await expect(stage.page.locator("[data-new]")).to_have_count(1)
    await expect(stage.page.locator("[data-new]")).to_have_count(0)


async def test_an_announcement_anew_after_an_outage_is_not_new(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await stage.diff(row(2))
    await expect(stage.row(2)).to_be_visible()
    await expect(stage.page.locator("[data-new]")).to_have_count(0)


async def test_of_a_call_in_the_list_only_what_changed_is_sent_and_the_rest_stays(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2))
    await stage.diff(row(3), new=True)
    await stage.diff({"id": "call-003", "agent": "Grace"})
    await stage.diff({"id": "call-001", "agent": "Hopper"}, {"id": "call-003", "quiet": START})
    await expect(stage.row(3)).to_contain_text("+12125550003")
    await expect(stage.row(3)).to_contain_text("Grace")
    await expect(stage.row(3)).to_contain_text("Not reporting")
    await expect(stage.row(3)).to_have_attribute("data-new", "true")
    await expect(stage.row(1)).to_contain_text("Hopper")
    await expect(stage.row(1)).to_contain_text("+12125550001")


async def test_an_ended_call_goes(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2))
    await stage.diff(drop=("call-001",))
    await expect(stage.rows()).to_have_count(1)
    await expect(stage.page.get_by_test_id("call-list-summary")).to_have_text("1 call")


async def test_the_duration_follows_the_servers_clock_second_by_second(stage: ListStage) -> None:
    """The stage's clock is years away from the browser's."""
    await stage.snapshot(row(1))
    seen = (
        await stage.row(1)
        .get_by_test_id("call-duration")
        .evaluate(
            """(duration) => new Promise((done) => {
          const seen = [];
          const look = () => {
            const text = duration.textContent.trim();
            if (seen.at(-1) !== text) seen.push(text);
            if (seen.length === 4) done(seen);
            else requestAnimationFrame(look);
          };
          look();
        })"""
        )
    )
    assert all(re.fullmatch(r"1:59:\d\d", text) for text in seen)
    assert seen == sorted(seen)


async def test_the_selection_follows_its_call_when_others_start_above(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2), row(3))
    await stage.page.keyboard.press("ArrowDown")
    await stage.page.keyboard.press("ArrowDown")
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    await stage.diff(row(4), row(5), new=True)
    await expect(stage.row(5)).to_be_visible()
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    await expect(stage.page.locator('[aria-selected="true"]')).to_have_count(1)


@pytest.mark.parametrize(("ended", "heir"), [((2,), 1), ((1, 2), 3), ((1,), 2)])
async def test_an_ended_call_hands_the_selection_to_its_neighbour(
    stage: ListStage, ended: tuple[int, ...], heir: int
) -> None:
    """The one below takes it, or the one above if there is none below; another call's end changes nothing."""
    await stage.snapshot(row(1), row(2), row(3))
    await stage.page.keyboard.press("Home")
    await stage.page.keyboard.press("ArrowDown")
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    await stage.diff(row(9), new=True, drop=tuple(f"call-{n:03}" for n in ended))
    await expect(stage.row(9)).to_be_visible()
    await expect(stage.row(heir)).to_have_attribute("aria-selected", "true")


async def test_arrows_home_end_and_enter(stage: ListStage) -> None:
    await stage.snapshot(*(row(n) for n in range(1, 101)))
    press = stage.page.keyboard.press
    await press("End")
    await expect(stage.row(1)).to_have_attribute("aria-selected", "true")
    await expect(stage.row(1)).to_be_in_viewport(ratio=1)
    await press("ArrowDown")
    await expect(stage.row(1)).to_have_attribute("aria-selected", "true")
    await press("ArrowUp")
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    await press("Home")
    await expect(stage.row(100)).to_have_attribute("aria-selected", "true")
    await expect(stage.row(100)).to_be_in_viewport(ratio=1)
    assert await stage.opened() == []
    await press("Enter")
    assert await stage.opened() == [["call-100", "key"]]


async def test_the_arrows_move_an_open_drawer_on(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2), row(3))
    await stage.row(3).click()
    await stage.page.keyboard.press("ArrowDown")
    await stage.page.wait_for_function("window.opened.length === 2")
    assert await stage.opened() == [["call-003", "pointer"], ["call-002", "key"]]


async def test_the_arrows_leave_a_pinned_drawer_where_it_is(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2), row(3))
    await stage.row(3).click()
    await stage.page.evaluate("window.state.pinned = true")
    await stage.page.keyboard.press("ArrowDown")
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    await stage.row(1).click()
    assert await stage.opened() == [["call-003", "pointer"], ["call-001", "pointer"]]


@pytest.mark.parametrize("place", ["call-search", "transcript"])
async def test_the_arrows_belong_to_whatever_has_the_focus(stage: ListStage, place: str) -> None:
    await stage.snapshot(row(1), row(2), row(3))
    await stage.row(2).click()
    await stage.page.get_by_test_id(place).focus()
    for key in ("ArrowDown", "ArrowUp", "ArrowUp", "Home", "End"):
        await stage.page.keyboard.press(key)
    await expect(stage.row(2)).to_have_attribute("aria-selected", "true")
    assert len(await stage.opened()) == 1


async def test_the_keys_do_nothing_while_the_list_is_not_shown(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await stage.page.evaluate("window.state.active = false")
    await stage.page.keyboard.press("ArrowDown")
    await stage.page.keyboard.press("/")
    await expect(stage.page.locator('[aria-selected="true"]')).to_have_count(0)
    await expect(stage.page.get_by_test_id("call-search")).not_to_be_focused()


async def test_what_a_finger_went_down_on_is_what_opens(stage: ListStage) -> None:
    """Rows that come and go while the finger is down wait until it is over."""
    await stage.snapshot(row(1), row(2), row(3))
    box = await stage.row(3).bounding_box()
    assert box
    touch = await stage.page.context.new_cdp_session(stage.page)
    points = [{"x": box["x"] + 50, "y": box["y"] + 20}]
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    await stage.diff(row(4), row(5), new=True)
    await stage.diff(drop=("call-002",))
    await stage.say({"t": "feed", "state": "stale", "since": START})  # heard after the two: they have arrived by then
    await stage.page.wait_for_function("window.connection.at(-1)?.state === 'stale'")
    assert await stage.order() == ["003", "002", "001"]
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await expect(stage.row(5)).to_be_visible()
    assert await stage.order() == ["005", "004", "003", "001"]
    assert await stage.opened() == [["call-003", "pointer"]]


async def test_scrolled_down_the_rows_in_sight_stay_where_they_are(stage: ListStage) -> None:
    await stage.snapshot(*(row(n) for n in range(1, 201)))
    await stage.page.locator(".call-scroll").evaluate("scroll => scroll.scrollTop = 3000")
    await expect(stage.row(130)).to_be_visible()
    before = await stage.row(130).bounding_box()
    await stage.diff(*(row(n) for n in range(201, 211)), new=True, drop=("call-200",))
    await expect(stage.page.get_by_test_id("call-list-summary")).to_have_text("209 calls")
    await expect(stage.row(130)).to_be_in_viewport()
    assert await stage.row(130).bounding_box() == before


async def test_only_the_rows_in_sight_are_drawn(stage: ListStage) -> None:
    await stage.snapshot(*(row(n) for n in range(1, 5001)))
    await expect(stage.page.get_by_test_id("call-list-summary")).to_have_text("5000 calls")
    assert await stage.rows().count() < 40
    await expect(stage.page.get_by_role("grid")).to_have_attribute("aria-rowcount", "5001")
    await stage.page.keyboard.press("End")
    await expect(stage.row(1)).to_be_in_viewport(ratio=1)
    assert await stage.rows().count() < 40


FOUND: list[tuple[str, list[str]]] = [
    ("call-002", ["002"]),
    ("(212) 555-0003", ["003"]),
    ("grace", ["004"]),
    ("WEB", ["001"]),
    ("inbound", ["004", "003", "002"]),
    ("taken over", ["003"]),
    ("maya", ["002"]),
    ("inbound 0003", ["003"]),
    ("call grace inbound", ["004"]),
    ("+1 212 555", ["004", "003", "002"]),
    ("grace web", []),
    ("nothing like it", []),
]


async def test_the_search_knows_id_number_agent_type_and_state(stage: ListStage) -> None:
    maya = {"user_id": "u1", "name": "Maya"}
    await stage.snapshot(
        row(1, type="web_call", dir=None, **{"from": None, "to": None}),
        row(2, listeners=[maya]),
        row(3, status="taken_over", holder={"user_id": "u2", "name": "Leo"}),
        row(4, agent="Grace"),
    )
    await stage.page.keyboard.press("/")
    for query, found in FOUND:
        await stage.page.keyboard.type(query)
        await expect(stage.page.get_by_test_id("call-list-summary")).to_contain_text(f"{len(found)} of 4 calls")
        await expect(stage.rows()).to_have_count(len(found))
        assert await stage.order() == found, query
        await expect(stage.page.get_by_test_id("call-list-none")).to_be_visible(visible=not found)
        await stage.page.keyboard.press("Escape")
        await expect(stage.rows()).to_have_count(4)


async def test_a_call_that_starts_is_shown_only_if_the_search_wants_it(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await stage.page.get_by_test_id("call-search").fill("grace")
    await stage.diff(row(2, agent="Grace"), row(3), new=True)
    await expect(stage.row(2)).to_be_visible()
    assert await stage.order() == ["002"]
    await stage.page.keyboard.press("Escape")
    await expect(stage.rows()).to_have_count(3)


async def test_the_filters_say_how_many_and_show_those(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2, type="web_call", dir=None), row(3, quiet=START))
    for name, count, shown in (("all", "3", 3), ("phone", "2", 2), ("web", "1", 1), ("attention", "1", 1)):
        chip = stage.page.get_by_test_id(f"filter-{name}")
        await expect(chip).to_contain_text(count)
        await chip.click()
        await expect(chip).to_have_attribute("aria-pressed", "true")
        await expect(stage.rows()).to_have_count(shown)


async def test_any_column_sorts_and_says_so(stage: ListStage) -> None:
    await stage.snapshot(
        row(1, agent="Cleo", dir="outbound"), row(2, agent="Ada", quiet=START), row(3, agent="Bo", type="web_call")
    )
    expected = {
        "time": ["001", "002", "003"],
        "duration": ["001", "002", "003"],
        "type": ["002", "001", "003"],
        "id": ["001", "002", "003"],
        "agent": ["002", "003", "001"],
        "state": ["002", "003", "001"],
    }
    for column, order in expected.items():
        header = stage.page.locator(f'[role=columnheader]:has([data-testid="sort-{column}"])')
        await stage.page.get_by_test_id(f"sort-{column}").press("Enter")
        sorted_ = "descending" if column == "duration" else "ascending"
        await expect(header).to_have_attribute("aria-sort", sorted_)
        assert await stage.order() == order, column
        await stage.page.get_by_test_id(f"sort-{column}").press("Enter")
        await expect(header).not_to_have_attribute("aria-sort", sorted_)
    assert await stage.opened() == []


async def test_the_state_says_who_listens_who_has_it_and_what_does_not_report(stage: ListStage) -> None:
    maya, leo = {"user_id": "u1", "name": "Maya"}, {"user_id": "u2", "name": "Leo"}
    await stage.snapshot(
        row(1), row(2, listeners=[maya]), row(3, listeners=[maya, leo]), row(4, status="taken_over", holder=leo),
        row(5, quiet=START + 7_182_000),
    )  # fmt: skip
    states = [stage.row(n).get_by_test_id("call-state") for n in range(1, 6)]
    for state, text in zip(states[:4], ("Ongoing", "Maya listens", "Maya +1 listen", "Taken over · Leo"), strict=True):
        await expect(state).to_have_text(text)
    await expect(states[4]).to_contain_text(re.compile(r"Not reporting \d+:\d\d"))
    await expect(states[4]).to_have_attribute("title", "Not reporting, since 10:53:02")
    await expect(stage.page.get_by_test_id("call-list-summary")).to_have_text("5 calls · 1 taken over · 2 listened to")


async def test_a_supervisor_who_is_not_heard_is_found_announced_and_counted(stage: ListStage) -> None:
    leo = {"user_id": "u2", "name": "Leo", "lost_since": None}
    await stage.snapshot(row(1), row(2, status="taken_over", holder=leo))
    state = stage.row(2).get_by_test_id("call-state")
    attention = stage.page.get_by_test_id("filter-attention")
    announcer = stage.page.get_by_test_id("call-list-announcer")
    await expect(state).to_have_text("Taken over · Leo")
    await expect(attention).to_contain_text("0")
    await stage.diff({"id": "call-002", "holder": {**leo, "lost_since": stage.now}})
    await expect(state).to_have_text("Caller hears nobody · Leo")
    await expect(state).to_have_class(re.compile("is-danger"))
    await expect(state).to_have_attribute("title", re.compile("hears nobody since 10:5.*Leo.*Rescue"))
    await expect(attention).to_contain_text("1")
    await expect(announcer).to_have_text("A caller hears nobody: 1 call needs a rescue", timeout=60_000)
    await attention.click()
    assert await stage.order() == ["002"]
    await stage.diff({"id": "call-002", "holder": leo})
    await expect(stage.rows()).to_have_count(0)
    await expect(attention).to_contain_text("0")


async def test_a_supervisor_who_has_lost_the_role_is_found_and_counted(stage: ListStage) -> None:
    leo = {"user_id": "u2", "name": "Leo", "lost_since": None, "role_lost_since": None}
    await stage.snapshot(row(1), row(2, status="taken_over", holder=leo))
    state = stage.row(2).get_by_test_id("call-state")
    attention = stage.page.get_by_test_id("filter-attention")
    await expect(attention).to_contain_text("0")
    await stage.diff({"id": "call-002", "holder": {**leo, "role_lost_since": stage.now}})
    await expect(state).to_have_text("Has lost the role · Leo")
    await expect(state).to_have_class(re.compile("is-danger"))
    await expect(state).to_have_attribute("title", re.compile("Leo has lost the role at 10:5.*Admin"))
    await attention.click()
    assert await stage.order() == ["002"]
    await stage.diff({"id": "call-002", "holder": {**leo, "role_lost_since": stage.now, "lost_since": stage.now}})
    await expect(state).to_have_text("Caller hears nobody · Leo")
    await stage.diff({"id": "call-002", "holder": {**leo, "user_id": "u1", "name": "Maya"}})
    await expect(stage.rows()).to_have_count(0)
    await expect(attention).to_contain_text("0")


async def test_with_the_drawer_beside_it_the_state_is_whole_or_ends_in_an_ellipsis(stage: ListStage) -> None:
    """At 1280 px, less the drawer's 520, in a locale with long times."""
    maya = {"user_id": "u1", "name": "Maya", "lost_since": None}
    await stage.snapshot(row(1, status="taken_over", holder=maya), row(2))
    for width in range(560, 1281, 40):
        await stage.page.set_viewport_size({"width": width, "height": 860})
        cut = """() => [...document.querySelectorAll(".call-row:not(.is-compact *)")].map((row) => {
          const edge = row.closest(".call-scroll").clientWidth + row.closest(".call-scroll").getBoundingClientRect().left;
          return row.querySelector(".lm-chip").getBoundingClientRect().right - edge; })"""
        await stage.page.evaluate(
            "() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))"
        )
        assert all(over <= 0 for over in await stage.page.evaluate(cut)), width
        words = stage.row(1).locator("[data-testid=call-state] > span")
        assert await words.evaluate("one => getComputedStyle(one).textOverflow") == "ellipsis"
    await stage.page.set_viewport_size({"width": 760, "height": 860})
    assert (
        await stage.row(1)
        .locator("[data-testid=call-state] > span")
        .evaluate("one => one.scrollWidth <= one.clientWidth")
    )


async def test_markup_in_a_call_is_text(stage: ListStage) -> None:
    await stage.snapshot(row(1, agent="<img src=x onerror='window.broken = true'>"))
    await expect(stage.row(1)).to_contain_text("<img src=x")
    assert await stage.page.evaluate("window.broken") is None


async def test_an_empty_list_says_how_to_connect_the_first_agent(stage: ListStage) -> None:
    await stage.snapshot()
    empty = stage.page.get_by_test_id("call-list-empty")
    await expect(empty).to_contain_text("Ask a workspace admin or a developer of yours to connect one.")
    connect = stage.page.get_by_test_id("empty-connect")
    await expect(connect).to_have_count(0)
    await stage.page.evaluate("window.state.may_connect = true")
    await expect(connect).to_have_attribute("href", "/connect")
    await stage.diff(row(1), new=True)
    await expect(empty).to_have_count(0)
    await expect(stage.row(1)).to_be_visible()
    await stage.diff(drop=("call-001",))
    await expect(empty).to_be_visible()


async def test_a_lost_connection_says_since_when_and_mends_itself(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2))
    await stage.drop()
    await stage.page.wait_for_function("window.connection.at(-1).state === 'reconnecting'")
    await stage.connection(2)
    await expect(stage.rows()).to_have_count(2)
    await expect(stage.page.get_by_test_id("call-list-stale")).to_contain_text("out of date since")
    await stage.snapshot(row(2), row(3))
    await expect(stage.row(3)).to_be_visible()
    assert await stage.order() == ["003", "002"]
    await expect(stage.page.locator("[data-new]")).to_have_count(0)
    await expect(stage.page.get_by_test_id("call-list-stale")).to_have_count(0)
    assert await stage.page.evaluate("window.connection.at(-1).state") == "live"


async def test_a_redis_that_is_away_leaves_the_rows_and_says_since_when(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await stage.say({"t": "feed", "state": "stale", "since": stage.now - 60_000})
    await expect(stage.page.get_by_test_id("call-list-stale")).to_contain_text("Redis")
    since = await stage.page.evaluate("Date.now() - window.connection.at(-1).since")
    assert 59_000 < since < 90_000
    await expect(stage.rows()).to_have_count(1)
    await stage.say({"t": "feed", "state": "live", "since": None})
    await expect(stage.page.get_by_test_id("call-list-stale")).to_have_count(0)


async def test_a_gap_in_the_diffs_asks_for_everything_anew(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    stage.seq += 1
    await stage.diff(row(2), new=True)
    await stage.connection(2)
    await stage.snapshot(row(1), row(2), row(3))
    await expect(stage.row(3)).to_be_visible()
    assert await stage.order() == ["003", "002", "001"]


async def test_a_refused_list_loads_the_page_once_and_then_says_so(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    stage.refusal = 4403
    await stage.drop(4403)
    await expect(stage.page.get_by_test_id("call-list-refused")).to_be_visible()
    await stage.page.wait_for_function("window.loads === 2")
    await expect(stage.page.get_by_test_id("call-list-refused")).to_be_visible()
    assert await stage.page.evaluate("window.loads") == 2


async def test_a_list_that_is_refused_in_mid_call_keeps_no_row(stage: ListStage) -> None:
    """The page stays for whom has a call, until it is over."""
    await stage.snapshot(row(1))
    await expect(stage.row(1)).to_be_visible()
    await stage.page.evaluate("sessionStorage.setItem('livemon:refused', String(Date.now()))")  # it does not load anew
    await stage.drop(4403)
    await expect(stage.page.get_by_test_id("call-list-refused")).to_be_visible()
    await expect(stage.row(1)).to_have_count(0)
    assert await stage.page.evaluate("window.loads") == 1


async def test_what_starts_and_ends_is_announced_politely(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await stage.diff(row(2), row(3), new=True)
    await stage.diff(drop=("call-001",))
    announcer = stage.page.get_by_test_id("call-list-announcer")
    await expect(announcer).to_have_attribute("aria-live", "polite")
    await expect(announcer).to_have_text("2 new calls. 1 call ended", timeout=60_000)


async def test_on_a_phone_a_row_keeps_time_duration_type_and_id(stage: ListStage) -> None:
    await stage.page.set_viewport_size({"width": 390, "height": 844})
    await stage.snapshot(*(row(n) for n in range(1, 30)))
    for text in ("09:22:20", re.compile(r"1:31:\d\d"), "Inbound", "call-029"):
        await expect(stage.row(29).get_by_text(text)).to_be_in_viewport(ratio=1)
    assert await stage.page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [390, 820, 1366])
async def test_everything_that_is_touched_is_44_px_high(stage: ListStage, width: int) -> None:
    await stage.page.set_viewport_size({"width": width, "height": 844})
    await stage.snapshot(row(1))
    small = await stage.page.evaluate(
        """() => [...document.querySelectorAll("#app button, #app input, #app [data-testid=call-row]")]
            .map((it) => [it.dataset.testid ?? it.outerHTML, it.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.height < 44 || box.width < 44)).map(([name]) => name)"""
    )
    assert small == []


async def test_a_press_that_opens_the_browsers_own_menu_holds_no_rows(stage: ListStage) -> None:
    """Its release may never reach the page."""
    await stage.snapshot(row(1))
    box = await stage.row(1).bounding_box()
    assert box
    await stage.page.mouse.move(box["x"] + 50, box["y"] + 20)
    await stage.page.mouse.down(button="right")
    await stage.diff(row(2), new=True)
    await expect(stage.row(2)).to_be_visible()


async def test_a_hidden_page_keeps_up_without_frames_and_is_right_when_it_is_seen_again(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await expect(stage.row(1)).to_be_visible()
    hide = """() => {
      window.frames_ = window.requestAnimationFrame;
      window.requestAnimationFrame = () => 1;
    }"""
    await stage.page.evaluate(hide)
    await stage.diff(row(2))  # asks for a frame that does not come any more
    await stage.say({"t": "feed", "state": "stale", "since": START})  # heard after it
    await stage.page.wait_for_function("window.connection.at(-1)?.state === 'stale'")
    await stage.page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await expect(stage.rows()).to_have_count(2)
    await stage.diff(row(3), drop=("call-001",))
    await expect(stage.row(3)).to_be_attached()
    await stage.diff(row(4))
    await stage.page.evaluate(
        """() => {
          window.requestAnimationFrame = window.frames_;
          delete document.hidden;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await expect(stage.row(4)).to_be_visible()
    assert await stage.order() == ["004", "003", "002"]


async def test_whoever_wants_less_motion_gets_none_and_still_sees_what_is_new(stage: ListStage) -> None:
    await stage.page.emulate_media(reduced_motion="reduce")
    await stage.snapshot(row(1))
    await stage.diff(row(2), new=True)
    await expect(stage.row(2)).to_have_attribute("data-new", "true")
    overlay = await stage.row(2).evaluate(
        "row => { const { animationName, opacity } = getComputedStyle(row, '::after'); return [animationName, +opacity]; }"
    )
    assert overlay[0] == "none"
    assert overlay[1] > 0


async def test_the_word_on_what_may_be_out_of_date_covers_no_row_for_good(stage: ListStage) -> None:
    await stage.page.set_viewport_size({"width": 390, "height": 600})
    await stage.snapshot(*(row(n) for n in range(1, 41)))
    await stage.say({"t": "feed", "state": "stale", "since": stage.now - 60_000})
    stale = stage.page.get_by_test_id("call-list-stale")
    await expect(stale).to_be_visible()
    await stage.page.locator(".call-scroll").evaluate("scroll => scroll.scrollTo(0, scroll.scrollHeight)")
    await expect(stage.row(1)).to_be_in_viewport(ratio=1)
    last, word = await stage.row(1).bounding_box(), await stale.bounding_box()
    assert last
    assert word
    assert last["y"] + last["height"] <= word["y"]


async def test_whatever_has_the_focus_shows_it(stage: ListStage) -> None:
    await stage.snapshot(row(1), row(2))
    seen: list[str] = []
    for _ in range(13):
        await stage.page.keyboard.press("Tab")
        name, style, width = await stage.page.evaluate(
            """() => {
              const it = document.activeElement;
              const { outlineStyle, outlineWidth } = getComputedStyle(it);
              return [it.dataset.testid ?? it.className, outlineStyle, parseFloat(outlineWidth)];
            }"""
        )
        assert (style, width >= 2) == ("solid", True), name
        seen.append(name)
    assert {"call-search", "filter-attention", "call-grid", "sort-state"} <= set(seen)


async def test_it_says_that_numbers_are_masked_where_they_are(stage: ListStage) -> None:
    await stage.snapshot(row(1))
    await expect(stage.page.get_by_test_id("masked-note")).to_have_count(0)
    await stage.say({"t": "snapshot", "seq": 0, "feed": {"state": "live", "since": None}, "calls": [], "masked": True})
    await expect(stage.page.get_by_test_id("masked-note")).to_contain_text("masked for your role")
