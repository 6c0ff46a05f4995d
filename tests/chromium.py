"""The browser of all tests that need one: Debian's Chromium, and the flags that keep it to itself."""

import asyncio
import contextlib

from playwright.async_api import Browser, BrowserContext, expect

WITHIN_MS = 60_000
"""How long anything may take on a busy machine before a test gives up on it."""

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

expect.set_options(timeout=WITHIN_MS)


async def close(opened: Browser | BrowserContext) -> None:
    """Close it; Chromium now and then never answers to that, and Playwright would wait for ever. It ends with the driver."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            await opened.close()
