"""The drawer of somebody who may not do everything: what they may not is not offered, and what is kept back is said."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.components.conftest import Stage, now_ms
from tests.components.messages import call, ended, put, reset, turn

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERYTHING = ("watch", "read", "unmasked", "listen", "take_over", "end", "inject")
BUTTONS = {"listen": "live-listen", "take_over": "take-over", "end": "end-call"}


async def opened(stage: Stage, *rights: str, **about: object) -> Page:
    await stage.page.evaluate("(rights) => allow(...rights)", list(rights))
    await stage.open("call-1", call(**about))
    await expect(stage.page.get_by_test_id("drawer-state")).to_be_visible()
    return stage.page


async def has_buttons(page: Page, *names: str) -> None:
    for right, name in BUTTONS.items():
        await expect(page.get_by_test_id(name)).to_have_count(int(right in names))


@pytest.mark.parametrize("lacking", BUTTONS)
async def test_what_one_may_not_do_is_not_offered_and_the_rest_is(stage: Stage, lacking: str) -> None:
    page = await opened(stage, *(right for right in EVERYTHING if right != lacking))
    await has_buttons(page, *(right for right in BUTTONS if right != lacking))
    await stage.say("call-1", call(capabilities=[], audio=None))
    await expect(page.locator(f"#footer-reason-{lacking.replace('take_over', 'takeOver')}")).to_have_count(0)
    await expect(page.locator(".panel-reason")).to_have_count(2)


async def test_who_may_only_watch_has_no_buttons_and_reads_how_it_ended(stage: Stage) -> None:
    page = await opened(stage, "watch")
    await has_buttons(page)
    assert await page.locator(".panel-footer").evaluate("(footer) => footer.offsetHeight") == 0
    await stage.say("call-1", ended())
    await expect(page.get_by_test_id("call-ended")).to_contain_text("The caller hung up.")


async def test_who_has_the_call_may_end_it_without_the_right(stage: Stage) -> None:
    held = {"user_id": "me", "name": "Maya", "since": now_ms()}
    page = await opened(stage, "watch", call_status="taken_over", controller=held)
    await has_buttons(page, "end")
    await expect(page.get_by_test_id("transcript-paused")).to_contain_text("End the call, or ask another supervisor")
    await stage.say("call-1", call(call_status="taken_over", controller={**held, "user_id": "other"}))
    await has_buttons(page)


async def test_who_may_not_take_over_is_not_told_to_press_rescue(stage: Stage) -> None:
    lost = {"user_id": "other", "name": "Leo", "since": now_ms() - 9_000, "lost_since": now_ms()}
    page = await opened(stage, "watch", "read", call_status="taken_over", controller=lost)
    await expect(page.get_by_test_id("transcript-paused")).to_contain_text("Ask a supervisor who may take calls over")
    await has_buttons(page)


async def test_who_may_not_read_is_told_so_at_once(stage: Stage) -> None:
    page = await opened(stage, "watch", "listen")
    withheld = page.get_by_test_id("transcript-withheld")
    await expect(withheld).to_contain_text("Your role does not include reading transcripts")
    await expect(page.get_by_test_id("transcript")).to_be_hidden()
    await stage.say("call-1", {**reset(), "withheld": True})
    await expect(withheld).to_contain_text("Ask a workspace admin")
    await has_buttons(page, "listen")


async def test_what_was_read_goes_when_the_server_withholds_it_and_comes_when_it_does_not(stage: Stage) -> None:
    page = await opened(stage, *EVERYTHING)
    await stage.say("call-1", reset(turn(1, "A secret")))
    await expect(page.get_by_test_id("turn-text")).to_have_text("A secret")
    await stage.say("call-1", {**reset(), "withheld": True})
    await expect(page.get_by_test_id("transcript-withheld")).to_be_visible()
    await expect(page.get_by_test_id("turn-text")).to_have_count(0)
    await stage.say("call-1", reset(turn(1, "A secret")), put(turn(2, "and another")))
    await expect(page.get_by_test_id("turn-text")).to_have_text(["A secret", "and another"])
    await expect(page.get_by_test_id("transcript-withheld")).to_have_count(0)


async def test_a_socket_that_closes_since_one_may_see_less_comes_again_and_shows_less(stage: Stage) -> None:
    page = await opened(stage, *EVERYTHING)
    await stage.say("call-1", reset(turn(1, "My card is 4242 4242 4242 4242")))
    await stage.drop("call-1", 1013)
    await stage.connection("call-1")
    await stage.say("call-1", {**call(), "masked": True}, reset(turn(1, "My card is •••")))
    await expect(page.get_by_test_id("turn-text")).to_have_text("My card is •••")
    await expect(page.get_by_test_id("masked-note")).to_be_visible()


async def test_it_says_that_numbers_are_masked_where_they_are(stage: Stage) -> None:
    page = await opened(stage, "watch", "read")
    note = page.get_by_test_id("masked-note")
    await expect(note).to_have_count(0)
    await stage.say("call-1", {**call(from_number="•••"), "masked": True})
    await expect(note).to_have_text(re.compile("Numbers and e-mail addresses are masked for your role"))
