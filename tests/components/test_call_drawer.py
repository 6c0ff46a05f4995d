"""The drawer in a real Chromium: what it says of a call, to whom the keys belong, and what End Call leads to."""

import asyncio
import re

import pytest
from playwright.async_api import Locator, Page, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS
from tests.components.conftest import Stage, now_ms
from tests.components.messages import STARTED, call, ended, reset, turn

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def opened(stage: Stage, *items: object, **about: object) -> Page:
    await stage.open("call-1", call(**about), reset(*items))
    await expect(stage.page.get_by_test_id("drawer-state")).to_be_visible()
    return stage.page


def fact(page: Page, name: str) -> Locator:
    return page.locator(f'[data-fact="{name}"] dd')


async def test_it_is_not_on_the_page_until_a_call_is_opened(stage: Stage) -> None:
    await expect(stage.page.get_by_test_id("call-drawer")).to_have_count(0)
    page = await opened(stage)
    await expect(page.get_by_test_id("call-drawer")).to_have_attribute("data-call-id", "call-1")
    await page.get_by_test_id("drawer-close").click()
    await expect(page.get_by_test_id("call-drawer")).to_have_count(0)


async def test_it_says_who_speaks_with_whom_since_when_and_for_how_long(stage: Stage) -> None:
    listeners = [{"user_id": "me", "name": "Maya"}, {"user_id": "other", "name": "Leo"}]
    ahead = STARTED + 3_540_000  # the server's clock counts, not this machine's
    page = await opened(stage, now=ahead, listeners=listeners, metadata={"customer": "c-1042", "tags": ["a"]})
    await expect(page.locator(".panel-name h2")).to_have_text("+1 212 555 0184")
    await expect(fact(page, "type")).to_have_text("Outbound")
    await expect(fact(page, "from")).to_have_text("+1 212 555 0100")
    await expect(fact(page, "to")).to_have_text("+1 212 555 0184")
    await expect(fact(page, "agent")).to_have_text("Reminders v12")
    await expect(fact(page, "listeners")).to_have_text("You, Leo")
    await expect(page.get_by_test_id("drawer-call-id")).to_have_text("call-1")
    await expect(page.get_by_test_id("drawer-duration")).to_have_text(re.compile(r"^59:0\d$"))
    at = await page.evaluate("(time) => import('/assets/format.js').then((format) => format.clockTime(time))", STARTED)
    await expect(fact(page, "started")).to_have_text(at)  # as in the list
    metadata = page.get_by_test_id("call-metadata")
    await metadata.locator("summary").click()
    await expect(metadata.locator("dd")).to_have_text(["c-1042", '[\n  "a"\n]'])


STATES: list[tuple[dict[str, object], str]] = [
    ({}, "Ongoing"),
    ({"call_status": "registered"}, "Not connected yet"),
    ({"call_status": "taken_over", "controller": {"user_id": "x", "name": "Leo", "since": 1}}, "Taken over · Leo"),
    ({"call_status": "error", "disconnection_reason": "error_llm"}, "Failed"),
    ({"call_status": "ended"}, "Ended"),
]


async def test_it_names_the_state(stage: Stage) -> None:
    page = await opened(stage)
    for about, words in STATES:
        await stage.say("call-1", call(**about))
        await expect(page.get_by_test_id("drawer-state")).to_have_text(words)


async def test_it_says_since_when_the_runtime_has_been_quiet(stage: Stage) -> None:
    page = await opened(stage, quiet=now_ms() - 20_000)
    await expect(page.get_by_test_id("drawer-state")).to_contain_text("Not reporting 0:2")
    doubt = page.get_by_test_id("drawer-doubt")
    await expect(doubt).to_contain_text("Not reporting since")
    await stage.say("call-1", call())
    await expect(doubt).to_have_count(0)


async def test_it_says_since_when_it_may_be_out_of_date(stage: Stage) -> None:
    page = await opened(stage, turn(1, "one"))
    doubt = page.get_by_test_id("drawer-doubt")
    await stage.say("call-1", {"t": "feed", "now": now_ms(), "state": "stale", "since": now_ms() - 3000})
    await expect(doubt).to_have_attribute("data-doubt", "stale")
    await stage.say("call-1", {"t": "feed", "now": now_ms(), "state": "live", "since": None})
    await expect(doubt).to_have_count(0)
    stage.refusals["call-1"] = 1013
    await stage.drop("call-1")
    await expect(doubt).to_have_attribute("data-doubt", "reconnecting")
    await expect(page.get_by_test_id("turn")).to_have_count(1)
    stage.refusals.clear()
    await stage.connection("call-1")
    await stage.say("call-1", call(), reset(turn(1, "one")))
    await expect(doubt).to_have_count(0)


async def test_a_call_that_is_unknown_says_so_and_leads_back(stage: Stage) -> None:
    stage.refusals["call-1"] = 4404
    await stage.page.evaluate("show('call-1')")
    await expect(stage.page.get_by_test_id("drawer-refused")).to_contain_text("There is no such call")
    await stage.page.get_by_role("button", name="Back to the calls").click()
    await expect(stage.page.get_by_test_id("call-drawer")).to_have_count(0)


@pytest.mark.parametrize("code", [4401, 4403, 4409])
async def test_a_person_who_may_no_longer_see_it_reads_so_and_nothing_of_the_call(stage: Stage, code: int) -> None:
    async def failed() -> Response:
        return JSONResponse({"error": {"code": "failed", "message": "It did not end."}}, 502)

    stage.end = failed
    page = await opened(stage, turn(1, "what was said"))
    await page.get_by_test_id("end-call").click()
    await page.get_by_test_id("end-call-confirm").click()
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("It did not end.")
    await stage.drop("call-1", code)
    await expect(page.get_by_test_id("drawer-refused")).to_contain_text("You cannot see this call any more")
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("It did not end.")
    for gone in ("transcript", "drawer-state", "end-call", "live-listen"):
        await expect(page.get_by_test_id(gone)).to_have_count(0)
    text = await page.content()
    assert [secret for secret in ("what was said", "+1 212 555", "Reminders") if secret in text] == []


async def test_a_call_that_is_known_no_more_is_left_as_it_was_read(stage: Stage) -> None:
    page = await opened(stage, turn(1, "what was said"))
    await stage.drop("call-1", 4404)
    await expect(page.get_by_test_id("drawer-doubt")).to_contain_text("There is no such call")
    await expect(page.get_by_test_id("turn-text")).to_have_text(["what was said"])


async def test_another_call_takes_its_place_with_nothing_carried_over(stage: Stage) -> None:
    page = await opened(stage, turn(1, "from the first"))
    first = stage.sockets["call-1"][0]
    await stage.open("call-2", call("call-2"), reset(turn(1, "from the second")))
    await expect(page.get_by_test_id("turn-text")).to_have_text(["from the second"])
    await expect(page.get_by_test_id("call-drawer")).to_have_attribute("data-call-id", "call-2")
    async with asyncio.timeout(60), stage.connected:
        await stage.connected.wait_for(lambda: first not in stage.sockets["call-1"])


async def test_calls_opened_one_after_another_leave_nothing_behind(stage: Stage) -> None:
    """Neither listeners nor nodes: what the tenth call leaves is what the fortieth leaves."""
    session = await stage.page.context.new_cdp_session(stage.page)
    await session.send("Performance.enable")

    async def left() -> dict[str, float]:
        for _ in range(3):
            await session.send("HeapProfiler.collectGarbage")
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return {each["name"]: each["value"] for each in metrics if each["name"] in {"JSEventListeners", "Nodes"}}

    async def look_at(first: int, last: int) -> None:
        for n in range(first, last + 1):
            await stage.open(f"call-{n}", call(f"call-{n}"), reset(*(turn(m, f"turn {m}") for m in range(1, 21))))
            await expect(stage.page.get_by_test_id("turn-text")).to_have_count(20)
        await stage.page.get_by_test_id("drawer-close").click()
        await expect(stage.page.get_by_test_id("call-drawer")).to_have_count(0)

    await look_at(1, 10)
    before = await left()
    await look_at(11, 40)
    after = await left()
    print(before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 10, "one a call would be too many already"
    assert after["Nodes"] <= before["Nodes"] + 200
    async with asyncio.timeout(60), stage.connected:
        await stage.connected.wait_for(lambda: not any(stage.sockets.values()))


async def test_whoever_wants_less_motion_sees_the_drawer_at_once(stage: Stage) -> None:
    page = await opened(stage)  # the page's media feature says so
    await page.evaluate("document.querySelector('.call-drawer').classList.add('drawer-enter-active')")
    transition = await page.locator(".call-drawer").evaluate("drawer => getComputedStyle(drawer).transitionProperty")
    assert transition == "none"


async def test_whatever_has_the_focus_shows_it(stage: Stage) -> None:
    page = await opened(stage, turn(1, "one"), metadata={"a": "b"})
    await page.locator("#list").focus()
    seen: list[str] = []
    for _ in range(7):
        await page.keyboard.press("Tab")
        name, style, width = await page.evaluate(
            """() => {
              const it = document.activeElement;
              const { outlineStyle, outlineWidth } = getComputedStyle(it);
              return [it.dataset.testid ?? it.className, outlineStyle, parseFloat(outlineWidth)];
            }"""
        )
        assert (style, width >= 2) == ("solid", True), name
        seen.append(name)
    assert {"drawer-close", "transcript", "live-listen", "take-over", "end-call"} <= set(seen)


async def test_escape_closes_it_and_the_focus_goes_back(stage: Stage) -> None:
    row = stage.page.locator("#list")
    await row.focus()
    page = await opened(stage)
    await expect(row).to_be_focused()
    await page.get_by_test_id("drawer-close").focus()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("call-drawer")).to_have_count(0)
    await expect(row).to_be_focused()


async def test_where_it_covers_the_list_it_takes_the_focus(stage: Stage) -> None:
    await stage.page.set_viewport_size({"width": 820, "height": 1180})
    await stage.page.locator("#list").focus()
    page = await opened(stage)
    await expect(page.locator(".panel-name h2")).to_be_focused()
    box = await page.get_by_test_id("call-drawer").bounding_box()
    assert box
    assert (box["x"], box["width"]) == (0, 820)


async def test_what_can_be_touched_is_large_enough(stage: Stage) -> None:
    """44 px, and 48 px in the footer, on a phone, too."""
    await stage.page.set_viewport_size({"width": 390, "height": 844})
    page = await opened(stage, turn(1, "one"), metadata={"a": "b"})
    sizes = await page.locator(".call-drawer button:visible, .call-drawer summary:visible").evaluate_all(
        "all => all.map((one) => [one.textContent.trim(), one.offsetWidth, one.offsetHeight, !!one.closest('footer')])"
    )
    assert len(sizes) == 6
    for words, width, height, in_footer in sizes:
        assert width >= 44, words
        assert height >= (48 if in_footer else 44), words
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("about", "button", "reason"),
    [
        ({"capabilities": ["listen", "end"]}, "take-over", TEXTS["footer.cannotTakeOver"]),
        ({"audio": None}, "take-over", TEXTS["footer.noAudioToTakeOver"]),
        ({"audio": None}, "live-listen", TEXTS["footer.noAudio"]),
        ({"capabilities": ["end"]}, "live-listen", TEXTS["footer.cannotListen"]),
        ({"capabilities": ["listen"]}, "end-call", TEXTS["footer.cannotEnd"]),
    ],
)
async def test_what_cannot_be_done_is_shown_with_the_reason(
    stage: Stage, about: dict[str, object], button: str, reason: str
) -> None:
    page = await opened(stage, **about)
    await expect(page.get_by_test_id(button)).to_be_disabled()
    await expect(page.get_by_test_id(button)).to_have_accessible_description(reason)
    await expect(page.get_by_text(reason)).to_be_visible()


# --- End Call ---------------------------------------------------------------------------------------------------------


async def asked(stage: Stage) -> Page:
    page = await opened(stage, turn(1, "one"))
    await page.get_by_test_id("end-call").click()
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    return page


async def test_ending_asks_first_and_the_way_out_has_the_focus(stage: Stage) -> None:
    page = await asked(stage)
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_have_accessible_name("End this call?")
    await expect(dialog).to_contain_text("+1 212 555 0184")
    await expect(page.get_by_test_id("end-call-cancel")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("end-call-confirm")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_test_id("call-drawer")).to_be_visible()
    await expect(page.get_by_test_id("end-call")).to_be_focused()
    await page.get_by_test_id("end-call").click()
    await page.get_by_test_id("end-call-cancel").click()
    await expect(dialog).to_be_hidden()
    assert stage.ends == []


async def test_the_button_waits_for_the_outcome_and_the_end_stands_in_its_place(stage: Stage) -> None:
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    stage.end = lambda: answer
    page = await asked(stage)
    await page.get_by_test_id("end-call-confirm").click()
    await expect(page.get_by_test_id("end-call")).to_be_disabled()
    await expect(page.get_by_test_id("end-call")).to_have_text("Ending…")
    answer.set_result(JSONResponse({"ok": True}))
    await stage.say("call-1", ended(reason="manual_stopped"))
    over = page.get_by_test_id("call-ended")
    await expect(over).to_contain_text("A supervisor ended the call.")
    await expect(over).to_contain_text("after 0:59")
    for action in ["live-listen", "take-over", "end-call"]:
        await expect(page.get_by_test_id(action)).to_have_count(0)
    await expect(page.get_by_test_id("turn-text")).to_have_text(["one"])
    assert stage.ends == ["call-1"]


async def test_an_error_is_told_and_the_button_is_back(stage: Stage) -> None:
    async def refused() -> Response:
        return JSONResponse({"error": {"code": "refused", "message": "The runtime refused. The call goes on."}}, 409)

    stage.end = refused
    page = await asked(stage)
    await page.get_by_test_id("end-call-confirm").click()
    message = page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text("The call was not ended")
    await expect(message).to_contain_text("The runtime refused. The call goes on.")
    await expect(page.get_by_test_id("end-call")).to_be_enabled()
    await message.get_by_role("button", name="Dismiss").click()
    await expect(message).to_have_count(0)


async def test_no_answer_is_not_called_a_failure(stage: Stage) -> None:
    async def broken() -> Response:
        return Response("<html>Bad gateway</html>", 502)

    stage.end = broken
    page = await asked(stage)
    await page.get_by_test_id("end-call-confirm").click()
    message = page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text("No answer: the call may still be going on")
    await expect(page.get_by_test_id("end-call")).to_be_enabled()
    await stage.say("call-1", ended())
    await expect(message).to_have_count(0)


async def test_a_call_that_ends_while_one_is_asked_says_so(stage: Stage) -> None:
    page = await asked(stage)
    await stage.say("call-1", ended(reason="user_hangup"))
    await expect(page.get_by_role("alertdialog")).to_be_hidden()
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("The call was over before you confirmed")
    await expect(page.get_by_test_id("call-ended")).to_contain_text("The caller hung up.")
    assert stage.ends == []


REASONS = [
    ("agent_hangup", "The agent ended the call."),
    ("supervisor_lost", "The supervisor who had taken over was lost"),
    ("runtime_lost", "The process that ran the call is gone."),
    ("max_duration_reached", "longest allowed duration"),
    ("error_llm_timeout", "The call failed: llm timeout."),
    ("voicemail_reached", "The call ended: voicemail reached."),
    (None, "did not say why"),
]


async def test_every_end_has_its_words(stage: Stage) -> None:
    await stage.open("call-1", call(), reset())
    for reason, words in REASONS:
        await stage.say("call-1", ended(reason=reason))
        await expect(stage.page.get_by_test_id("call-ended")).to_contain_text(words)


async def test_a_call_that_comes_back_is_live_again(stage: Stage) -> None:
    """livemon had given its runtime up; the runtime brings it back."""
    await stage.open("call-1", ended(reason="runtime_lost"), reset())
    await expect(stage.page.get_by_test_id("call-ended")).to_be_visible()
    await stage.say("call-1", call())
    await expect(stage.page.get_by_test_id("call-ended")).to_have_count(0)
    await expect(stage.page.get_by_test_id("end-call")).to_be_enabled()
