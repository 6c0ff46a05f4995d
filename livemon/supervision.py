"""Keeping what goes on by itself going: a part that fails is said to have failed, and started again by itself."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

RESTART_AFTER_S = 1.0
_log = structlog.get_logger("livemon")


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` again and again until cancelled; what it raises is logged, and no other part hears of it."""
    while True:
        try:
            await run()
        except Exception:
            _log.exception("A part of livemon failed, and is started again; calls are not affected.", part=name)
        await asyncio.sleep(RESTART_AFTER_S)
