"""What a browser says about itself, in words that a person knows their device by."""

import pytest

from tests.components.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
DEVICES = {
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge on Windows",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/140.0.0.0 Safari/537.36": "Chrome on Mac",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36": "Chrome on Linux",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36": "Chrome on ChromeOS",
    f"Mozilla/5.0 (Linux; Android 14; SM-X910) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36": (
        "Samsung Internet on Android"
    ),
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/138.0.0.0 Safari/537.36 OPR/122.0.0.0": "Opera on Linux",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0": "Firefox on Linux",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.6 Safari/605.1.15": ("Safari on Mac"),
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {APPLE} Version/17.6 Mobile/15E148 Safari/604.1": (
        "Safari on iPad"
    ),
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {APPLE} CriOS/140.0 Mobile/15E148": ("Chrome on iPhone"),
    "curl/8.14.1": "curl/8.14.1",
    "python-httpx/0.28 (a script of mine)": "python-httpx/0.28",
    "": "Unknown device",
    "   ": "Unknown device",
    "x" * 200: "x" * 60,
}


async def test_each_is_known_by_browser_and_system_and_all_others_by_their_own_name(stage: Stage) -> None:
    words = """async (agents) => {
      const { deviceWords } = await import("/assets/device.js");
      const texts = await (await fetch("/texts")).json();
      return agents.map((agent) => deviceWords(texts, agent));
    }"""
    assert await stage.page.evaluate(words, list(DEVICES)) == list(DEVICES.values())
