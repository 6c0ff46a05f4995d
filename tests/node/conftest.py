"""One livemon as anybody starts it, in a process of its own, shared by the tests that leave it as it was."""

import re
from collections.abc import Iterator

import psutil
import pytest

from tests.conftest import free_port
from tests.livemon_process import LivemonProcess


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivemonProcess]:
    """Nothing configured but where; it says all that it ever says."""
    process = LivemonProcess(free_port(), tmp_path_factory.mktemp("livemon"), {"LIVEMON_LOG_LEVEL": "debug"})
    process.start()
    process.await_words("Ctrl-C")
    yield process
    process.stop()


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
