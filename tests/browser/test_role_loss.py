"""A supervisor loses the role in mid-call: through real browsers, livemon, Valkey and the SDK, to the caller's ear and back."""

import asyncio
import re
import time

import pytest
from playwright.async_api import expect

from livemon.access.roles import Role
from livemon_runtime import Runtime
from tests.browser import test_take_over
from tests.browser.accessibility import expect_no_complaints
from tests.browser.supervised import Desk, bot
from tests.browser.test_take_over import Sit, give_role
from tests.livemon_process import LivemonProcess
from tests.media.call_source import CALLER_HZ

pytestmark = pytest.mark.asyncio(loop_scope="session")

speaking_chromium, sit = test_take_over.speaking_chromium, test_take_over.sit

SEEN = """() => new Promise((seen) => {
  const look = () => document.querySelector("[data-testid=role-lost-alert]") ? seen(Date.now()) : requestAnimationFrame(look);
  look();
})"""


async def test_every_admin_is_alerted_and_one_rescues_the_call_that_was_never_cut(
    runtime: Runtime, livemon: LivemonProcess, sit: Sit
):
    leo, maya, ada = await sit("Lorenz"), await sit("Maya"), await sit("Agnes")
    await give_role(livemon, "Lorenz", Role.DEVELOPER)
    async with bot(runtime) as there:
        await leo.open_call(there.call)
        await leo.takes_over()
        await there.hears_the_microphone()
        await maya.page.goto("/audit")  # a page without the list
        await ada.open("/live")
        seen = [asyncio.ensure_future(desk.page.evaluate(SEEN)) for desk in (maya, ada)]
        await asyncio.sleep(0)
        began = time.time() * 1000
        await give_role(livemon, "Lorenz", Role.MEMBER)
        for name, moment in zip(("Maya", "Agnes"), await asyncio.gather(*seen), strict=True):
            print(
                f"{name} sees the alert {(moment - began) / 1000:.2f} s after the role was taken away (contract: 2 s)"
            )
        for desk in (maya, ada):
            alert = alert_of(desk)
            await expect(alert).to_have_attribute("data-call-id", there.call.call_id)
            await expect(alert).to_contain_text("Lorenz has lost the role")
        await expect(ada.page.get_by_test_id("filter-attention")).to_contain_text("1")
        await expect_no_complaints(maya.page)
        await expect(leo.page.get_by_test_id("talk-role")).to_be_visible()
        await there.hears_the_microphone()
        await leo.hears_the_caller(CALLER_HZ)
        assert there.lost == []
        await alert_of(maya).get_by_test_id("alert-rescue").click()
        await expect(maya.page).to_have_url(re.compile(f"/live/{there.call.call_id}$"))
        await maya.confirm.click()
        await maya.has_it()
        lost = leo.page.get_by_test_id("take-over-lost")
        await expect(lost.first).to_contain_text("Maya has this call")
        await leo.microphone_is_off()
        await there.hears_the_microphone()
        await maya.hears_the_caller(CALLER_HZ)
        assert [one.name for one in there.supervisors] == ["Lorenz", "Maya"]
        for desk in (maya, ada):
            await expect(alert_of(desk)).to_have_count(0)
        assert there.lost == []
        await lost.first.get_by_role("button").click()
        await expect(leo.page.get_by_test_id("forbidden")).to_be_visible()


async def test_a_page_that_is_loaded_anew_without_the_role_keeps_its_caller(
    runtime: Runtime, livemon: LivemonProcess, sit: Sit
):
    leo, maya = await sit("Ludwig"), await sit("Maya")
    async with bot(runtime) as there:
        await maya.open("/live")
        await leo.open_call(there.call)
        await leo.takes_over()
        await there.hears_the_microphone()
        await give_role(livemon, "Ludwig", Role.MEMBER)
        await expect(alert_of(maya)).to_be_visible()
        await leo.page.evaluate(
            "window.addEventListener('beforeunload', (event) => event.stopImmediatePropagation(), true)"
        )
        leo.page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
        await leo.page.reload()
        await expect(leo.page.get_by_test_id("forbidden")).to_be_visible()
        await expect(leo.bar).to_be_visible()
        await there.goes_on_hearing()
        touch = leo.bar.get_by_test_id("resume-audio")
        await expect(touch.or_(leo.bar.get_by_test_id("mute")).first).to_be_visible()
        if await touch.count():
            await touch.click()
        await there.hears_the_microphone()
        await expect(leo.bar.get_by_test_id("call-bar-role")).to_be_visible()
        await expect(alert_of(maya)).to_be_visible()
        await give_role(livemon, "Ludwig", Role.DEVELOPER)
        await expect(alert_of(maya)).to_have_count(0)
        await expect(leo.bar.get_by_test_id("call-bar-role")).to_have_count(0)


async def test_an_admin_ends_the_call_from_any_page(runtime: Runtime, livemon: LivemonProcess, sit: Sit):
    leo, maya = await sit("Lukas"), await sit("Maya")
    async with bot(runtime) as there:
        await maya.page.goto("/audit")
        await leo.open_call(there.call)
        await leo.takes_over()
        await give_role(livemon, "Lukas", Role.MEMBER)
        await alert_of(maya).get_by_test_id("alert-end-call").click()
        await maya.page.get_by_test_id("alert-end-call-confirm").click()
        await asyncio.wait_for(there.ended.wait(), 20)
        there.call.end()
        await expect(alert_of(maya)).to_have_count(0)
        await expect(leo.bar).to_have_count(0)
        await leo.microphone_is_off()


def alert_of(desk: Desk):
    return desk.page.get_by_test_id("role-lost-alert")
