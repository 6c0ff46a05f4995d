"""The live page as a person sees it: its list and its drawer, found by the names that docs/ux.md gives."""

import secrets
from typing import Any

from playwright.async_api import Locator, Page, TimeoutError, expect

from livemon_runtime import Call, Runtime
from tests.chromium import WITHIN_MS

_ORDER = (
    "() => [...document.querySelectorAll('[data-testid=call-row]')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
)

_latest = 0
"""When the latest call of `start_calls` started (ms)."""


class LivePage:
    """A browser's page on Live Monitoring; what is not named here is reached by `page`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(WITHIN_MS)
        self.list = page.get_by_test_id("call-list")
        self.rows = page.get_by_test_id("call-row")
        self.new_rows = page.locator("[data-testid=call-row][data-new]")
        self.selected = page.locator('[data-testid=call-row][aria-selected="true"]')
        self.summary = page.get_by_test_id("call-list-summary")
        self.connection = page.get_by_test_id("connection-state")
        self.drawer = page.get_by_test_id("call-drawer")
        self.turns = page.get_by_test_id("turn-text")

    async def open(self, path: str = "/live") -> None:
        """Go there, and wait until what is on screen is live."""
        await self.page.goto(path)
        await self.is_live()

    async def is_live(self) -> None:
        await expect(self.connection).to_have_attribute("data-state", "live")
        await expect(self.list).not_to_have_attribute("data-state", "loading")

    def row(self, call: Call | str) -> Locator:
        return self.page.locator(f'[data-testid=call-row][data-call-id="{id_of(call)}"]')

    async def shows(self, *calls: Call | str) -> None:
        """The list has these rows in this order from the top, and no other."""
        wanted = [id_of(call) for call in calls]
        same = f"(wanted) => JSON.stringify(({_ORDER})().map((row) => row.dataset.callId)) === JSON.stringify(wanted)"
        try:
            await self.page.wait_for_function(same, arg=wanted, timeout=WITHIN_MS)
        except TimeoutError:
            assert await self.page.evaluate(f"({_ORDER})().map((row) => row.dataset.callId)") == wanted

    async def has_open(self, call: Call | str) -> None:
        """The drawer and the address say that this call is open, and the call's news have arrived."""
        await expect(self.drawer).to_have_attribute("data-call-id", id_of(call))
        await self.page.wait_for_url(f"**/live/{id_of(call)}")
        await expect(self.page.get_by_test_id("transcript")).to_have_attribute("aria-busy", "false")


def id_of(call: Call | str) -> str:
    return call if isinstance(call, str) else call.call_id


def start_calls(runtime: Runtime, count: int, **fields: Any) -> list[Call]:
    """So many calls that start one after another, a millisecond apart, and after all that were started so before."""
    global _latest
    batch, now = secrets.token_hex(3), runtime.clock.now_ms()
    first = max(now - count, _latest + 1)
    _latest = first + count - 1
    return [runtime.call(call_id=f"call-{batch}-{n:03}", start_timestamp=first + n, **fields) for n in range(count)]
