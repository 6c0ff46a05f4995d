"""Giving the event loop a turn while a lot is read: what one runtime writes must not hold up what others say."""

import asyncio

TURN_BYTES = 64_000


class Pace:
    """Counts the bytes that one task has worked on since others last had their turn."""

    def __init__(self, turn_bytes: int = TURN_BYTES) -> None:
        self._turn_bytes = turn_bytes
        self._bytes = 0

    async def after(self, size: int) -> None:
        """Call after each piece of work on `size` bytes: every so many, the others have their turn."""
        self._bytes += size + 1_000  # even an empty entry is work
        if self._bytes >= self._turn_bytes:
            self._bytes = 0
            await asyncio.sleep(0)
