"""A long piece of work lets the others have their turn."""

import asyncio

from livemon.calls.pace import Pace


async def turns(pieces: int, size: int) -> int:
    """How often another task had its turn during so much work."""
    taken = 0

    async def other() -> None:
        nonlocal taken
        while True:
            taken += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    pace = Pace(64_000)
    for _ in range(pieces):
        await pace.after(size)
    task.cancel()
    return taken


async def test_large_pieces_are_each_followed_by_a_turn_of_the_others():
    assert await turns(100, 256_000) >= 99


async def test_small_pieces_are_taken_many_at_a_time():
    assert 10 <= await turns(1_000, 200) <= 30
