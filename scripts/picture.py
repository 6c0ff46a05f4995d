"""Makes docs/picture.png, the README's picture of the real thing: the demo, with a supervisor who listens to a call.

.venv/bin/python scripts/picture.py
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import DESKTOP  # noqa: E402
from tests.chromium import CHROMIUM, FLAGS  # noqa: E402
from tests.conftest import free_port  # noqa: E402
from tests.livemon_process import LivemonProcess  # noqa: E402

PEOPLE = ("Maya", "Leo")


async def main() -> None:
    """Wait for a call in which there is something to see, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        port = {"LIVEMON_VALKEY_PORT": str(free_port())}
        server = LivemonProcess(free_port(), Path(folder), port, ("demo", "--calls", "11"))
        server.start()
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
                pages: list[Page] = []
                for name in PEOPLE:
                    context = await browser.new_context(viewport=DESKTOP, locale="en-GB", base_url=server.url)
                    cookie = {"name": "livemon_session", "value": await server.cookie(name), "url": server.url}
                    await context.add_cookies([cookie])
                    pages.append(await context.new_page())
                await picture(*pages)
                await browser.close()
        finally:
            server.stop()
    shrink(ROOT / "docs" / "picture.png")


async def picture(page: Page, other: Page) -> None:
    for one in (page, other):
        await one.goto("/live")
        await expect(one.get_by_test_id("call-row")).to_have_count(11, timeout=60_000)
    await listen(other, 5)
    for row in range(2, 11):
        await page.get_by_test_id("call-row").nth(row).click()
        await expect(page.get_by_test_id("turn").first).to_be_visible(timeout=20_000)
        if await page.get_by_test_id("tool-call").filter(has_text=re.compile("done")).count():
            break
    await page.get_by_test_id("live-listen").click()
    await expect(page.get_by_test_id("exit-live-listen")).to_be_enabled(timeout=20_000)
    await page.mouse.move(600, 850)
    await page.locator("[data-testid=turn][data-final=false]").first.wait_for(timeout=60_000)
    await page.screenshot(path=ROOT / "docs" / "picture.png")


async def listen(page: Page, row: int) -> None:
    await page.get_by_test_id("call-row").nth(row).click()
    await page.get_by_test_id("live-listen").click()
    await expect(page.get_by_test_id("exit-live-listen")).to_be_enabled(timeout=20_000)


def shrink(path: Path) -> None:
    """256 colours are enough, where ImageMagick is at hand."""
    subprocess.run(["convert", str(path), "-colors", "256", str(path)], check=False, timeout=60)  # noqa: S607


if __name__ == "__main__":
    asyncio.run(main())
