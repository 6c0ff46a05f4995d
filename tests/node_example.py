"""The example of a runtime in Node, as a process: its dependencies are installed by npm, once a run of the tests."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "node"
WITHIN_S = 120


def install(folder: Path) -> Path:
    """A copy of the example with its dependencies, in a folder beside the scripts that it reads; answers the program."""
    copy = folder / "examples" / "node"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(
        ROOT / "runtime" / "livemon_runtime" / "scripts", folder / "runtime" / "livemon_runtime" / "scripts"
    )
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return copy / "main.js"


class NodeExample:
    """The running program; `lines` is what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    async def says(self, words: str, after: int = 0) -> str:
        """The first line with these words, of those from number `after` on."""
        async with asyncio.timeout(WITHIN_S):
            while not (found := [line for line in self.lines[after:] if words in line]):
                assert self.process.returncode is None, self.lines
                await asyncio.sleep(0.05)
        return found[0]


@contextlib.asynccontextmanager
async def running(program: Path, url: str, **environment: str) -> AsyncGenerator[NodeExample]:
    """The program on that Redis; it is asked to stop at the end, and has to."""
    process = await asyncio.create_subprocess_exec(
        "node", str(program), url, env={**os.environ, **environment}, stdout=-1, stderr=subprocess.STDOUT
    )
    example = NodeExample(process)
    reading = asyncio.create_task(example.read())
    try:
        yield example
        process.terminate()
        async with asyncio.timeout(WITHIN_S):
            assert await process.wait() == 0, example.lines
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await reading
