"""livemon's connection to Redis: a cancelled command ends, and leaves nothing behind."""

import asyncio

from livemon.redis_client import connect


async def test_a_command_that_is_cancelled_at_any_moment_ends_as_cancelled(valkey_url: str):
    """A task that is cancelled while it sends must not go on as if nothing had been; the next command is whole."""
    redis = connect(valkey_url)
    await redis.ping()
    for steps in range(12):
        for _ in range(25):
            task = asyncio.create_task(redis.echo("cancelled"))
            for _ in range(steps):
                await asyncio.sleep(0)
            was_done = not task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert was_done or isinstance(result, asyncio.CancelledError), f"swallowed after {steps} turns of the loop"
            assert await redis.echo("next") == b"next"
    await redis.aclose()
