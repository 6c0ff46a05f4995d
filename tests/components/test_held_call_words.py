"""What the page says of a call that a supervisor has, whatever happens to it: who is heard, by whom, and what one can do."""

import asyncio
import time
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS
from tests.components import test_take_over
from tests.components.conftest import Stage
from tests.components.messages import call, ended, reset
from tests.components.test_take_over import ADA, ME, confirm, drawer_closed, held, microphone_is_free, talking

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEO = {"user_id": "u-leo", "name": "Leo"}
STALE = {"t": "feed", "state": "stale", "since": 1_760_000_000_000}
LIVE = {"t": "feed", "state": "live", "since": None}
SMALL = [(844, 390), (640, 430)]


speaking_browser, speaking_context = test_take_over.speaking_browser, test_take_over.speaking_context
stage = test_take_over.stage


def now() -> int:
    return int(time.time() * 1000)


def paused(page: Page) -> Locator:
    return page.get_by_test_id("transcript-paused")


def chip(page: Page) -> Locator:
    return page.get_by_test_id("drawer-state")


async def in_the_bar(stage: Stage) -> Locator:
    """Talking, with the drawer closed."""
    page = await talking(stage)
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])
    bar = await drawer_closed(page)
    await expect(bar.get_by_test_id("mute")).to_be_visible()
    return bar


async def followed_by_the_bar(stage: Stage) -> None:
    """The bar asks for the call by a socket of its own, once its drawer is gone."""
    async with asyncio.timeout(60), stage.connected:
        await stage.connected.wait_for(
            lambda: stage.accepted.count("call-1") == 2 and len(stage.sockets["call-1"]) == 1
        )


def claimed(by: dict[str, str], **about: Any) -> dict[str, Any]:
    claim = {**by, "claim_id": "c-2", "generation": 2, "deadline": now() + 5_000}
    return {**call(**about), "claim": claim}


# --- Redis out of reach ----------------------------------------------------------------------------------------------


async def test_while_redis_is_away_the_drawer_says_that_the_caller_does_not_hear_one(stage: Stage) -> None:
    page = await talking(stage)
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])
    await stage.say("call-1", STALE)
    await expect(paused(page)).to_contain_text(TEXTS["talk.stale"])
    await expect(paused(page)).to_contain_text("the grace time, the call ends; there is nothing to do but wait")
    await expect(page.get_by_test_id("drawer-doubt")).to_contain_text(TEXTS["drawer.stale.held"])
    panel = page.get_by_test_id("call-drawer")
    await expect(panel).not_to_contain_text("hear each other")
    await expect(panel).not_to_contain_text("The call itself goes on")
    await stage.say("call-1", LIVE)
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])
    await expect(page.get_by_test_id("drawer-doubt")).to_have_count(0)


async def test_of_a_call_that_the_agent_has_it_is_still_said_that_it_goes_on(stage: Stage) -> None:
    await stage.say("call-1", STALE)
    await expect(stage.page.get_by_test_id("drawer-doubt")).to_contain_text(TEXTS["drawer.stale.hint"])


async def test_while_redis_is_away_others_read_that_the_caller_does_not_hear_who_has_the_call(stage: Stage) -> None:
    await stage.say("call-1", held(ADA), STALE)
    await expect(paused(stage.page)).to_contain_text("the caller does not hear Ada")


@pytest.mark.parametrize("source", ["the call's socket", "the list"])
async def test_while_redis_is_away_the_bar_says_that_the_caller_does_not_hear_one(stage: Stage, source: str) -> None:
    bar = await in_the_bar(stage)
    page = stage.page
    trouble = bar.get_by_test_id("call-bar-trouble")
    if source == "the list":
        event = (
            "(state) => window.dispatchEvent(new CustomEvent('livemon:connection', { detail: { state, since: 1 } }))"
        )
        await page.evaluate(event, "stale")
        await expect(trouble).to_contain_text(TEXTS["talk.stale"])
        await page.evaluate(event, "live")
    else:
        await followed_by_the_bar(stage)
        await stage.say("call-1", STALE)
        await expect(trouble).to_contain_text(TEXTS["talk.stale"])
        await expect(trouble).to_contain_text("there is nothing to do but wait")
        await stage.say("call-1", LIVE)
    await expect(trouble).to_have_count(0)


# --- a supervisor who is not heard -----------------------------------------------------------------------------------


async def test_of_a_supervisor_who_is_lost_the_others_read_that_the_caller_hears_nobody(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA))
    await expect(chip(page)).to_have_text("Taken over · Ada")
    await expect(paused(page)).to_contain_text("Ada speaks with the caller")
    await stage.say("call-1", held(ADA, lost_since=now()))
    await expect(chip(page)).to_have_text("Caller hears nobody · Ada")
    await expect(page.locator("[data-testid=drawer-state].is-danger")).to_be_visible()
    await expect(paused(page)).to_contain_text("The caller hears nobody since")
    await expect(paused(page)).to_contain_text("Press Rescue")
    await expect(paused(page)).not_to_contain_text("speaks with the caller.")
    await expect(page.get_by_role("status").filter(has_text="The caller hears nobody since")).to_have_count(1)
    await stage.say("call-1", held(ADA))
    await expect(paused(page)).to_contain_text("Ada speaks with the caller")


async def test_who_is_not_heard_reads_so_and_can_resume(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(lost_since=now()))
    await expect(chip(page)).to_have_text("Caller hears nobody · You")
    await expect(paused(page)).to_contain_text("Press Resume")
    await expect(page.get_by_test_id("take-over")).to_have_text("Resume")


async def test_who_talks_but_does_not_reach_the_agents_process_reads_so(stage: Stage) -> None:
    page = await talking(stage)
    await stage.say("call-1", held(lost_since=now()))
    await expect(chip(page)).to_have_text(TEXTS["state.unheardYou"])
    await expect(paused(page)).to_contain_text("The caller does not hear you since")
    await drawer_closed(page)
    await followed_by_the_bar(stage)
    await stage.say("call-1", held(lost_since=now()))
    await expect(page.get_by_test_id("call-bar-trouble")).to_contain_text("The caller does not hear you since")


# --- where one has the call ------------------------------------------------------------------------------------------


async def test_a_tab_without_the_audio_says_that_the_call_is_elsewhere(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held())
    await expect(chip(page)).to_have_text(TEXTS["state.elsewhere"])
    await expect(paused(page)).to_contain_text(TEXTS["paused.elsewhere"])
    await expect(paused(page)).to_contain_text("Press Resume")
    await expect(page.get_by_test_id("held-duration")).to_have_count(0)
    await expect(page.get_by_test_id("take-over")).to_have_text("Resume")


async def test_a_tab_that_has_just_lost_it_to_another_says_so(stage: Stage) -> None:
    page = await talking(stage)
    await expect(chip(page)).to_have_text(TEXTS["state.yours"])
    await stage.desk.say("lost", reason="elsewhere", holder=ME)
    await expect(chip(page)).to_have_text(TEXTS["state.elsewhere"])
    await expect(paused(page)).not_to_contain_text("hear each other")


async def test_while_the_audio_is_made_again_nobody_is_said_to_hear_anybody(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.lose()
    await expect(chip(page)).to_have_text(TEXTS["state.joining"])
    await expect(paused(page)).to_contain_text(TEXTS["paused.joining.hint"])
    await expect(page.get_by_test_id("held-duration")).to_be_visible()
    await stage.desk.say("talking", "t2", since=now())
    await expect(chip(page)).to_have_text(TEXTS["state.yours"])
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])


async def test_once_the_connection_is_given_up_one_is_not_on_the_call(stage: Stage) -> None:
    async def refuse() -> Response:
        return JSONResponse({"error": {"code": "forbidden", "message": "No."}}, 403)

    page = await talking(stage)
    stage.desk.refuse = refuse
    await stage.desk.lose()
    await expect(page.get_by_test_id("take-over-lost")).to_be_visible()
    await expect(chip(page)).to_have_text(TEXTS["state.left"])
    await expect(paused(page)).to_contain_text(TEXTS["paused.left"])


async def test_who_is_muted_is_not_said_to_be_heard(stage: Stage) -> None:
    page = await talking(stage)
    await page.get_by_test_id("mute").click()
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.muted"])
    await page.get_by_test_id("mute").click()
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])


# --- low screens -----------------------------------------------------------------------------------------------------


async def is_on_top(button: Locator) -> None:
    """It is in sight, and a press in its middle reaches it."""
    await expect(button).to_be_in_viewport(ratio=1)
    reached = """(one) => { const { x, y, width, height } = one.getBoundingClientRect();
      return one.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"""
    assert await button.evaluate(reached)


@pytest.mark.parametrize(("width", "height"), SMALL)
async def test_on_a_low_screen_the_buttons_are_in_sight_and_the_rest_scrolls(
    stage: Stage, width: int, height: int
) -> None:
    page = await talking(stage)
    await stage.say("call-1", held(), STALE)
    await expect(page.get_by_test_id("drawer-doubt")).to_be_visible()
    await page.set_viewport_size({"width": width, "height": height})
    for scrolled in ["0", "panel.scrollHeight / 2", "panel.scrollHeight"]:
        await page.locator(".panel").evaluate(f"panel => (panel.scrollTop = {scrolled})")
        for name in ["mute", "end-call", "drawer-close"]:
            await is_on_top(page.get_by_test_id(name))
    for name in ["microphone-choice", "transcript-paused", "transcript"]:
        await page.get_by_test_id(name).scroll_into_view_if_needed()
        await expect(page.get_by_test_id(name)).to_be_in_viewport()
    box = await page.get_by_test_id("transcript").bounding_box()
    assert box
    assert box["height"] >= 120


@pytest.mark.parametrize(("width", "height"), SMALL)
async def test_on_a_low_screen_the_waiting_and_the_bar_have_their_buttons_in_sight(
    stage: Stage, width: int, height: int
) -> None:
    await stage.page.set_viewport_size({"width": width, "height": height})
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await is_on_top(page.get_by_test_id("end-call"))
    await page.get_by_test_id("take-over-abort").scroll_into_view_if_needed()
    await is_on_top(page.get_by_test_id("take-over-abort"))
    await stage.desk.say("talking", since=now())
    await stage.say("call-1", held())
    bar = await drawer_closed(page)
    for name in ["mute", "end-call", "call-bar-back"]:
        await is_on_top(bar.get_by_test_id(name))


# --- the microphone is taken away ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["drawer", "bar"])
async def test_a_touch_that_gets_no_microphone_says_why(stage: Stage, place: str) -> None:
    page = await talking(stage)
    await page.evaluate("window.fault = 'NotAllowedError'; tracks[0].stop(); tracks[0].onended()")
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.interrupted"])
    if place == "bar":
        await drawer_closed(page)
    await page.get_by_test_id("resume-audio").click()
    message = page.get_by_test_id("drawer-message" if place == "drawer" else "call-bar-message")
    await expect(message).to_contain_text(TEXTS["talk.stillMuted"])
    await expect(message).to_contain_text(TEXTS["takeOver.microphone.refused"])
    await page.evaluate("window.fault = null")
    await page.get_by_test_id("resume-audio").click()
    await expect(message).to_have_count(0)


# --- a call that nobody reports --------------------------------------------------------------------------------------


def silent() -> dict[str, Any]:
    return {**held(), "quiet": now()}


@pytest.mark.parametrize("place", ["drawer", "bar"])
async def test_a_call_that_nobody_reports_can_be_left(stage: Stage, place: str) -> None:
    page = await talking(stage)
    await expect(page.get_by_test_id("talk-leave")).to_have_count(0)
    if place == "bar":
        await drawer_closed(page)
        await followed_by_the_bar(stage)
    await stage.say("call-1", silent())
    words = paused(page) if place == "drawer" else page.get_by_test_id("call-bar-trouble")
    await expect(words).to_contain_text(TEXTS["talk.quiet"])
    await page.get_by_test_id("talk-leave").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("Nobody else is on it")
    await page.get_by_test_id("talk-leave-cancel").click()
    assert await page.evaluate("live()") == 1
    await page.get_by_test_id("talk-leave").click()
    await page.get_by_test_id("talk-leave-confirm").click()
    await microphone_is_free(page)
    await stage.desk.was_cancelled()
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text(TEXTS["takeOver.left"])
    assert await page.evaluate("sessionStorage.getItem('livemon:talk')") is None
    for gone in ["mute", "call-bar", "talk-leave", "caller-voice"]:
        await expect(page.get_by_test_id(gone)).to_have_count(0)
    await stage.open("call-2", call("call-2"), reset())
    await expect(page.get_by_test_id("take-over")).to_be_enabled()


async def test_a_call_that_is_reported_again_cannot_be_left(stage: Stage) -> None:
    page = await talking(stage)
    await stage.say("call-1", silent())
    await page.get_by_test_id("talk-leave").click()
    await stage.say("call-1", held())
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await expect(page.get_by_test_id("talk-leave")).to_have_count(0)
    await expect(paused(page)).to_contain_text(TEXTS["paused.you.hint"])


async def test_the_bar_hears_that_the_call_is_over(stage: Stage) -> None:
    bar = await in_the_bar(stage)
    await followed_by_the_bar(stage)
    await stage.say("call-1", ended(reason="runtime_lost"))
    await expect(bar).to_have_count(0)
    await expect(stage.page.get_by_test_id("take-over-ended")).to_be_visible()
    await microphone_is_free(stage.page)


# --- somebody else ---------------------------------------------------------------------------------------------------


async def lost_to_one_who_asks(stage: Stage) -> Locator:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await stage.desk.say("lost", reason="asked_by_other", holder=ADA)
    lost = page.get_by_test_id("take-over-lost")
    await expect(lost).to_contain_text("Ada is taking this call over")
    await expect(lost).not_to_contain_text("has this call")
    return lost


async def test_who_only_asks_for_a_call_is_said_to_have_it_once_she_does(stage: Stage) -> None:
    lost = await lost_to_one_who_asks(stage)
    await stage.say("call-1", claimed(ADA), held(ADA))
    await expect(lost).to_contain_text("Ada has this call")


async def test_who_asked_for_a_call_and_did_not_get_it_is_said_not_to_have_it(stage: Stage) -> None:
    lost = await lost_to_one_who_asks(stage)
    await stage.say("call-1", call(agent_name="Older news"))
    await expect(stage.page.get_by_test_id("call-facts")).to_contain_text("Older news")
    await expect(lost).to_contain_text("Ada is taking this call over")
    await stage.say("call-1", claimed(ADA), call())
    await expect(lost).to_have_count(0)
    cancelled = stage.page.get_by_test_id("take-over-cancelled")
    await expect(cancelled).to_contain_text("Ada had asked for this call first")
    await expect(cancelled).to_contain_text(TEXTS["takeOver.kept.agent"])


async def test_a_word_on_who_has_a_call_goes_once_it_is_over(stage: Stage) -> None:
    lost = await lost_to_one_who_asks(stage)
    await stage.say("call-1", ended())
    await expect(lost).to_have_count(0)


async def test_behind_a_closed_drawer_the_word_on_who_asks_changes_too(stage: Stage) -> None:
    lost = await lost_to_one_who_asks(stage)
    await drawer_closed(stage.page)
    await followed_by_the_bar(stage)
    await stage.say("call-1", held(ADA))
    await expect(lost).to_contain_text("Ada has this call")


async def test_who_was_faster_than_ones_confirmation_is_named(stage: Stage) -> None:
    page = stage.page
    await page.get_by_test_id("take-over").click()
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("Ada took the call before you confirmed")


async def test_a_rescue_that_is_not_needed_any_more_says_who_is_heard(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA, lost_since=now()))
    await page.get_by_test_id("take-over").click()
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("Ada is heard again")


async def test_another_who_rescues_first_is_named(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA, lost_since=now()))
    await page.get_by_test_id("take-over").click()
    await stage.say("call-1", held(LEO))
    await expect(page.get_by_test_id("drawer-message")).to_contain_text("Leo took the call before you confirmed")


async def test_a_call_that_ends_while_one_is_asked_says_only_that(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", held(ADA, lost_since=now()))
    await page.get_by_test_id("take-over").click()
    await stage.say("call-1", ended())
    await expect(page.get_by_test_id("drawer-message")).to_have_count(1)
    await expect(page.get_by_test_id("drawer-message")).to_contain_text(TEXTS["end.meanwhile"])


# --- fingers and keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["take-over", "end-call"])
async def test_a_double_click_opens_the_question_and_leaves_it_open(stage: Stage, button: str) -> None:
    page = stage.page
    await page.get_by_test_id(button).dblclick()
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await expect(page.get_by_test_id(f"{button}-cancel")).to_be_focused()
    await page.mouse.click(30, 400)
    await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_the_keyboard_goes_on_with_the_first_of_the_new_buttons(stage: Stage) -> None:
    page = stage.page
    await page.get_by_test_id("take-over").press("Enter")
    await page.get_by_test_id("take-over-confirm").press("Enter")
    await expect(page.get_by_test_id("take-over-abort")).to_be_focused()
    await stage.desk.say("talking", since=now())
    await expect(page.get_by_test_id("mute")).to_be_focused()
    await stage.desk.say("lost", reason="elsewhere", holder=ME)
    await expect(page.get_by_test_id("take-over")).to_be_focused()


async def test_the_keyboard_is_left_where_it_went_meanwhile(stage: Stage) -> None:
    page = await confirm(stage)
    await stage.desk.say("claiming")
    await page.locator("#list").focus()
    await stage.desk.say("talking", since=now())
    await expect(page.get_by_test_id("mute")).to_be_visible()
    await expect(page.locator("#list")).to_be_focused()


# --- an end that nobody knows of -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["drawer", "bar"])
async def test_an_end_while_redis_is_away_claims_nothing_and_goes_once_it_is_known(stage: Stage, place: str) -> None:
    async def away() -> Response:
        return JSONResponse({"error": {"code": "redis_away", "message": "It is not known."}}, 503)

    stage.end = away
    page = await talking(stage)
    if place == "bar":
        await drawer_closed(page)
        await followed_by_the_bar(stage)
    await stage.say("call-1", STALE)
    await expect(page.get_by_text(TEXTS["talk.stale"])).to_be_visible()
    await page.get_by_test_id("end-call").click()
    await page.get_by_test_id("end-call-confirm").click()
    message = page.get_by_test_id("drawer-message" if place == "drawer" else "call-bar-message")
    await expect(message).to_contain_text(TEXTS["end.unknown"])
    await expect(message).not_to_contain_text(TEXTS["end.failed"])
    await expect(message).to_contain_text("It is not known.")
    await stage.say("call-1", LIVE)
    await expect(message).to_have_count(0)
