"""A child process is asked to end, and killed if it does not listen."""

import asyncio
import signal
import sys

from livemon import child_process

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


async def test_one_that_listens_ends_by_itself():
    process = await asyncio.create_subprocess_exec("sleep", "600")
    assert await child_process.end(process, 30) == -signal.SIGTERM


async def test_one_that_does_not_listen_is_killed():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=asyncio.subprocess.PIPE)
    await process.stdout.readline()
    assert await child_process.end(process, 0.1) == -signal.SIGKILL


async def test_one_that_has_ended_is_no_trouble():
    process = await asyncio.create_subprocess_exec("false")
    await process.wait()
    assert await child_process.end(process, 30) == 1
