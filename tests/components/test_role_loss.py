"""A supervisor who loses the role in mid-call: what every Admin reads and can do, and what who has the caller reads."""

import time
from typing import Any

import pytest
from playwright.async_api import Page, expect
from starlette.responses import JSONResponse, Response

from livemon.texts import TEXTS
from tests.components import test_take_over
from tests.components.conftest import Stage
from tests.components.messages import put, turn
from tests.components.test_take_over import ADA, ME, held, microphone_is_free, talking

pytestmark = pytest.mark.asyncio(loop_scope="session")

speaking_browser, speaking_context = test_take_over.speaking_browser, test_take_over.speaking_context
stage = test_take_over.stage


CALLER = "+1 212 555 0184"


def now() -> int:
    return int(time.time() * 1000)


def row(call_id: str = "call-1", holder: dict[str, Any] = ADA, **about: Any) -> dict[str, Any]:
    """A call whose supervisor has lost the role, unless `about` says otherwise."""
    lost = {"lost_since": None, "role_lost_since": now(), **about}
    return {
        "id": call_id,
        "type": "phone_call",
        "dir": "inbound",
        "from": f"+1 212 555 {call_id}",
        "to": None,
        "agent": "Reminders",
        "status": "taken_over",
        "holder": {**holder, **lost},
        "caps": ["listen", "take_over", "end"],
        "listeners": [],
        "quiet": None,
    }


def without_role(**about: Any) -> dict[str, Any]:
    return held(ADA, role_lost_since=now(), **about)


async def alerts(page: Page, count: int, kind: str = "role-lost-alert") -> Any:
    found = page.get_by_test_id(kind)
    await expect(found).to_have_count(count)
    return found


# --- every Admin


async def test_each_such_call_has_an_alert_until_it_is_resolved(stage: Stage) -> None:
    page = stage.page
    await stage.manages(row(), row("call-2"))
    found = await alerts(page, 2)
    await expect(found.first).to_have_attribute("role", "alert")
    await expect(found.first).to_have_attribute("data-call-id", "call-1")
    await expect(found.first).to_contain_text("Ada has lost the role in mid-call")
    await expect(found.first).to_contain_text("+1 212 555 call-1")
    await expect(found.first).to_contain_text("Since")
    await stage.alert(row("call-2"))
    found = await alerts(page, 1)
    await expect(found).to_have_attribute("data-call-id", "call-2")
    await stage.alert()
    await alerts(page, 0)
    await expect(page.get_by_test_id("call-alerts")).to_be_hidden()


async def test_a_caller_without_a_number_is_called_by_the_agent_that_was_spoken_with(stage: Stage) -> None:
    web = {"type": "web_call", "dir": None, "from": None}
    await stage.manages({**row(), **web}, {**row("call-2"), **web, "agent": None})
    found = await alerts(stage.page, 2)
    await expect(found.first).to_contain_text("Ada still speaks with the caller of Reminders.")
    await expect(found.last).to_contain_text("Ada still speaks with the caller.")


async def test_a_caller_who_hears_nobody_is_told_of_too_but_not_to_whose_call_it_is(stage: Stage) -> None:
    await stage.manages(row(role_lost_since=None, lost_since=now()), row("call-2", ME, lost_since=now()))
    found = await alerts(stage.page, 1, "unheard-alert")
    await expect(found).to_contain_text("A caller hears nobody")
    await alerts(stage.page, 0)
    await stage.alert(row(lost_since=now()))
    await expect(await alerts(stage.page, 1)).to_contain_text("and is not heard")


async def test_rescue_opens_the_call_and_asks_first(stage: Stage) -> None:
    page = stage.page
    await page.evaluate("show(null)")
    await stage.manages(row("call-2"))
    await (await alerts(page, 1)).get_by_test_id("alert-rescue").click()
    await stage.connection("call-2")
    await expect(page.get_by_test_id("take-over-confirm")).to_have_count(0)  # nobody has said yet how the call is
    message = {**without_role(), "call": {**without_role()["call"], "call_id": "call-2"}}
    await stage.say("call-2", message)
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text("Ada has this call, but has lost the role")
    assert stage.desk.lines == {}
    await page.get_by_test_id("take-over-cancel").click()
    await expect(dialog).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("call-drawer")).to_have_count(0)
    await stage.disconnection("call-2")
    await stage.open("call-2", message)
    await expect(page.get_by_test_id("take-over")).to_have_text("Rescue")
    await expect(dialog).to_have_count(0)


async def test_rescue_asks_in_a_drawer_that_is_open_already(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", without_role())
    await stage.manages(row())
    await (await alerts(page, 1)).get_by_test_id("alert-rescue").click()
    await page.get_by_test_id("take-over-confirm").click()
    request = (await stage.desk.line()).request
    assert (request["resume"], request["mine"]) == (False, [])


async def test_a_rescue_that_is_not_needed_any_more_is_not_asked_for(stage: Stage) -> None:
    page = stage.page
    await stage.manages(row())
    await stage.say("call-1", without_role())
    await (await alerts(page, 1)).get_by_test_id("alert-rescue").click()
    await expect(page.get_by_test_id("take-over-confirm")).to_be_visible()
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await expect(page.get_by_test_id("drawer-message")).to_contain_text(
        TEXTS["takeOver.meanwhile.role"].format(name="Ada")
    )
    await expect(page.get_by_test_id("take-over")).to_have_count(0)


async def test_an_admin_ends_the_call_after_a_confirmation(stage: Stage) -> None:
    page = stage.page
    await stage.manages(row(), row("call-2"))
    end = (await alerts(page, 2)).nth(1).get_by_test_id("alert-end-call")
    await end.click()
    await page.get_by_test_id("alert-end-call-cancel").click()
    assert stage.ends == []
    await end.click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("+1 212 555 call-2")
    await page.get_by_test_id("alert-end-call-confirm").click()
    await expect(end).to_be_disabled()
    assert stage.ends == ["call-2"]
    await stage.alert(row())
    await expect((await alerts(page, 1)).get_by_test_id("alert-end-call")).to_be_enabled()


async def test_an_end_that_fails_is_told_beside_the_alert(stage: Stage) -> None:
    async def refused() -> Response:
        return JSONResponse({"error": {"code": "no_answer", "message": "It does not answer."}}, 504)

    stage.end = refused
    page = stage.page
    await stage.manages(row())
    await (await alerts(page, 1)).get_by_test_id("alert-end-call").click()
    await page.get_by_test_id("alert-end-call-confirm").click()
    await expect(page.get_by_test_id("alert-message")).to_contain_text("It does not answer.")
    await stage.alert()
    await expect(page.get_by_test_id("alert-message")).to_have_count(0)


async def test_an_alert_that_may_be_out_of_date_says_so(stage: Stage) -> None:
    page = stage.page
    await stage.manages(row())
    doubt = page.get_by_test_id("call-alerts-doubt")
    await expect(doubt).to_have_count(0)
    await stage.alert(row(), state="stale")
    await expect(doubt).to_be_visible()
    await stage.alert(row())
    await expect(doubt).to_have_count(0)
    await stage.drop("alerts")
    await expect(doubt).to_be_visible()
    await alerts(page, 1)


async def test_who_is_no_admin_any_more_is_told_nothing(stage: Stage) -> None:
    await stage.manages(row())
    await alerts(stage.page, 1)
    await stage.drop("alerts", 4403)
    await alerts(stage.page, 0)


async def test_the_alerts_fit_a_small_screen_and_can_be_touched(stage: Stage) -> None:
    page = stage.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await stage.manages(row(), row("call-2", {"user_id": "u", "name": "An Unusually-Long-Name " * 4}))
    await alerts(page, 2)
    sizes = "all => all.map((one) => [one.textContent.trim(), one.offsetWidth, one.offsetHeight])"
    for words, width, height in await page.locator(".call-alert button").evaluate_all(sizes):
        assert width >= 44, words
        assert height >= 44, words
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


# --- the drawer


async def test_others_than_admins_read_it_and_are_offered_nothing(stage: Stage) -> None:
    page = stage.page
    await stage.say("call-1", without_role())
    await expect(page.get_by_test_id("drawer-state")).to_have_text("Has lost the role · Ada")
    await expect(page.get_by_test_id("transcript-paused")).to_contain_text("but has lost the role")
    await expect(page.get_by_test_id("take-over")).to_have_count(0)
    await page.evaluate("manage()")
    await expect(page.get_by_test_id("take-over")).to_have_text("Rescue")
    await stage.say("call-1", held(ADA))
    await expect(page.get_by_test_id("drawer-state")).to_have_text("Taken over · Ada")
    await expect(page.get_by_test_id("take-over")).to_have_count(0)


# --- who has the caller


async def test_who_has_the_caller_reads_that_the_role_is_lost_and_that_it_is_back(stage: Stage) -> None:
    page = await talking(stage)
    said = {"holder": ME, "since": now()}
    await stage.desk.say("talking", **said, role_lost_since=now())
    await expect(page.get_by_test_id("talk-role")).to_contain_text(TEXTS["talk.role"])
    await page.get_by_test_id("drawer-close").click()
    await expect(page.get_by_test_id("call-bar-role")).to_contain_text("You are not cut off")
    line = await stage.desk.line()
    await line.hears("loud")
    await stage.desk.say("talking", **said, role_lost_since=None)
    await expect(page.get_by_test_id("call-bar-role")).to_have_count(0)


async def test_who_has_the_caller_may_end_the_call_without_the_role_and_reads_so(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.say("talking", holder=ME, since=now(), role_lost_since=now())
    await stage.drop("call-1", 4403)
    await expect(page.get_by_test_id("talk-role")).to_contain_text("so can you end it")
    await expect(page.get_by_test_id("end-call")).to_be_enabled()


async def test_who_has_lost_the_role_keeps_whom_they_speak_with_alone_until_the_call_is_rescued(stage: Stage) -> None:
    page = await talking(stage)
    await stage.say("call-1", put(turn(1, "what was said")))
    await expect(page.get_by_test_id("turn-text")).to_have_text(["what was said"])
    await stage.desk.say("talking", holder=ME, since=now(), role_lost_since=now())
    await stage.drop("call-1", 4403)
    await expect(page.get_by_test_id("transcript")).to_have_count(0)
    await expect(page.get_by_test_id("drawer-doubt")).to_be_visible()
    await expect(page.get_by_test_id("talk-role")).to_be_visible()
    await expect(page.get_by_role("heading", name=CALLER)).to_be_visible()
    assert "what was said" not in await page.content()
    await stage.desk.say("lost", reason="taken", holder=ADA)
    await expect(page.get_by_test_id("take-over-lost")).to_contain_text("Ada has this call")
    await expect(page.get_by_test_id("drawer-refused")).to_be_visible()
    assert CALLER not in await page.content()


async def test_what_is_not_known_any_more_of_a_call_that_was_lost_is_neither_said_nor_offered(stage: Stage) -> None:
    page = await talking(stage)
    await stage.drop("call-1", 4403)
    await stage.desk.say("lost", reason="taken", holder=ADA)
    await expect(page.get_by_test_id("take-over-lost").last).to_contain_text("Ada has this call")
    await expect(page.get_by_test_id("drawer-refused")).to_be_visible()
    for gone in ("transcript-paused", "take-over", "end-call", "live-listen"):
        await expect(page.get_by_test_id(gone)).to_have_count(0)


async def test_who_has_lost_the_call_to_an_admin_reads_who_has_it_before_the_page_goes(stage: Stage) -> None:
    page = await talking(stage)
    await stage.desk.say("talking", holder=ME, since=now(), role_lost_since=now())
    await expect(page.get_by_test_id("talk-role")).to_be_visible()
    free = "import('/assets/held_call.js').then(({ heldCall }) => heldCall.whenFree(() => (window.free = true)))"
    await page.evaluate(f"void {free}")
    await stage.desk.say("lost", reason="taken", holder=ADA)
    notice = page.get_by_test_id("take-over-lost")
    await expect(notice).to_have_attribute("data-reason", "taken")
    await expect(notice).to_contain_text("Ada has this call")
    await expect(notice).to_contain_text("You had lost the role, so Ada has taken the call")
    await microphone_is_free(page)
    assert await page.evaluate("window.free") is None
    await notice.get_by_role("button").click()
    await page.wait_for_function("window.free")
