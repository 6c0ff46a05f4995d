"""The page of an invitation in a real Chromium: what one is invited to, each way in, and why there is none."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from livemon.texts import TEXTS
from tests.components.admission import Office
from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROVIDERS = [{"slug": "company", "label": "Example Inc."}, {"slug": "other", "label": "<b>Other</b>"}]


def invited(**fields: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"workspace": "Northwind", "role": "developer", "name": "Sam", "providers": [], "you": None, **fields}


async def joining(stage: Stage, look: tuple[int, Any], token: str = "#token=secret") -> Office:
    office = Office(stage.page)
    office.answers["/join/look"] = look
    await office.open()
    await stage.page.goto(f"{stage.address}join{token}")
    return office


def problem(page: Page, code: str):
    return page.locator(f'[data-testid=join-problem][data-problem="{code}"]')


async def test_it_says_where_to_and_as_what_and_the_token_leaves_the_address(stage: Stage) -> None:
    office = await joining(stage, invited(workspace="<i>North</i>"))
    page = stage.page
    await expect(page.get_by_test_id("join-invited")).to_contain_text("<i>North</i>")
    await expect(page.get_by_test_id("join-invited")).to_contain_text("Developer")
    await expect(page.get_by_test_id("join-name")).to_have_value("Sam")
    await expect(page.get_by_test_id("join-you")).to_be_hidden()
    await expect(page.get_by_test_id("join-problem")).to_be_hidden()
    assert page.url == f"{stage.address}join"
    assert office.acts == [("/join/look", {"token": "secret"})]


async def test_one_joins_by_a_name(stage: Stage) -> None:
    office = await joining(stage, invited())
    page = stage.page
    office.answers["/join/accept"] = (200, {"next": "/sign-in"})
    await page.get_by_test_id("join-name").fill(" Sam Okafor ")
    office.may_answer.clear()
    await page.get_by_test_id("join-accept").click()
    await expect(page.get_by_test_id("join-accept")).to_be_disabled()
    office.may_answer.set()
    await page.wait_for_url(f"{stage.address}sign-in")
    assert office.acts[1:] == [("/join/accept", {"token": "secret", "name": "Sam Okafor"})]


async def test_who_is_signed_in_joins_as_themselves_and_reads_as_whom(stage: Stage) -> None:
    office = await joining(stage, invited(you={"name": "<b>Bo</b>", "member": False}, providers=PROVIDERS))
    page, as_me = stage.page, stage.page.get_by_test_id("join-as-me")
    await expect(page.get_by_test_id("join-you")).to_contain_text("You are signed in in this browser as <b>Bo</b>")
    await expect(as_me).to_have_text("Join as <b>Bo</b>")
    await expect(page.get_by_test_id("join-name")).to_be_hidden()
    office.refuse("/join/as-me", "by_provider", "Join with Example Inc. instead.")
    await as_me.click()
    await expect(problem(page, "by_provider")).to_contain_text("Join with Example Inc. instead.")
    office.answers["/join/as-me"] = (200, {"next": "/sign-in"})
    await as_me.click()
    await page.wait_for_url(f"{stage.address}sign-in")
    assert office.acts[1:] == [("/join/as-me", {"token": "secret"})] * 2


async def test_a_member_of_that_workspace_reads_so_and_may_join_as_somebody_else(stage: Stage) -> None:
    office = await joining(stage, invited(you={"name": "Bo", "member": True}))
    page = stage.page
    await expect(page.get_by_test_id("join-you")).to_contain_text("who is a member there")
    await expect(page.get_by_test_id("join-as-me")).to_be_hidden()
    await page.get_by_text(TEXTS["join.other"], exact=True).click()
    office.answers["/join/accept"] = (200, {"next": "/sign-in"})
    await page.get_by_test_id("join-accept").click()
    await page.wait_for_url(f"{stage.address}sign-in")


async def test_joining_leads_to_no_other_server(stage: Stage) -> None:
    office = await joining(stage, invited())
    office.answers["/join/accept"] = (200, {"next": "//elsewhere.example/sign-in"})
    await stage.page.get_by_test_id("join-accept").click()
    await stage.page.wait_for_url(stage.address)


async def test_each_provider_has_a_button_that_leads_there_and_a_name_is_the_other_way(stage: Stage) -> None:
    office = await joining(stage, invited(providers=PROVIDERS))
    page = stage.page
    await expect(page.get_by_test_id("join-with-company")).to_have_text("Join with Example Inc.")
    await expect(page.get_by_test_id("join-with-other")).to_have_text("Join with <b>Other</b>")
    await expect(page.get_by_test_id("join-name")).to_be_hidden()
    await page.get_by_text(TEXTS["join.by_name"]).click()
    await expect(page.get_by_test_id("join-name")).to_be_visible()
    office.answers["/join/with/company"] = (200, {"next": f"{stage.address}sign-in?at=provider"})
    await page.get_by_test_id("join-with-company").click()
    await page.wait_for_url("**/sign-in?at=provider")
    assert office.acts[1:] == [("/join/with/company", {"token": "secret"})]


@pytest.mark.parametrize("elsewhere", ["javascript:alert(1)", "data:text/html,x"])
async def test_what_is_no_address_of_a_provider_is_not_gone_to(stage: Stage, elsewhere: str) -> None:
    office = await joining(stage, invited(providers=PROVIDERS))
    office.answers["/join/with/company"] = (200, {"next": elsewhere})
    await stage.page.get_by_test_id("join-with-company").click()
    await expect(problem(stage.page, "failed")).to_be_visible()
    assert stage.page.url == f"{stage.address}join"


async def test_a_provider_that_is_away_is_said_and_the_buttons_work_again(stage: Stage) -> None:
    office = await joining(stage, invited(providers=PROVIDERS))
    page = stage.page
    office.refuse("/join/with/company", "failed", "Example Inc. cannot be reached, so you have not joined.", 502)
    await page.get_by_test_id("join-with-company").click()
    await expect(problem(page, "failed")).to_contain_text(TEXTS["join.failed"])
    await expect(problem(page, "failed")).to_contain_text("Example Inc. cannot be reached")
    await expect(page.get_by_test_id("join-with-company")).to_be_enabled()


async def test_a_name_that_is_taken_is_said_at_the_field_and_another_one_goes(stage: Stage) -> None:
    office = await joining(stage, invited())
    page, name = stage.page, stage.page.get_by_test_id("join-name")
    office.refuse("/join/accept", "name_taken", "taken")
    await page.get_by_test_id("join-accept").click()
    await expect(problem(page, "name_taken")).to_contain_text(TEXTS["join.name_taken.text"])
    await expect(name).to_be_focused()
    await expect(name).to_have_attribute("aria-invalid", "true")
    office.answers["/join/accept"] = (200, {"next": "/sign-in"})
    await page.keyboard.type("Sam Okafor")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{stage.address}sign-in")
    assert office.acts[-1] == ("/join/accept", {"token": "secret", "name": "Sam Okafor"})


@pytest.mark.parametrize("when", ["look", "accept"])
async def test_an_invitation_that_does_not_work_any_more_says_so_and_what_to_do(stage: Stage, when: str) -> None:
    """Used, expired and revoked are one answer: nobody is told which."""
    refusal = (403, {"error": {"code": "invitation_used", "message": "used"}})
    office = await joining(stage, refusal if when == "look" else invited())
    page = stage.page
    if when == "accept":
        office.answers["/join/accept"] = refusal
        await page.get_by_test_id("join-accept").click()
    await expect(problem(page, "invitation_used")).to_contain_text("ask a workspace admin for a new one")
    await expect(page.get_by_test_id("join-ask")).to_be_hidden()
    await expect(page.get_by_role("link", name=TEXTS["join.sign_in"])).to_be_visible()
    assert page.url == f"{stage.address}join"


async def test_an_address_without_an_invitation_says_so(stage: Stage) -> None:
    office = await joining(stage, invited(), token="")
    await expect(problem(stage.page, "none")).to_contain_text(TEXTS["join.none.text"])
    assert office.acts == []


async def test_a_server_that_does_not_answer_is_asked_again(stage: Stage) -> None:
    office = Office(stage.page)
    office.away = True
    await office.open()
    page = stage.page
    await page.goto(f"{stage.address}join#token=secret")
    await expect(problem(page, "away")).to_contain_text(TEXTS["join.away.text"])
    assert page.url.endswith("#token=secret"), "whoever loads the page anew still has it"
    office.away = False
    office.answers["/join/look"] = invited()
    await page.get_by_test_id("join-retry").click()
    await expect(page.get_by_test_id("join-ask")).to_be_visible()
    await expect(page.get_by_test_id("join-problem")).to_be_hidden()
    assert page.url == f"{stage.address}join"
    office.away = True
    await page.get_by_test_id("join-accept").click()
    await expect(problem(page, "away")).to_be_visible()
    await expect(page.get_by_test_id("join-ask")).to_be_visible()
    await expect(page.get_by_test_id("join-accept")).to_be_enabled()
