"""A real Chromium that looks at a page as a supervisor would, and says when it showed what.

The page's clock and the load's are one machine's, so a time written into a call can be subtracted from that of the
frame that showed it.
"""

import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from livemon.bench.errors import BenchError
from livemon.bench.process import Server

CHROMIUM = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=user-gesture-required",
]

WATCH = """
(selector) => {
  const seen = (window.benchSeen = []);
  let last = 0;
  const look = () => {
    const all = [...document.querySelectorAll(selector)];
    for (const element of [...all.slice(0, 40), ...all.slice(-3)]) {
      const found = /@(\\d{13})/.exec(element.textContent);
      if (found && Number(found[1]) > last) {
        last = Number(found[1]);
        seen.push([last, Date.now()]);
      }
    }
  };
  const drawn = new MessageChannel();
  drawn.port1.onmessage = look;
  const frame = () => {
    drawn.port2.postMessage(null);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
"""
"""Once a frame, when all that the page does in it is done, look for a newer time of writing among the
elements that match `selector`."""


@asynccontextmanager
async def screen(server: Server, path: str, *, flags: Sequence[str] = (), before: str = "") -> AsyncGenerator[Any]:
    """A Playwright page at `path`, signed in, in a browser of its own (1366 x 900), started with these `flags` too.

    `before` is run in the page before its own scripts.
    """
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        raise BenchError("no Chromium found; install Debian's package chromium")
    try:
        from playwright.async_api import async_playwright
    except ImportError as error:
        raise BenchError("playwright is missing; it is among the development requirements") from error
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=[*CHROMIUM, *flags])
        try:
            context = await browser.new_context(viewport={"width": 1366, "height": 900})
            if server.cookie:
                cookies = (pair.split("=", 1) for pair in server.cookie.split("; "))
                await context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in cookies])
            page = await context.new_page()
            if before:
                await page.add_init_script(before)
            await page.goto(server.url + path, timeout=120_000)
            yield page
        finally:
            await browser.close()


async def delays_ms(page: Any) -> list[float]:
    """Time of writing to the frame that showed it, for every change that was seen since `WATCH`.

    None is left of a page that has loaded itself anew, as NiceGUI's does when it cannot keep up.
    """
    from playwright.async_api import Error

    try:
        seen: list[tuple[int, int]] = await page.evaluate("window.benchSeen ?? []")
    except Error:
        return []
    return [float(shown - written) for written, shown in seen]
