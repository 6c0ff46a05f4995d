"""Ending a child process of livemon's: asked first, killed if it does not listen."""

import asyncio
import contextlib


async def end(process: asyncio.subprocess.Process, within_s: float) -> int:
    """Answers its exit code. Harmless if it has ended already."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(within_s):
            return await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()
