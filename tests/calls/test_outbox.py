"""What waits on one socket: a snapshot first, then messages in order, and never a growing backlog."""

import asyncio

from livemon.calls.outbox import Outbox
from livemon.metrics import SLOW_SOCKETS


def an_outbox(limit: int = 3) -> Outbox:
    return Outbox("test", lambda: ["snapshot"], limit)


async def test_the_first_that_is_taken_is_a_snapshot_which_holds_all_that_was_said_before():
    outbox = an_outbox()
    outbox.offer("before anybody read")
    assert await outbox.take() == ["snapshot"]
    outbox.offer("one")
    outbox.offer("two")
    assert await outbox.take() == ["one", "two"]


async def test_taking_waits_until_there_is_something():
    outbox = an_outbox()
    await outbox.take()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    outbox.offer("one")
    assert await asyncio.wait_for(taking, 60) == ["one"]


async def test_a_reader_that_falls_behind_loses_what_waits_and_gets_a_snapshot():
    slow = SLOW_SOCKETS.labels("test")._value.get
    before, outbox = slow(), an_outbox(limit=3)
    await outbox.take()
    for number in range(10):
        outbox.offer(str(number))
    assert await outbox.take() == ["snapshot"]
    assert slow() - before == 1, "once, for one that fell behind once"
    outbox.offer("next")
    assert await outbox.take() == ["next"]


async def test_exactly_the_limit_may_wait():
    outbox = an_outbox(limit=3)
    await outbox.take()
    for number in range(3):
        outbox.offer(str(number))
    assert await outbox.take() == ["0", "1", "2"]


async def test_it_can_be_told_to_begin_anew():
    outbox = an_outbox()
    await outbox.take()
    outbox.offer("old")
    outbox.renew()
    assert await outbox.take() == ["snapshot"]
