"""livemon whole: its real command in a process of its own, a real Valkey, agents through the SDK, and a real Chromium.

`livemon` and `valkey` are shared by all tests here; a test that stops or kills one of them takes `own_livemon`. Calls that
a test starts through `runtime` end with it, so that each finds an empty list.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, WebError, async_playwright

from livemon.access.roles import Role
from livemon_runtime import Runtime
from tests.browser.live_page import LivePage
from tests.chromium import CHROMIUM, FLAGS, close
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess

DESKTOP = {"width": 1366, "height": 900}

SignIn = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def valkey_of_livemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    """Its own, which no other test writes to or empties."""
    server = ValkeyProcess(free_port(), tmp_path_factory.mktemp("valkey-of-livemon"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def livemon(tmp_path_factory: pytest.TempPathFactory, valkey_of_livemon: ValkeyProcess) -> Iterator[LivemonProcess]:
    """The server that most tests here share."""
    folder = tmp_path_factory.mktemp("livemon")
    server = LivemonProcess(free_port(), folder, {"LIVEMON_REDIS_URL": valkey_of_livemon.url})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_livemon(tmp_path: Path, own_valkey: ValkeyProcess) -> Iterator[LivemonProcess]:
    """A server of this test's own, on a Valkey of its own (`own_valkey`): both may be stopped, killed and started."""
    server = LivemonProcess(free_port(), tmp_path / "livemon", {"LIVEMON_REDIS_URL": own_valkey.url})
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--autoplay-policy=user-gesture-required"]
        )
        yield browser
        await close(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(chromium: Browser) -> AsyncIterator[SignIn]:
    """`page = await sign_in(livemon, name="Maya", role=Role.DEVELOPER)`: a browser of somebody's own, at no page yet.

    Options go to Playwright's `new_context`. A script error on any of the pages fails the test.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def make(server: LivemonProcess, name: str | None = None, role: Role = Role.ADMIN, **options: Any) -> Page:
        settings = {"viewport": DESKTOP, "base_url": server.url, "ignore_https_errors": True, **options}
        context = await chromium.new_context(**settings)
        contexts.append(context)
        cookie = {"name": "livemon_session", "value": await server.cookie(name, role), "url": server.url}
        await context.add_cookies([cookie])
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        await close(context)
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def runtime(livemon: LivemonProcess, valkey_of_livemon: ValkeyProcess) -> AsyncIterator[Runtime]:
    """An agent's process, beside the shared server."""
    async with running(valkey_of_livemon.url) as made:
        yield made


def running(redis_url: str) -> "_Running":
    """`async with running(url) as runtime`: a runtime whose calls have all ended in Redis when the block is over."""
    return _Running(redis_url)


class _Running:
    def __init__(self, redis_url: str) -> None:
        self._runtime = Runtime(redis_url, name="test-agent")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Runtime:
        runtime = await self._stack.enter_async_context(self._runtime)
        await runtime.alive.wait()
        return runtime

    async def __aexit__(self, *error: object) -> None:
        for call in self._runtime.calls():
            call.end()
        await self._stack.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def maya(livemon: LivemonProcess, chromium: Browser) -> AsyncIterator[BrowserContext]:
    """The browser of Maya, an Admin, with what it has kept of livemon's files."""
    context = await chromium.new_context(viewport=DESKTOP, base_url=livemon.url)
    await context.add_cookies([{"name": "livemon_session", "value": await livemon.cookie("Maya"), "url": livemon.url}])
    yield context
    await close(context)


@pytest_asyncio.fixture(loop_scope="session")
async def live(maya: BrowserContext, runtime: Runtime) -> AsyncIterator[LivePage]:
    """Live Monitoring in a tab of Maya's: with no call so far, and `runtime` to start some.

    The browser is shared: a test that signs out, or takes the network away, asks for one of its own (`sign_in`). A script
    error fails the test.
    """
    before, errors = maya.pages, []

    def note(error: WebError) -> None:
        errors.append(str(error.error))

    maya.on("weberror", note)
    page = LivePage(await maya.new_page())
    await page.open()
    yield page
    for tab in maya.pages:
        if tab not in before:
            await tab.close()
    maya.remove_listener("weberror", note)
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(livemon: LivemonProcess, chromium: Browser) -> AsyncIterator[LivePage]:
    """A browser in which nobody is signed in."""
    context = await chromium.new_context(viewport=DESKTOP, base_url=livemon.url)
    yield LivePage(await context.new_page())
    await close(context)
