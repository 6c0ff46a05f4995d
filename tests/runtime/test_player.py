"""What the bot gets of a supervisor's voice and of the hold tone: in which order, how much at most, and in spite of what."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from livemon_runtime import Codec, Runtime, Supervisor
from livemon_runtime.hold_tone import frame
from livemon_runtime.player import Player
from tests.runtime.conftest import eventually
from tests.runtime.test_supervision import true


@pytest.fixture
def offline() -> Runtime:
    """Never started: a player needs its clock and its counters."""
    return Runtime("redis://127.0.0.1:1", name="offline", handler_timeout=60)


@pytest.fixture
async def player(offline: Runtime) -> AsyncIterator[Player]:
    made = Player(offline, "c-1", Supervisor("k-1", "u-1", "Grace"), Codec.PCMU)
    yield made
    made.close()


async def count(heard: list[bytes], many: int) -> None:
    await eventually(lambda: true(lambda: len(heard) >= many))


async def test_of_more_than_a_second_the_newest_is_kept_and_the_rest_counted(offline: Runtime, player: Player):
    heard: list[bytes] = []
    player.supervisor.on_audio(heard.append)
    for n in range(60):
        player.take(b"%d" % n)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(player.run())
        await count(heard, 50)
        player.close()
    assert heard == [b"%d" % n for n in range(10, 60)]
    assert offline.counters["supervisor_frame_late"] == 10


async def test_a_hook_that_awaits_what_was_cancelled_loses_that_frame_alone(offline: Runtime, player: Player):
    heard: list[bytes] = []

    @player.supervisor.on_audio
    async def play(data: bytes) -> None:
        heard.append(data)
        if len(heard) == 1:
            own = asyncio.ensure_future(asyncio.Event().wait())
            own.cancel()  # by a barge-in, say
            await own

    player.take(b"1")
    player.take(b"2")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(player.run())
        await eventually(lambda: true(lambda: len(heard) == 2 or running.done()))
        player.close()
    assert heard == [b"1", b"2"]
    assert offline.counters["supervisor_frame_failed"] == 1


async def test_it_ends_with_its_runtime_in_the_middle_of_a_frame(player: Player):
    playing = asyncio.Event()

    @player.supervisor.on_audio
    async def play(_: bytes) -> None:
        playing.set()
        await asyncio.Event().wait()

    player.take(b"1")
    running = asyncio.create_task(player.run())
    await asyncio.wait_for(playing.wait(), 60)
    running.cancel()
    await asyncio.wait([running], timeout=60)
    assert running.cancelled()


async def test_the_tone_follows_what_waits_and_not_a_frame_of_it_follows_who_is_heard_again(player: Player):
    heard: list[bytes] = []
    player.supervisor.hold_tone = True
    player.supervisor.on_audio(heard.append)
    for data in (b"1", b"2"):
        player.take(data)
    player.hold(True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(player.run())
        await count(heard, 5)
        player.hold(False)
        had = len(heard)
        player.take(b"3")
        await count(heard, had + 1)
        player.hold(True)
        await count(heard, had + 3)
        player.close()
    tone = [frame(Codec.PCMU, n) for n in range(had - 2)]
    assert heard[: had + 3] == [b"1", b"2", *tone, b"3", frame(Codec.PCMU, 0), frame(Codec.PCMU, 1)]


async def test_a_tone_that_is_asked_for_while_they_are_lost_begins(player: Player):
    heard: list[bytes] = []
    player.supervisor.on_audio(heard.append)
    player.hold(True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(player.run())
        await asyncio.sleep(0)  # it rests
        player.supervisor.hold_tone = True
        await count(heard, 2)
        player.close()
    assert heard[:2] == [frame(Codec.PCMU, 0), frame(Codec.PCMU, 1)]


async def test_frames_wait_for_a_bot_that_has_not_set_its_hook_yet(player: Player):
    heard: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(player.run())
        player.take(b"1")
        await asyncio.sleep(0)  # it looks, and finds no hook
        player.supervisor.on_audio(heard.append)
        player.take(b"2")
        await count(heard, 2)
        player.close()
    assert heard == [b"1", b"2"]


async def test_once_closed_not_a_frame_more_is_handed_over(player: Player):
    heard: list[bytes] = []
    playing, done = asyncio.Event(), asyncio.Event()

    @player.supervisor.on_audio
    async def play(data: bytes) -> None:
        heard.append(data)
        playing.set()
        await done.wait()

    for data in (b"1", b"2"):
        player.take(data)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(player.run())
        await asyncio.wait_for(playing.wait(), 60)
        player.close()
        player.take(b"3")
        done.set()
    assert heard == [b"1"]
