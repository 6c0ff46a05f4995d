"""The drawer against the real server: a call's details and transcript, from its first word to how it ended."""

import json
import re

import pytest
from playwright.async_api import expect

from livemon_runtime import Call, Runtime
from tests.browser.live_page import LivePage, start_calls

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = '<img src=x onerror="window.broken = true">'


async def opened(live: LivePage, call: Call) -> None:
    await live.row(call).click()
    await live.has_open(call)


async def test_a_drawer_opened_in_mid_call_shows_the_details_and_the_first_word(
    live: LivePage, runtime: Runtime
) -> None:
    (call,) = start_calls(
        runtime,
        1,
        call_type="phone_call",
        direction="outbound",
        from_number="+12125550100",
        to_number="+12125550184",
        agent_name="Reminders",
        agent_version="12",
        metadata={"customer": "A-77", "deep": {"plan": "gold"}},
    )
    call.agent_turn().final("Good morning.")
    call.user_turn().final("Who is this?")
    for n in range(60):
        call.agent_turn().final(f"Sentence {n}.")
    await opened(live, call)
    await expect(live.turns).to_have_count(62)
    await expect(live.turns.first).to_have_text("Good morning.")
    await expect(live.turns.last).to_be_in_viewport()  # it follows the newest
    roles = [await live.page.get_by_test_id("turn").nth(n).get_attribute("data-role") for n in range(2)]
    assert roles == ["agent", "user"]
    await expect(live.drawer).to_contain_text("Reminders")
    for fact in ("Outbound", "+12125550100", "+12125550184", "12"):
        await expect(live.page.get_by_test_id("call-facts")).to_contain_text(fact)
    await expect(live.page.get_by_test_id("drawer-state")).to_have_text("Ongoing")
    await expect(live.page.get_by_test_id("drawer-duration")).to_have_text(re.compile(r"^0:\d\d$"))
    await live.page.get_by_test_id("call-metadata").locator("summary").click()
    await expect(live.page.get_by_test_id("call-metadata")).to_contain_text("A-77")
    await expect(live.page.get_by_test_id("call-metadata")).to_contain_text("gold")
    call.user_turn().final("And then?")
    await expect(live.turns.last).to_have_text("And then?")
    await expect(live.turns.last).to_be_in_viewport()


async def test_a_partial_grows_in_place_and_never_stands_twice(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(runtime, 1)
    await opened(live, call)
    turn = call.agent_turn()
    bubble = live.page.get_by_test_id("turn")
    for words in ("Good", "Good mor", "Good morning, how can"):
        turn.partial(words)
        await expect(live.turns).to_have_text([words])
        await expect(bubble).to_have_attribute("data-final", "false")
    # Whoever opens the call in the middle of the sentence reads it from its beginning, once.
    other = LivePage(await live.page.context.new_page())
    await other.open(f"/live/{call.call_id}")
    turn.partial("Good morning, how can I help")
    await expect(other.turns).to_have_text(["Good morning, how can I help"])
    turn.final("Good morning, how can I help you?")
    call.user_turn().final("With a booking.")
    for page in (live, other):
        await expect(page.turns).to_have_text(["Good morning, how can I help you?", "With a booking."])
        await expect(page.page.get_by_test_id("turn").first).to_have_attribute("data-final", "true")
    nothing = call.agent_turn()
    nothing.partial("Uh")
    await expect(live.turns).to_have_count(3)
    nothing.retract()
    await expect(live.turns).to_have_count(2)


async def test_a_late_result_lands_in_its_card_and_leaves_it_open(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(runtime, 1)
    call.tool_call("tc-1", "find_booking", {"guest": "Kim"})
    call.tool_call("tc-2", "charge", {"amount": 5})
    await opened(live, call)
    found, charged = live.page.get_by_test_id("tool-call").first, live.page.get_by_test_id("tool-call").last
    await expect(found).to_have_attribute("data-outcome", "pending")
    await found.locator("summary").click()
    details = found.get_by_test_id("tool-call-details")
    await expect(details).to_contain_text('"guest": "Kim"')
    call.agent_turn().final("One moment, please.")
    call.tool_result("tc-1", json.dumps({"booking": "B-42"}))
    call.tool_result("tc-2", "declined", successful=False)
    await expect(found).to_have_attribute("data-outcome", "ok")
    await expect(details).to_be_visible()
    await expect(details).to_contain_text('"booking": "B-42"')
    await expect(charged).to_have_attribute("data-outcome", "failed")
    await expect(live.page.get_by_test_id("tool-call")).to_have_count(2)


async def test_system_events_stand_between_the_turns_in_their_order(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(runtime, 1)
    call.agent_turn().final("Your code?")
    call.dtmf("5")
    call.node_transition(former_node_id="1", former_node_name="Greeting", new_node_id="2", new_node_name="Booking")
    call.sms("Your booking is B-42", direction="outbound")
    call.injected("Offer the late check-out.", by="Noor")
    call.user_turn().final("Thanks.")
    await opened(live, call)
    await expect(live.turns).to_have_count(2)
    kinds = ["turn", "dtmf", "node-transition", "sms", "injected", "turn"]
    entries = live.page.locator(", ".join(f"[data-testid={kind}]" for kind in sorted(set(kinds))))
    assert [await entries.nth(n).get_attribute("data-testid") for n in range(await entries.count())] == kinds
    for n, words in ((1, "5"), (2, "Greeting"), (2, "Booking"), (3, "B-42"), (4, "Noor")):
        await expect(entries.nth(n)).to_contain_text(words)


async def test_markup_is_text_everywhere(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(
        runtime,
        1,
        call_type="phone_call",
        direction="inbound",
        from_number=MARKUP,
        to_number=MARKUP,
        agent_name=MARKUP,
        agent_version=MARKUP,
        metadata={MARKUP: MARKUP},
    )
    call.agent_turn().final(MARKUP)
    call.user_turn().partial(MARKUP)
    call.tool_call("tc-1", MARKUP, {MARKUP: MARKUP})
    call.tool_result("tc-1", MARKUP)
    call.sms(MARKUP, multimedia=[MARKUP])
    call.node_transition(former_node_id="1", former_node_name=MARKUP, new_node_id="2", new_node_name=MARKUP)
    call.injected(MARKUP, by=MARKUP)
    await expect(live.row(call)).to_contain_text(MARKUP)
    await opened(live, call)
    for kind in ("call-facts", "turn", "tool-call", "sms", "node-transition", "injected"):
        await expect(live.page.get_by_test_id(kind).first).to_contain_text(MARKUP)
    await live.page.get_by_test_id("call-metadata").locator("summary").click()
    await expect(live.page.get_by_test_id("call-metadata")).to_contain_text(MARKUP)
    call.end(f"error_{MARKUP}")
    await expect(live.page.get_by_test_id("call-ended")).to_contain_text(MARKUP)
    assert await live.page.locator("img, [onerror]").count() == 0
    assert await live.page.evaluate("window.broken") is None


async def test_a_calls_address_opens_it_and_back_and_forward_walk_between_calls(
    live: LivePage, runtime: Runtime
) -> None:
    first, second = start_calls(runtime, 2)
    await live.open(f"/live/{first.call_id}")
    await live.has_open(first)
    await expect(live.selected).to_have_attribute("data-call-id", first.call_id)
    await live.row(second).click()
    await live.has_open(second)
    await live.page.get_by_test_id("drawer-close").click()
    await live.page.wait_for_url("**/live")
    await expect(live.drawer).to_have_count(0)
    await live.page.go_back()
    await live.has_open(second)
    await live.page.go_back()
    await live.has_open(first)
    await live.page.go_forward()
    await live.has_open(second)
    await live.page.keyboard.press("Escape")
    await live.page.wait_for_url("**/live")
    await expect(live.drawer).to_have_count(0)
    await expect(live.selected).to_have_attribute("data-call-id", second.call_id)


@pytest.mark.parametrize("call_id", ["call-unknown", "%3Cimg%20src%3Dx%3E"])
async def test_a_call_that_nobody_knows_says_so_and_leads_back(live: LivePage, call_id: str) -> None:
    await live.open(f"/live/{call_id}")
    await expect(live.page.get_by_test_id("drawer-refused")).to_contain_text("There is no such call")
    await live.page.get_by_test_id("drawer-refused").get_by_role("button").click()
    await live.page.wait_for_url("**/live")
    await expect(live.drawer).to_have_count(0)


async def test_the_drawer_of_a_call_that_ends_stays_with_its_transcript_and_says_how_it_ended(
    live: LivePage, runtime: Runtime
) -> None:
    call, other = start_calls(runtime, 2)
    call.agent_turn().final("Goodbye.")
    await opened(live, call)
    call.end("user_hangup")
    ended = live.page.get_by_test_id("call-ended")
    await expect(ended).to_contain_text("The caller hung up.")
    await expect(ended).to_contain_text(re.compile(r"At \d?\d:\d\d.*after 0:\d\d"))
    await live.shows(other)
    await expect(live.selected).to_have_attribute("data-call-id", other.call_id)
    await live.has_open(call)
    await expect(live.turns).to_have_text(["Goodbye."])
    for action in ("live-listen", "take-over", "end-call"):
        await expect(live.page.get_by_test_id(action)).to_have_count(0)
    await live.page.reload()  # and so does its address, for an hour
    await live.has_open(call)
    await expect(ended).to_contain_text("The caller hung up.")
    await expect(live.turns).to_have_text(["Goodbye."])


async def test_what_this_runtime_cannot_do_is_shown_disabled_with_the_reason(live: LivePage, runtime: Runtime) -> None:
    (call,) = start_calls(runtime, 1, capabilities=[])
    await opened(live, call)
    footer = live.drawer.locator("footer")
    for action, reason in (
        ("live-listen", "does not share audio"),
        ("take-over", "this agent's runtime does not share audio"),
        ("end-call", "does not offer it"),
    ):
        button = live.page.get_by_test_id(action)
        await expect(button).to_be_disabled()
        await expect(button).to_have_accessible_description(re.compile(reason))
        await expect(footer).to_contain_text(reason)


@pytest.mark.parametrize(("width", "height"), [(820, 1180), (390, 844)])
async def test_below_900_px_the_drawer_takes_the_full_width_and_nothing_overflows(
    live: LivePage, runtime: Runtime, width: int, height: int
) -> None:
    (call,) = start_calls(runtime, 1, agent_name="A rather long name of an agent " * 3)
    call.agent_turn().final("W" * 400)
    await live.page.set_viewport_size({"width": width, "height": height})
    scrolls = "() => [document.documentElement, document.querySelector('.lm-header')].map((e) => e.scrollWidth - e.clientWidth)"
    await expect(live.row(call)).to_be_in_viewport(ratio=1)
    assert await live.page.evaluate(scrolls) == [0, 0]
    await opened(live, call)
    await live.page.wait_for_function(
        "() => { const box = document.querySelector('[data-testid=call-drawer]').getBoundingClientRect();"
        " return box.left === 0 && box.width === innerWidth; }"
    )
    await expect(live.page.get_by_test_id("end-call")).to_be_in_viewport(ratio=1)
    assert await live.page.evaluate(scrolls) == [0, 0]
    await live.page.get_by_test_id("drawer-close").click()
    await expect(live.row(call)).to_be_in_viewport(ratio=1)
