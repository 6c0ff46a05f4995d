"""Whatever a page asks of the server names the workspace that the page shows, and what is meant for another is told in words."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, Request, expect
from starlette.responses import JSONResponse, Response

from components.assets import FOLDER
from livemon.access.named_workspace import HEADER, PARAMETER
from livemon.access.refusals import OTHER_WORKSPACE
from livemon.texts import TEXTS
from tests.components.conftest import Stage
from tests.components.messages import call, reset

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKS = {
    "request.js": "every request but these",
    "socket.js": "every socket",
    "audit_pages.js": "a longer wait",
    "listen_connection.js": "a beacon",
    "account_menu.js": "signing out, which is meant wherever one is",
    "sign_in.js": "a page of no workspace",
}
"""What sends a request by itself, and why. Whoever adds to it says the workspace (`shown_workspace.js`)."""


async def opened(stage: Stage, workspace: str | None = "night") -> Page:
    if workspace is not None:
        await stage.shows(workspace)
    await stage.open("call-1", call(), reset())
    await expect(stage.page.get_by_test_id("drawer-state")).to_be_visible()
    return stage.page


async def end(page: Page) -> Request:
    """Press End Call; the request."""
    await page.get_by_test_id("end-call").click()
    async with page.expect_request("**/calls/call-1/end") as asked:
        await page.get_by_test_id("end-call-confirm").click()
    return await asked.value


@pytest.mark.parametrize("workspace", ["night", None])
async def test_end_call_names_the_workspace_that_the_page_shows(stage: Stage, workspace: str | None) -> None:
    asked = await end(await opened(stage, workspace))
    assert await asked.header_value(HEADER.lower()) == workspace


async def test_what_was_meant_for_another_workspace_is_told_and_nothing_is_left_open(stage: Stage) -> None:
    async def elsewhere() -> Response:
        body: Any = {"error": {"code": OTHER_WORKSPACE.code, "message": OTHER_WORKSPACE.message}}
        return JSONResponse(body, OTHER_WORKSPACE.status)

    stage.end = elsewhere
    page = await opened(stage)
    await end(page)
    message = page.get_by_test_id("drawer-message")
    await expect(message).to_contain_text(TEXTS["end.failed"])
    await expect(message).to_contain_text("You are in another workspace")
    await expect(page.get_by_test_id("end-call")).to_be_enabled()


@pytest.mark.parametrize(
    ("path", "does"),
    [
        ("/calls/c/take-over", "(await import('/assets/request.js')).post('/calls/c/take-over')"),
        ("/workspaces", "(await import('/assets/request.js')).get('/workspaces')"),
        ("/listeners/l/stop", "(await import('/assets/request.js')).tell('/listeners/l/stop')"),
        (
            "/audit/entries?person=a",
            "new (await import('/assets/audit_pages.js')).AuditPages().search({...none, person: 'a'})",
        ),
    ],
)
async def test_every_kind_of_request_names_it(stage: Stage, path: str, does: str) -> None:
    page = await opened(stage)
    none = "const none = { person: '', action: '', call: '', since: '', until: '' };"
    async with page.expect_request(f"{stage.address.rstrip('/')}{path}") as asked:
        await page.evaluate(f"async () => {{ {none} void ({does})?.catch(() => {{}}); }}")
    assert await (await asked.value).header_value(HEADER.lower()) == "night"


async def test_so_does_the_last_word_of_a_page_that_goes(stage: Stage) -> None:
    page = await opened(stage)
    goes = """async () => {
      const { ListenConnection } = await import("/assets/listen_connection.js");
      const connection = new ListenConnection({ voice() {}, connected() {}, lost() {} });
      connection.listenerId = "l 1";
      connection.abandon();
    }"""
    async with page.expect_request("**/listeners/**") as asked:
        await page.evaluate(goes)
    assert (await asked.value).url.endswith(f"/listeners/l%201/stop?{PARAMETER}=night")


def sends(source: str) -> bool:
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", source, flags=re.DOTALL | re.MULTILINE)
    return re.search(r"\bfetch\(|new WebSocket\(|sendBeacon\(|XMLHttpRequest|EventSource\(", code) is not None


async def test_nothing_else_sends_requests_by_itself() -> None:
    assert {file.name for file in FOLDER.glob("*.js") if sends(file.read_text())} == ASKS.keys()
