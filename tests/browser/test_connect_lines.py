"""The lines of the Connect page, copied from it and run as they are printed: each turns the page green.

Stand-ins are for the user's own bot alone. The password of Redis is one that no shell and no language likes.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import redis
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.client import connect

from livemon.access.roles import Role
from tests.browser.conftest import SignIn
from tests.browser.test_connect import is_in
from tests.conftest import ValkeyProcess, free_port
from tests.livemon_process import LivemonProcess
from tests.node_example import install

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = """p$HOME'"`id`!é"""
ROOT = Path(__file__).parents[2]

MY_BOT = "from tests.browser.pipecat_bot import make_bot as make_bot\n"


@pytest.fixture(scope="module")
def guarded_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    server = ValkeyProcess(free_port(), tmp_path_factory.mktemp("guarded-valkey"))
    server.start()
    with redis.Redis(port=server.port) as client:
        client.execute_command("ACL", "SETUSER", "agent", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "default", "off")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, guarded_valkey: ValkeyProcess) -> Iterator[LivemonProcess]:
    """A server whose Redis has a password."""
    url = f"redis://agent:{PASSWORD}@127.0.0.1:{guarded_valkey.port}/0"
    server = LivemonProcess(free_port(), tmp_path_factory.mktemp("guarded"), {"LIVEMON_REDIS_URL": url})
    server.start()
    yield server
    server.stop()


async def opened(server: LivemonProcess, sign_in: SignIn, stack: str, *, reveal: bool = True) -> Page:
    """The page of an Admin on that stack, with the password in its lines."""
    page = await sign_in(server, "Maya")
    await page.goto("/connect")
    await page.locator(f"[data-testid=connect-stack][data-stack={stack}]").click()
    if reveal:
        await page.get_by_test_id("connect-reveal").click()
        await expect(page.get_by_test_id("connect-address")).to_contain_text("The password is in the lines now.")
    await is_in(page, "waiting")
    return page


def block(page: Page, name: str) -> Locator:
    return page.locator(f"[data-testid=connect-lines][data-block={name}]")


@contextlib.asynccontextmanager
async def process(*command: str, folder: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A program that runs while the block does; what it says is shown if the block fails."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "runtime"), str(folder)))
    with (folder / "said").open("wb") as said:
        running = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    try:
        yield running
    except BaseException:
        print((folder / "said").read_text(errors="replace")[-4000:])
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, 15)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                await running.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, 9)
        await running.wait()


async def test_the_program_of_the_python_sdk_is_a_first_call_that_end_call_ends(
    guarded: LivemonProcess, sign_in: SignIn, tmp_path: Path
) -> None:
    page = await opened(guarded, sign_in, "python")
    (tmp_path / "agent.py").write_text(await block(page, "agent").inner_text())
    async with process(sys.executable, "agent.py", folder=tmp_path) as agent:
        await is_in(page, "connected", "First call: Ada")
        await page.get_by_role("link", name="Open the call").click()
        await expect(page.get_by_test_id("turn")).to_have_count(2)
        await page.get_by_test_id("end-call").click()
        await page.get_by_test_id("end-call-confirm").click()
        await expect(page.get_by_test_id("call-ended")).to_be_visible()
        async with asyncio.timeout(60):
            assert await agent.wait() == 0


async def test_the_lines_around_a_pipecat_bot_are_a_first_call(
    guarded: LivemonProcess, sign_in: SignIn, tmp_path: Path
) -> None:
    page = await opened(guarded, sign_in, "pipecat")
    (tmp_path / "my_bot.py").write_text(MY_BOT)
    (tmp_path / "main.py").write_text(await block(page, "pipecat").inner_text())
    async with process(sys.executable, "main.py", folder=tmp_path):
        await is_in(page, "connected", "First call: Ada")
        can = page.get_by_test_id("connect-runtime").locator("[data-can=true]")
        await expect(can).to_have_text(["Live Listen", "Take Over", "End Call", "Hints"])


async def test_the_lines_for_node_are_a_first_call(guarded: LivemonProcess, sign_in: SignIn, tmp_path: Path) -> None:
    page = await opened(guarded, sign_in, "other")
    install(tmp_path)
    (tmp_path / "example.sh").write_text(await block(page, "example").inner_text())
    async with process("sh", "-e", "example.sh", folder=tmp_path):
        await is_in(page, "connected", "First call:")


async def test_the_password_is_for_admins_hidden_until_asked_for_and_hidden_again(
    guarded: LivemonProcess, sign_in: SignIn
) -> None:
    page = await opened(guarded, sign_in, "python", reveal=False)
    secret = "p$HOME"
    assert secret not in await page.content()
    await expect(block(page, "agent")).to_contain_text("redis://agent:PASSWORD@127.0.0.1")
    await page.get_by_test_id("connect-reveal").click()
    await expect(block(page, "agent")).to_contain_text(secret)
    await page.get_by_test_id("connect-reveal").click()
    await expect(block(page, "agent")).to_contain_text("agent:PASSWORD@")
    assert secret not in await page.content()
    await page.goto("/audit")
    await expect(page.locator("[data-action=redis_shown]").first).to_contain_text("Redis password shown")

    developer = await sign_in(guarded, "Dev", Role.DEVELOPER)
    await developer.goto("/connect")
    await expect(developer.get_by_test_id("connect-address")).to_contain_text("Ask a workspace admin for it.")
    await expect(developer.get_by_test_id("connect-reveal")).to_have_count(0)
    assert secret not in await developer.content()


async def test_a_key_that_is_made_there_is_shown_once_stands_in_the_lines_and_works(
    guarded: LivemonProcess, sign_in: SignIn
) -> None:
    page = await opened(guarded, sign_in, "api", reveal=False)
    program = block(page, "program")
    await expect(program).to_contain_text(f'base_url="{guarded.url}"')
    await page.get_by_test_id("connect-make-key").click()
    await page.get_by_test_id("key-name").fill("Wallboard")
    await page.get_by_test_id("key-make-submit").click()
    key = await page.get_by_test_id("key-secret").inner_text()
    await page.get_by_test_id("key-secret-submit").click()
    await expect(program).to_contain_text(f'api_key="{key}"')
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{guarded.url.replace('http', 'ws')}/feed/calls", additional_headers=headers) as socket:
        assert '"snapshot"' in await socket.recv()
    await page.reload()
    await page.locator("[data-testid=connect-stack][data-stack=api]").click()
    await expect(program).to_contain_text("lmk_YOUR_KEY")
    assert key not in await page.content()
