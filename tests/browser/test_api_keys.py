"""An API key, from the page that makes it to the program that uses it, until it is revoked."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from livemon_runtime import Runtime
from tests.browser.conftest import SignIn
from tests.browser.live_page import start_calls
from tests.livemon_process import LivemonProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


def row(page: Page, name: str) -> Locator:
    return page.get_by_test_id("key").filter(has=page.get_by_role("heading", name=name, exact=True))


async def make_key(page: Page, name: str) -> str:
    await page.goto("/keys")
    await page.get_by_test_id("key-make").click()
    await page.get_by_test_id("key-name").fill(name)
    await page.get_by_test_id("key-days").fill("7")
    await page.get_by_test_id("key-make-submit").click()
    secret = await page.get_by_test_id("key-secret").inner_text()
    await page.get_by_test_id("key-secret-submit").click()
    return secret


def listens(livemon: LivemonProcess, key: str) -> connect:
    """As a program does: no cookie and no Origin."""
    url = f"{livemon.url.replace('http', 'ws')}/feed/calls"
    return connect(url, additional_headers={"Authorization": f"Bearer {key}"})


async def hears_of(socket: ClientConnection, call_id: str) -> None:
    """In the first message, or in one of those that follow."""
    async with asyncio.timeout(20):
        while call_id not in await socket.recv():
            pass


async def is_closed(socket: ClientConnection) -> int:
    """The code with which the server closes it."""
    async with asyncio.timeout(20):
        while True:
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code


async def test_a_key_made_on_the_page_lets_a_program_in_until_it_is_revoked(
    livemon: LivemonProcess, sign_in: SignIn, runtime: Runtime
) -> None:
    (call,) = start_calls(runtime, 1)
    page = await sign_in(livemon, "Ada")
    key = await make_key(page, "Wallboard")
    assert key.startswith("lmk_")
    wallboard = row(page, "Wallboard")
    await expect(wallboard).to_have_attribute("data-state", "good")
    await expect(wallboard).to_contain_text("Made by Ada")
    await expect(wallboard).to_contain_text("never used")
    async with listens(livemon, key) as socket:
        await hears_of(socket, call.call_id)
        await expect(wallboard.get_by_test_id("key-used")).to_have_text("last used now")
        await wallboard.get_by_test_id("key-revoke").click()
        await page.get_by_test_id("key-revoke-confirm").click()
        await expect(wallboard).to_have_attribute("data-state", "revoked")
        assert await is_closed(socket) == 4401
    async with listens(livemon, key) as socket:
        assert await is_closed(socket) == 4401
    await page.reload()
    await expect(wallboard).to_be_visible()
    assert key not in await page.content(), "it was told once"


async def test_a_key_looks_after_nobody_and_makes_no_other(livemon: LivemonProcess, sign_in: SignIn) -> None:
    page = await sign_in(livemon, "Ada")
    key = await make_key(page, "Looks on")
    await expect(row(page, "Looks on").get_by_test_id("key-right")).to_have_text(["See calls"])
    for path in ("/members/all", "/keys/all", "/audit/entries"):
        answer = await page.request.get(f"{livemon.url}{path}", headers={"Authorization": f"Bearer {key}"})
        assert answer.status == 403, path
