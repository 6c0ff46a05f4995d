"""Listeners in processes of their own, so that they and the server do not share an interpreter: both ends of it.

As a module it is such a process: a line of JSON in, a line of JSON out.
"""

import asyncio
import contextlib
import json
import sys
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aioice import ice

from livemon.bench.arrivals import Numbers
from livemon.bench.doors import Door, door
from livemon.bench.ear import Ear
from livemon.bench.errors import BenchError
from livemon.media.ice import host_addresses

READ_EVERY_S = 0.05
AT_ONCE = 4
"""Listeners that connect at the same time, in each process."""
PROCESSES = 2
ANSWER_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Wish:
    """Listener `ear` wants to hear `call`, as the server calls it, as the person whose cookie it is."""

    ear: int
    call: str
    cookie: str = ""


Heard = dict[tuple[int, int], tuple[Numbers, Numbers]]
"""By listener and media section: sequence numbers as they came, and when (ns since the epoch)."""


class Ears:
    """Listeners of one server, spread over `PROCESSES`."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process], folder: Path) -> None:
        self._processes, self._folder = processes, folder

    async def connect(self, wishes: Sequence[Wish]) -> None:
        """Raises `BenchError` unless all of them are connected."""
        parts = [wishes[n :: len(self._processes)] for n in range(len(self._processes))]
        await self._all([{"do": "connect", "wishes": [asdict(wish) for wish in part]} for part in parts])

    async def begin(self) -> None:
        """What arrives counts from now on."""
        await self._all([{"do": "begin"}] * len(self._processes))

    async def collect(self) -> Heard:
        """All that has arrived since `begin`."""
        files = [self._folder / f"heard-{n}.npz" for n in range(len(self._processes))]
        await self._all([{"do": "collect", "file": str(file)} for file in files])
        heard: Heard = {}
        for file in files:
            heard |= await asyncio.to_thread(_read_heard, file)
        return heard

    async def _all(self, commands: Sequence[dict[str, Any]]) -> None:
        pairs = zip(self._processes, commands, strict=True)
        await asyncio.gather(*(self._one(process, command) for process, command in pairs))

    async def _one(self, process: asyncio.subprocess.Process, command: dict[str, Any]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            line = await process.stdout.readline()
        if not line:
            raise BenchError("the listeners' process ended")
        if problem := json.loads(line).get("problem"):
            raise BenchError("not all listeners got in", problem)


@asynccontextmanager
async def ears(kind: str, url: str, folder: Path) -> AsyncGenerator[Ears]:
    """Processes of listeners for the server at `url`, whose kind `doors.door` knows."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "livemon.bench.ears", kind, url]
    processes = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20) for _ in range(PROCESSES)
    ]
    try:
        yield Ears(processes, folder)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _read_heard(file: Path) -> Heard:
    with np.load(file) as saved:
        ear, section, sequence, at = (saved[name] for name in ("ear", "section", "sequence", "at"))
    stream = ear * 2 + section
    order = np.argsort(stream, kind="stable")
    names, starts = np.unique(stream[order], return_index=True)
    return {
        (int(name) // 2, int(name) % 2): (sequence[part], at[part])
        for name, part in zip(names, np.split(order, starts[1:]), strict=True)
    }


class Room:
    """The listeners of this process."""

    def __init__(self, way: Door) -> None:
        self._way = way
        self._ears: list[Ear] = []

    async def read(self) -> None:
        while True:
            for ear in self._ears:
                ear.read()
            await asyncio.sleep(READ_EVERY_S)

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        if command["do"] == "connect":
            return await self._connect([Wish(**wish) for wish in command["wishes"]])
        if command["do"] == "begin":
            for ear in self._ears:
                ear.read()
                ear.forget()
        else:
            self._save(Path(command["file"]))
        return {}

    async def _connect(self, wishes: Sequence[Wish]) -> dict[str, Any]:
        at_once = asyncio.Semaphore(AT_ONCE)

        async def connect(wish: Wish) -> None:
            async with at_once:
                ear = Ear(wish.ear)
                await self._way.enter(ear, wish.call, wish.cookie)
                await ear.connected()
                self._ears.append(ear)

        done = await asyncio.gather(*(connect(wish) for wish in wishes), return_exceptions=True)
        failed = [problem for problem in done if isinstance(problem, BaseException)]
        return {"problem": f"{len(failed)} of {len(wishes)}: {failed[0]!r} {failed[0]}"} if failed else {}

    def _save(self, file: Path) -> None:
        columns = {name: array("q") for name in ("ear", "section", "sequence", "at")}
        for ear in self._ears:
            ear.read()
            for section, (sequences, times) in enumerate(ear.heard.values()):
                columns["ear"].extend([ear.number] * len(times))
                columns["section"].extend([section] * len(times))
                columns["sequence"].extend(sequences)
                columns["at"].extend(times)
        arrays = {name: np.frombuffer(column, np.int64) for name, column in columns.items()}
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]


async def _serve(kind: str, url: str) -> None:
    one_address = host_addresses(True, False)[:1]  # a machine with ten would make a hundred pairs of each listener
    ice.get_host_addresses = lambda use_ipv4, use_ipv6: one_address
    room = Room(door(kind, url))
    lines = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    reading = asyncio.create_task(room.read())
    while line := await lines.readline():
        sys.stdout.buffer.write(json.dumps(await room.obey(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()
    reading.cancel()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
