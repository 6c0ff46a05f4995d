"""axe finds nothing to complain of, light or dark, on the pages that people see (WCAG 2.2 AA and axe's good practice)."""

import pytest
from playwright.async_api import expect

from livemon.access.roles import Role
from livemon_runtime import Audio, Runtime
from tests.browser.accessibility import expect_no_complaints
from tests.browser.conftest import SignIn
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
    await expect(page.get_by_test_id("call-row")).to_have_count(1, timeout=60_000)
    await expect(page.locator("[data-new]")).to_have_count(0, timeout=60_000)
    await expect_no_complaints(page)
    await page.get_by_test_id("call-row").click()
    await expect(page.get_by_test_id("turn")).to_have_count(2, timeout=60_000)
    await page.get_by_test_id("tool-call").click()
    await expect_no_complaints(page)
    await page.get_by_test_id("end-call").click()
    await expect(page.get_by_test_id("end-call-confirm")).to_be_visible()
    await expect_no_complaints(page)


async def test_the_empty_list(livemon: LivemonProcess, sign_in: SignIn):
    page = await sign_in(livemon)
    await page.goto("/live")
    await expect(page.get_by_test_id("call-list-empty")).to_be_visible(timeout=60_000)
    await expect_no_complaints(page)


@pytest.mark.parametrize(("path", "testid"), [("/", "home"), ("/live", "forbidden"), ("/nowhere", "not-found")])
async def test_what_a_member_sees(livemon: LivemonProcess, sign_in: SignIn, path: str, testid: str):
    page = await sign_in(livemon, name="Noor", role=Role.MEMBER)
    await page.goto(path)
    await expect(page.get_by_test_id(testid)).to_be_visible(timeout=60_000)
    await expect_no_complaints(page)


async def test_the_sign_in_page(livemon: LivemonProcess, sign_in: SignIn):
    page = await sign_in(livemon)
    await page.goto("/sign-in")
    await expect(page.get_by_test_id("sign-in-how")).to_be_visible(timeout=60_000)
    await expect_no_complaints(page)
