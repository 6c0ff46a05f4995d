"""The transcript in a real Chromium: order, partials, cards, and a place that holds still."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.components.conftest import Stage
from tests.components.messages import call, ended, entry, put, reset, tool_call, turn

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = '<img src=x onerror="window.broken = true"><b>bold</b>'


async def opened(stage: Stage, *items: object, older: bool = False, **about: object) -> Locator:
    await stage.open("call-1", call(**about), reset(*items, older=older))
    transcript = stage.page.get_by_test_id("transcript")
    await expect(transcript).to_have_attribute("aria-busy", "false")
    return transcript


def turns(stage: Stage) -> Locator:
    return stage.page.get_by_test_id("turn-text")


async def top(place: Locator) -> float:
    box = await place.bounding_box()
    assert box
    return box["y"]


def conversation(first: int, last: int) -> list[dict[str, object]]:
    return [turn(n, f"turn {n}: " + "word " * (n % 40), "agent" if n % 2 else "user") for n in range(first, last + 1)]


async def test_entries_stand_in_the_order_of_their_keys_whatever_order_they_come_in(stage: Stage) -> None:
    await opened(stage, turn(3, "three"), turn(1, "one"))
    await stage.say("call-1", put(turn(4, "four"), turn(2, "two", "user")))
    await expect(turns(stage)).to_have_text(["one", "two", "three", "four"])
    roles = await stage.page.get_by_test_id("turn").evaluate_all("all => all.map((turn) => turn.dataset.role)")
    assert roles == ["agent", "user", "agent", "agent"]


async def test_a_partial_grows_in_place_and_never_stands_twice(stage: Stage) -> None:
    await opened(stage, turn(1, "Good morning"))
    await stage.say("call-1", put(turn(2, "I want", "user", final=False)))
    last = stage.page.get_by_test_id("turn").last
    await expect(last).to_have_attribute("data-final", "false")
    node = await last.element_handle()
    await stage.say("call-1", put(turn(2, "I want to move", "user", final=False)))
    await expect(turns(stage)).to_have_text(["Good morning", "I want to move"])
    await stage.say("call-1", put(turn(2, "I want to move it.", "user")))
    await expect(last).to_have_attribute("data-final", "true")
    await expect(turns(stage)).to_have_text(["Good morning", "I want to move it."])
    assert node
    assert await node.evaluate("node => node.isConnected"), "the bubble was made anew"


async def test_a_final_turn_that_belongs_earlier_leaves_no_partial_behind(stage: Stage) -> None:
    await opened(stage, turn(1, "one", final=False, at=5000), turn(2, "two", "user", at=4000))
    await stage.say("call-1", put(turn(1, "one.", at=3000)))
    await expect(turns(stage)).to_have_text(["one.", "two"])


async def test_a_retracted_partial_goes(stage: Stage) -> None:
    await opened(stage, turn(1, "one"), turn(2, "uh", "user", final=False))
    await stage.say("call-1", {"t": "remove", "ids": ["t2", "unknown"]})
    await expect(turns(stage)).to_have_text(["one"])


async def test_a_late_result_lands_in_its_card_and_leaves_it_open(stage: Stage) -> None:
    await opened(stage, tool_call(1, "find_slots", '{"after":"2026-11-26"}'), turn(2, "One moment."))
    card, details = stage.page.get_by_test_id("tool-call"), stage.page.get_by_test_id("tool-call-details")
    await expect(card).to_have_attribute("data-outcome", "pending")
    await expect(details).to_be_hidden()
    await card.locator("summary").click()
    await expect(details).to_contain_text('{\n  "after": "2026-11-26"\n}')
    result = {"content": '["Fri 09:30"]', "successful": True, "time_ms": 1640}
    await stage.say("call-1", put(tool_call(1, "find_slots", '{"after":"2026-11-26"}', result)))
    await expect(card).to_have_attribute("data-outcome", "ok")
    await expect(card).to_contain_text("done · 640 ms")
    await expect(details).to_be_visible()
    await expect(details).to_contain_text('[\n  "Fri 09:30"\n]')


async def test_a_failed_tool_and_one_that_never_answered_say_so(stage: Stage) -> None:
    failed = tool_call(1, result={"content": "timeout", "successful": False, "time_ms": 3000})
    await stage.open("call-1", ended(), reset(failed, tool_call(2)))
    cards = stage.page.get_by_test_id("tool-call")
    await expect(cards.nth(0)).to_contain_text("failed · 2.0 s")
    await expect(cards.nth(1)).to_contain_text("no result")


async def test_a_result_without_its_invocation_has_a_card_of_its_own(stage: Stage) -> None:
    await opened(stage, entry(1, "tool_call_result", tool_call_id="tc-9", content="[1]", successful=True))
    card = stage.page.get_by_test_id("tool-call")
    await expect(card).to_contain_text("tc-9")
    await expect(card).to_have_attribute("data-outcome", "ok")


async def test_markup_is_text_everywhere(stage: Stage) -> None:
    await opened(
        stage,
        turn(1, MARKUP),
        turn(2, MARKUP, "user", final=False),
        tool_call(3, MARKUP, MARKUP, {"content": MARKUP, "successful": True, "time_ms": 4000}),
        entry(4, "sms", content=MARKUP, direction="inbound", multimedia=[MARKUP]),
        entry(5, "node_transition", former_node_name=MARKUP, new_node_name=MARKUP),
        entry(6, "injected", content=MARKUP, by=MARKUP),
        entry(7, "dtmf", digit=MARKUP[:32]),
        entry(8, "note", content=MARKUP),
        agent_name=MARKUP,
        from_number=MARKUP,
        to_number=MARKUP,
        metadata={MARKUP: MARKUP, "deep": [MARKUP]},
        listeners=[{"user_id": "u", "name": MARKUP}],
        controller={"user_id": "u", "name": MARKUP, "since": 0, "claim_id": "c", "generation": 1},
    )
    page = stage.page
    for kind in ["turn", "tool-call", "sms", "node-transition", "injected", "note", "call-metadata", "call-facts"]:
        await expect(page.get_by_test_id(kind).first).to_contain_text(MARKUP)
    assert await page.locator(".call-drawer img, .call-drawer b").count() == 0
    assert await page.evaluate("window.broken") is None


async def test_what_a_later_version_sends_is_ignored(stage: Stage) -> None:
    await opened(stage, turn(1, "one"), entry(2, "hologram", content="?"))
    await stage.say("call-1", {"t": "hologram"}, put(entry(3, "hologram"), turn(4, "four")))
    await expect(turns(stage)).to_have_text(["one", "four"])


async def test_it_follows_the_newest_until_the_reader_scrolls_up(stage: Stage) -> None:
    """Then nothing moves, whatever comes below or grows above, and one press leads back."""
    transcript = await opened(stage, *conversation(1, 60))
    await expect(turns(stage).last).to_be_in_viewport()
    jump = stage.page.get_by_test_id("jump-to-latest")
    await expect(jump).to_have_count(0)

    await transcript.hover()
    await stage.page.mouse.wheel(0, -1500)
    await expect(jump).to_be_visible()
    await at_rest(transcript)
    read = await in_sight(transcript)
    before = await top(read)
    earlier = turn(3, "turn 3 was much longer " * 40)
    await stage.say("call-1", put(turn(61, "turn 61", final=False)), put(turn(61, "turn 61 is done")), put(earlier))
    await expect(jump).to_contain_text("1 new")
    assert await top(read) == pytest.approx(before, abs=1)

    await jump.click()
    await expect(turns(stage).last).to_have_text("turn 61 is done")
    await expect(turns(stage).last).to_be_in_viewport()
    await expect(jump).to_have_count(0)
    await stage.say("call-1", put(turn(62, "turn 62")))
    await expect(turns(stage).last).to_have_text("turn 62")
    await expect(turns(stage).last).to_be_in_viewport()


async def test_what_moves_without_the_reader_does_not_end_the_following_and_a_search_in_the_page_does(
    stage: Stage,
) -> None:
    transcript = await opened(stage, *conversation(1, 60))
    jump = stage.page.get_by_test_id("jump-to-latest")
    await at_rest(transcript)
    # as a browser does that keeps the place while what is above shrinks and what is below grows
    await transcript.evaluate(
        """scroller => {
          const grown = document.createElement("p");
          grown.style.height = "400px";
          scroller.firstElementChild.append(grown);
          scroller.scrollTop -= 100;
        }"""
    )
    await at_rest(transcript)
    await expect(jump).to_have_count(0)
    assert (
        await transcript.evaluate(
            "({ scrollHeight, clientHeight, scrollTop }) => scrollHeight - clientHeight - scrollTop"
        )
        < 2
    )
    await transcript.evaluate("scroller => (scroller.scrollTop -= 1000)")
    await expect(jump).to_be_visible()


async def at_rest(transcript: Locator) -> None:
    """Wait until scrolling, and the layout that it causes, has come to rest."""
    await transcript.evaluate(
        """element => new Promise((resolve) => {
          let [last, same] = [-1, 0];
          const look = () => {
            same = element.scrollTop === last ? same + 1 : 0;
            last = element.scrollTop;
            same > 10 ? resolve() : requestAnimationFrame(look);
          };
          look();
        })"""
    )


async def in_sight(transcript: Locator) -> Locator:
    """The entry in the middle of what one sees."""
    found = await transcript.evaluate(
        """element => {
          const { left, top, width, height } = element.getBoundingClientRect();
          const [x, y] = [left + width / 2, top + height / 2];
          const middles = [0, 10, 20, 30].map((more) => document.elementFromPoint(x, y + more));
          return middles.map((found) => found?.closest(".entry")?.dataset.id).find(Boolean);
        }"""
    )
    return transcript.locator(f'[data-id="{found}"]')


async def test_nothing_moves_under_a_finger(stage: Stage) -> None:
    transcript = await opened(stage, *conversation(1, 40))
    last = stage.page.locator(".entry", has_text="turn 40:")
    await expect(last).to_be_in_viewport()
    await at_rest(transcript)
    before = await top(last)
    box = await last.bounding_box()
    assert box
    session = await stage.page.context.new_cdp_session(stage.page)
    point = {"x": box["x"] + 40, "y": box["y"] + 10}
    await session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await stage.say("call-1", put(*conversation(41, 44)), put(turn(3, "longer " * 200)))
    await expect(turns(stage).last).to_contain_text("turn 44:")
    await at_rest(transcript)
    assert await top(last) == pytest.approx(before, abs=1)
    await session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await expect(turns(stage).last).to_be_in_viewport()


async def test_a_card_opens_where_it_was_touched(stage: Stage) -> None:
    long = tool_call(30, arguments='{"list": [' + ",".join(str(n) for n in range(60)) + "]}")
    transcript = await opened(stage, *conversation(1, 29), long)
    await at_rest(transcript)
    line = stage.page.get_by_test_id("tool-call").locator("summary")
    before = await top(line)
    await line.click()
    await expect(stage.page.get_by_test_id("tool-call-details")).to_be_visible()
    assert await top(line) == pytest.approx(before, abs=1)
    await expect(stage.page.get_by_test_id("jump-to-latest")).to_be_visible()


async def asked(stage: Stage) -> Any:
    """What the page asks of the call's socket next."""
    async with asyncio.timeout(60):
        _, message = await stage.heard.get()
    return message


async def test_earlier_entries_come_by_scrolling_up_and_the_place_is_kept(stage: Stage) -> None:
    transcript = await opened(stage, *conversation(501, 1000), older=True)
    await transcript.focus()
    await stage.page.keyboard.press("Home")
    assert await asked(stage) == {"t": "older", "before": [501_000, 501]}
    first = stage.page.locator(".entry", has_text="turn 501:")
    await at_rest(transcript)
    before = await top(first)
    await stage.say("call-1", {"t": "older", "items": conversation(301, 500), "older": True})
    await expect(stage.page.locator(".entry", has_text="turn 500:")).to_be_attached()
    await at_rest(transcript)
    assert await top(first) == pytest.approx(before, abs=1)
    await stage.page.keyboard.press("Home")
    await asked(stage)
    await stage.say("call-1", {"t": "older", "items": conversation(1, 300), "older": False})
    await expect(stage.page.locator(".entry", has_text="turn 300:")).to_be_attached()
    while not await stage.page.locator(".entry", has_text="turn 1:").count():
        await stage.page.keyboard.press("Home")
        await at_rest(transcript)
    assert stage.heard.empty(), "there was nothing earlier to ask for"
    assert await stage.page.locator(".entry").count() <= 800
    await stage.page.get_by_test_id("jump-to-latest").click()
    await expect(turns(stage).last).to_contain_text("turn 1000:")
    await expect(turns(stage).last).to_be_in_viewport()


async def test_a_long_call_keeps_the_page_small(stage: Stage) -> None:
    await opened(stage, *conversation(1, 500))
    for first in range(501, 3000, 100):
        await stage.say("call-1", put(*conversation(first, first + 99)))
    await expect(turns(stage).last).to_contain_text("turn 3000:")
    assert await stage.page.locator(".entry").count() == 500
    await expect(turns(stage).last).to_be_in_viewport()


async def test_a_reader_keeps_the_place_through_a_lost_connection(stage: Stage) -> None:
    transcript = await opened(stage, *conversation(101, 200), turn(201, "partial", final=False), older=True)
    await transcript.hover()
    await stage.page.mouse.wheel(0, -2000)
    await expect(stage.page.get_by_test_id("jump-to-latest")).to_be_visible()
    await at_rest(transcript)
    read = await in_sight(transcript)
    before = await top(read)
    await stage.drop("call-1")
    await stage.connection("call-1")
    await stage.say("call-1", call(), reset(*conversation(151, 220), older=True))
    await expect(turns(stage).last).to_contain_text("turn 220:")
    assert await top(read) == pytest.approx(before, abs=1)
    await expect(turns(stage).first).to_contain_text("turn 101:")
    await expect(turns(stage).filter(has_text="partial")).to_have_count(0)


async def test_final_turns_are_announced_and_partials_are_not(stage: Stage) -> None:
    await opened(stage, turn(1, "before"))
    announcer = stage.page.get_by_test_id("transcript-announcer")
    await stage.say("call-1", put(turn(2, "I want", "user", final=False)))
    await expect(turns(stage).last).to_have_text("I want")
    await expect(announcer).to_have_text("")
    await stage.say("call-1", put(turn(2, "I want it", "user")))
    await expect(announcer).to_have_text("Caller: I want it")


async def test_what_was_being_said_as_the_call_ended_waits_for_nothing(stage: Stage) -> None:
    await opened(stage, turn(1, "one"), turn(2, "I wan", "user", final=False))
    caret = stage.page.locator(".turn-caret")
    await expect(caret).to_have_count(1)
    await stage.say("call-1", ended())
    await expect(caret).to_have_count(0)
    await expect(turns(stage)).to_have_text(["one", "I wan"])


async def test_a_call_without_words_says_so(stage: Stage) -> None:
    await opened(stage)
    await expect(stage.page.get_by_test_id("transcript-empty")).to_contain_text("Nothing has been said yet")
    await stage.say("call-1", ended())
    await expect(stage.page.get_by_test_id("transcript-empty")).to_contain_text("This call has no transcript")
