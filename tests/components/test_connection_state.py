"""The chip in the header in a real Chromium: it repeats what the list says of its connection, and explains it."""

import pytest
from playwright.async_api import Locator, expect

from livemon.texts import TEXTS
from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SINCE = 1_760_000_000_000


async def chip(stage: Stage) -> Locator:
    await stage.mount("connection_state")
    return stage.page.get_by_test_id("connection-state")


async def heard(stage: Stage, state: str, since: int | None = SINCE) -> None:
    detail = {"state": state, "since": since}
    await stage.page.evaluate(
        "(detail) => window.dispatchEvent(new CustomEvent('livemon:connection', { detail }))", detail
    )


async def test_until_the_list_has_spoken_it_does_not_claim_to_be_live(stage: Stage) -> None:
    connection = await chip(stage)
    await expect(connection).to_have_attribute("data-state", "reconnecting")
    await expect(connection).to_have_text("Connecting")


@pytest.mark.parametrize("state", ["reconnecting", "offline", "stale"])
async def test_it_says_what_is_wrong_and_since_when(stage: Stage, state: str) -> None:
    connection = await chip(stage)
    await heard(stage, state)
    await expect(connection).to_have_attribute("data-state", state)
    await expect(connection).to_have_attribute("data-since", str(SINCE))
    said = await connection.locator(".lm-chip").text_content()
    time = await stage.page.evaluate("(since) => import('/assets/format.js').then((f) => f.clockTime(since))", SINCE)
    assert said == f"{TEXTS[f'connection.{state}']} since {time}"
    await expect(stage.page.get_by_role("status")).to_have_text(said)  # announced; what stands in a button is not


async def test_live_and_refused_have_no_since(stage: Stage) -> None:
    connection = await chip(stage)
    for state in ("live", "refused"):
        await heard(stage, state)
        await expect(connection).to_have_text(TEXTS[f"connection.{state}"])


async def test_a_state_of_a_later_version_changes_nothing(stage: Stage) -> None:
    connection = await chip(stage)
    await heard(stage, "live")
    await heard(stage, "entangled")
    await expect(connection).to_have_text("Live")


async def test_a_press_explains_it_and_a_press_elsewhere_or_escape_closes_that(stage: Stage) -> None:
    connection = await chip(stage)
    await heard(stage, "live")
    explained = stage.page.get_by_text(TEXTS["connection.explain.live"])
    await expect(explained).to_be_hidden()
    await connection.click()
    await expect(explained).to_be_visible()
    await expect(connection).to_have_attribute("aria-expanded", "true")
    await stage.page.mouse.click(700, 700)
    await expect(explained).to_be_hidden()
    await connection.click()
    await stage.page.keyboard.press("Escape")
    await expect(explained).to_be_hidden()
