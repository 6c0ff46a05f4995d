"""One livemon as anybody starts it, in a process of its own, shared by the tests that leave it as it was."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psutil
import pytest
import pytest_asyncio

from tests.conftest import free_port
from tests.livemon_process import LivemonProcess
from tests.node.everybody import Everybody, everybody


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivemonProcess]:
    """Nothing configured but where; it says all that it ever says."""
    process = LivemonProcess(free_port(), tmp_path_factory.mktemp("livemon"), {"LIVEMON_LOG_LEVEL": "debug"})
    process.start()
    process.await_words("Ctrl-C")
    yield process
    process.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def people(running: LivemonProcess) -> AsyncIterator[Everybody]:
    """Everybody at the door of that livemon, with a second workspace in it."""
    async with everybody(running, redis_url_of(running)) as people:
        yield people


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What livemon's application answers to, as it says itself: `routes` and `sub_pages` of `tests.access.routes`."""
    command = [sys.executable, "-m", "tests.access.routes", str(tmp_path_factory.mktemp("data"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def own(tmp_path) -> Iterator[LivemonProcess]:
    """One that a test starts, stops and kills; not started."""
    process = LivemonProcess(free_port(), tmp_path / "livemon")
    yield process
    process.kill()


def redis_url_of(process: LivemonProcess) -> str:
    """Where it has told agents to go."""
    found = re.findall(r"redis://127\.0\.0\.1:\d+/0", process.output)
    assert found, process.output
    return found[-1]


def links_of(process: LivemonProcess) -> list[str]:
    """The tokens of the sign-in links that it has printed."""
    return re.findall(r"/sign-in#token=([\w-]+)", process.output)


def valkey_of(process: LivemonProcess) -> psutil.Process:
    """The Valkey that it has started."""
    children = psutil.Process(process.process.pid).children()
    found = [child for child in children if "valkey" in child.name()]
    assert len(found) == 1, children
    return found[0]
