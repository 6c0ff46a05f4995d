"""The page of API keys in a real Chromium: which there are, making one, which is shown once, and revoking one."""

import pytest
from playwright.async_api import Locator, Page, expect

from livemon.texts import TEXTS
from tests.components.admission import DAY, NOW, Office, key, opened
from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "lmk_k9_abcdefghijklmnopqrstuvwxyz"


def row(page: Page, key_id: str) -> Locator:
    return page.locator(f'[data-testid=key][data-key-id="{key_id}"]')


async def keys(stage: Stage, *entries: dict) -> Office:
    office = await opened(stage, "api_keys", keys=list(entries))
    await expect(stage.page.get_by_test_id("key-make")).to_be_enabled()
    return office


async def test_it_says_of_each_key_what_it_may_and_whether_it_works(stage: Stage) -> None:
    old = key("k2", "Wallboard", expires_at=NOW - DAY, created_at=NOW - 90 * DAY, last_used_at=NOW - 2 * DAY)
    gone = key("k3", "Leaked", revoked_at=NOW - 2 * DAY, expires_at=NOW - DAY)
    await keys(stage, gone, old, key("k1", "CRM", "watch", "read"))
    page = stage.page
    rows = page.get_by_test_id("key")
    assert [await one.get_attribute("data-state") for one in await rows.all()] == ["good", "revoked", "expired"]
    await expect(page.get_by_test_id("keys-summary")).to_have_text("1 key works")
    for words in ("CRM", "Works", "See calls", "Read transcripts", "Made by Ada", "expires in 89 days", "never used"):
        await expect(row(page, "k1")).to_contain_text(words)
    for words in ("Expired", "expired yesterday", "last used 2 days ago"):
        await expect(row(page, "k2")).to_contain_text(words)
    for words in ("Revoked", "revoked 2 days ago"):
        await expect(row(page, "k3")).to_contain_text(words)
    await expect(page.get_by_test_id("key-revoke")).to_have_count(1)


async def test_none_yet_says_what_one_is_for(stage: Stage) -> None:
    await keys(stage)
    await expect(stage.page.get_by_test_id("keys-empty")).to_contain_text(TEXTS["keys.none.text"])


async def test_a_key_is_made_and_shown_this_once(stage: Stage) -> None:
    office = await keys(stage)
    page = stage.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    office.answers["/keys"] = (200, {"id": "k9", "key": SECRET, "expires_at": NOW + 7 * DAY})
    await page.get_by_test_id("key-make").click()
    await expect(page.get_by_test_id("key-days")).to_have_value("90")
    await expect(page.get_by_test_id("key-right-watch")).to_be_checked()
    await expect(page.get_by_test_id("key-right-watch")).to_be_disabled()
    await page.get_by_test_id("key-name").fill(" CRM ")
    await page.get_by_test_id("key-right-end").check()
    await page.get_by_test_id("key-right-read").check()
    await page.get_by_test_id("key-days").fill("7")
    office.keys = [key("k9", "CRM", "watch", "read", "end")]
    office.may_answer.clear()
    await page.get_by_test_id("key-make-submit").click()
    await expect(page.get_by_test_id("key-make-submit")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("key-make-dialog")).to_be_visible()
    office.may_answer.set()
    await expect(page.get_by_test_id("key-secret")).to_have_text(SECRET)
    assert office.acts == [("/keys", {"name": "CRM", "rights": ["watch", "read", "end"], "days": 7})]
    await expect(page.get_by_test_id("key-secret-dialog")).to_contain_text("will not be shown again")
    await page.get_by_test_id("key-secret-copy").click()
    await expect(page.get_by_test_id("key-secret-copy")).to_have_text(TEXTS["copied"])
    assert await page.evaluate("navigator.clipboard.readText()") == SECRET
    await page.get_by_test_id("key-secret-submit").click()
    await expect(row(page, "k9")).to_be_visible()
    await expect(page.get_by_text(SECRET)).to_have_count(0)


@pytest.mark.parametrize("days", ["0", "367", "1.5", ""])
async def test_no_key_for_another_time_than_one_to_366_days(stage: Stage, days: str) -> None:
    office = await keys(stage)
    page = stage.page
    await page.get_by_test_id("key-make").click()
    await page.get_by_test_id("key-name").fill("CRM")
    await expect(page.get_by_test_id("key-until-words")).to_contain_text("It works until")
    await page.get_by_test_id("key-days").fill(days)
    await expect(page.get_by_test_id("key-until-words")).to_have_text(TEXTS["key.days.range"])
    await page.get_by_test_id("key-make-submit").click()
    await expect(page.get_by_test_id("key-days")).to_be_focused()
    assert office.acts == []


async def test_a_key_that_was_refused_keeps_what_was_filled_in_and_says_why(stage: Stage) -> None:
    office = await keys(stage)
    page = stage.page
    office.refuse("/keys", "too_many", "This workspace has as many keys as it can. Revoke one.")
    await page.get_by_test_id("key-make").click()
    await page.get_by_test_id("key-name").fill("CRM")
    await page.get_by_test_id("key-make-submit").click()
    await expect(page.get_by_test_id("key-make-problem")).to_contain_text("There is no key CRM")
    await expect(page.get_by_test_id("key-make-problem")).to_contain_text("Revoke one.")
    await expect(page.get_by_test_id("key-name")).to_have_value("CRM")
    await page.get_by_test_id("key-make-cancel").click()
    await page.get_by_test_id("key-make").click()
    await expect(page.get_by_test_id("key-name")).to_have_value("")
    await expect(page.get_by_test_id("key-make-problem")).to_have_count(0)


async def test_a_key_is_revoked_once_it_is_confirmed(stage: Stage) -> None:
    office = await keys(stage, key("k1", "CRM"))
    page = stage.page
    await page.get_by_test_id("key-revoke").click()
    await expect(page.get_by_test_id("key-revoke-dialog")).to_contain_text("cannot be undone")
    await page.get_by_test_id("key-revoke-cancel").click()
    assert office.acts == []
    await page.get_by_test_id("key-revoke").click()
    office.may_answer.clear()
    await page.get_by_test_id("key-revoke-confirm").click()
    await expect(page.get_by_test_id("key-revoke")).to_be_disabled()
    office.keys[0]["revoked_at"] = NOW
    office.may_answer.set()
    await expect(row(page, "k1")).to_have_attribute("data-state", "revoked")
    await expect(page.get_by_test_id("keys-said")).to_have_text("The key CRM does not work any more.")
    assert office.acts == [("/keys/k1/revoke", {})]


async def test_no_answer_is_not_taken_for_a_no(stage: Stage) -> None:
    office = await keys(stage, key("k1", "CRM"))
    page = stage.page
    office.away = True
    await page.get_by_test_id("key-revoke").click()
    await page.get_by_test_id("key-revoke-confirm").click()
    await expect(page.get_by_test_id("key-problem")).to_contain_text(TEXTS["act.unknown"])
    await expect(page.get_by_test_id("keys-error")).to_contain_text(TEXTS["members.unreachable"])
    office.away = False
    office.keys[0]["revoked_at"] = NOW
    await page.get_by_test_id("keys-reload").click()
    await expect(row(page, "k1")).to_have_attribute("data-state", "revoked")
    await expect(page.get_by_test_id("keys-error")).to_have_count(0)
