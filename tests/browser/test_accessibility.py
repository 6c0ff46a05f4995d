"""axe finds nothing to complain of, light or dark, on the pages that people see (WCAG 2.2 AA and axe's good practice)."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from livemon.access.roles import Role
from livemon_runtime import Audio, Runtime
from tests.browser.conftest import SignIn
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def complaints(page: Page) -> list[str]:
    """What axe finds wrong, light and dark, each with the elements concerned."""
    found: list[str] = []
    for theme in ("light", "dark"):
        await page.evaluate("(theme) => livemonTheme.choose(theme)", theme)
        options = {
            "runOnly": {"type": "tag", "values": TAGS},
            "preload": False,
        }  # nothing that would be loaded is asked for
        response: dict[str, Any] = (await Axe().run(page, options=options)).response
        for violation in response["violations"]:
            where = [node["html"][:160] for node in violation["nodes"][:3]]
            found.append(f"{theme}: {violation['id']} ({violation['impact']}): {violation['help']}: {where}")
    return found


async def expect_no_complaints(page: Page) -> None:
    found = await complaints(page)
    assert not found, "\n".join(found)


async def test_the_list_the_drawer_and_the_question_before_the_end(
    livemon: LivemonProcess, runtime: Runtime, sign_in: SignIn
):
    call = runtime.call(
        from_number="+12125550184", direction="inbound", agent_name="Ada", audio=Audio(caller="opus", agent="opus")
    )
    call.on_end(lambda: None)
    call.agent_turn().final("Good morning.")
    call.user_turn().final("Is table 4 free?")
    call.tool_call("t1", "find_table", {"party": 4})
    call.tool_result("t1", {"table": 4})
    call.node_transition(None, None, "greeting", "greeting")
    page = await sign_in(livemon, reduced_motion="reduce")
    await page.goto("/live")
    await expect(page.get_by_test_id("call-row")).to_have_count(1, timeout=20_000)
    await expect(page.locator("[data-new]")).to_have_count(0, timeout=20_000)
    await expect_no_complaints(page)
    await page.get_by_test_id("call-row").click()
    await expect(page.get_by_test_id("turn")).to_have_count(2, timeout=20_000)
    await page.get_by_test_id("tool-call").click()
    await expect_no_complaints(page)
    await page.get_by_test_id("end-call").click()
    await expect(page.get_by_test_id("end-call-confirm")).to_be_visible()
    await expect_no_complaints(page)


async def test_the_empty_list(livemon: LivemonProcess, sign_in: SignIn):
    page = await sign_in(livemon)
    await page.goto("/live")
    await expect(page.get_by_test_id("call-list-empty")).to_be_visible(timeout=20_000)
    await expect_no_complaints(page)


@pytest.mark.parametrize(("path", "testid"), [("/", "home"), ("/live", "forbidden"), ("/nowhere", "not-found")])
async def test_what_a_member_sees(livemon: LivemonProcess, sign_in: SignIn, path: str, testid: str):
    page = await sign_in(livemon, name="Noor", role=Role.MEMBER)
    await page.goto(path)
    await expect(page.get_by_test_id(testid)).to_be_visible(timeout=20_000)
    await expect_no_complaints(page)


async def test_the_sign_in_page(livemon: LivemonProcess, sign_in: SignIn):
    page = await sign_in(livemon)
    await page.goto("/sign-in")
    await expect(page.get_by_test_id("sign-in-how")).to_be_visible(timeout=20_000)
    await expect_no_complaints(page)
