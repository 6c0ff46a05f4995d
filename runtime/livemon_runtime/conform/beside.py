"""Something that goes on beside a check, and ends with it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable


@contextlib.asynccontextmanager
async def beside(work: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncGenerator[None]:
    """Runs `work` as long as the block lasts. It looks at the event that it is given, at least every few seconds, and returns
    when that is set: redis-py may swallow a cancellation before Python 3.12. What it raises is raised at the block's end.
    """
    over = asyncio.Event()
    task = asyncio.ensure_future(work(over))
    try:
        yield
    finally:
        over.set()
        await task
