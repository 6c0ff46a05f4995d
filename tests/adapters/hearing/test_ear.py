"""One ear beside a worker that is played here: what waits, what is dropped, what is told when the worker goes."""

import asyncio
import time

import pytest

from livemon_runtime.adapters.hearing.ear import MOST_WAITING_S, PocketsphinxEar
from livemon_runtime.adapters.hearing.wire import (
    Closed,
    Kind,
    Request,
    Requests,
    Taken,
    Text,
    decode_reply,
    encode_reply,
)
from livemon_runtime.drops import Drops

from .telephone import FRAME, RATE, Notes


class PlayedWorker:
    def __init__(self, up: bool = True) -> None:
        self.up = up
        self.sent: list[Request] = []

    def send(self, request: Request) -> None:
        if self.up:
            self.sent.append(request)

    def forget(self, number: int) -> None:
        pass

    @property
    def sound(self) -> list[Request]:
        return [one for one in self.sent if one.kind is Kind.SOUND]


def ear_of(worker: PlayedWorker) -> tuple[PocketsphinxEar, Drops, Notes]:
    drops, notes = Drops(time.monotonic), Notes()
    ear = PocketsphinxEar(1, worker, drops, asyncio.get_running_loop())
    ear.heard(notes)
    return ear, drops, notes


async def test_what_waits_is_bounded_and_the_oldest_is_dropped_and_counted() -> None:
    worker = PlayedWorker(up=False)
    ear, drops, _ = ear_of(worker)
    numbered = [number.to_bytes(2, "little") * (FRAME // 2) for number in range(50 * (MOST_WAITING_S + 3))]
    for frame in numbered:
        ear.hear(frame)
    assert drops.counters == {"dropped_ms": 3_000}
    worker.up = True
    ear.begin()
    (listen, first) = worker.sent
    assert (listen.kind, listen.position) == (Kind.LISTEN, 3 * RATE)
    assert first.position == 3 * RATE
    assert first.pcm.startswith(numbered[150])


async def test_one_piece_that_is_larger_than_the_bound_keeps_its_newest_end() -> None:
    ear, drops, _ = ear_of(worker := PlayedWorker(up=False))
    ear.hear(bytes(2 * RATE * 5) + b"\x01\x00" * RATE * MOST_WAITING_S)
    assert drops.counters == {"dropped_ms": 5_000}
    worker.up = True
    ear.begin()
    assert worker.sound[0].pcm[:2] == b"\x01\x00"


async def test_a_worker_that_takes_nothing_has_no_more_than_a_second_of_an_ear() -> None:
    ear, drops, _ = ear_of(worker := PlayedWorker())
    for _ in range(50 * 5):
        ear.hear(bytes(FRAME))
    ear.begin()
    assert sum(len(one.pcm) for one in worker.sound) == 2 * RATE
    ear.take(Taken(1, RATE // 2))
    assert sum(len(one.pcm) for one in worker.sound) == 3 * RATE
    assert [one.position for one in worker.sound] == [0, RATE]
    assert not drops.counters


async def test_a_worker_that_dies_leaves_what_was_shown_as_final_and_what_it_had_is_counted() -> None:
    ear, drops, notes = ear_of(PlayedWorker())
    ear.hear(bytes(RATE))
    ear.begin()
    ear.take(Text(1, "hold the", False, 100, 400))
    ear.lose_worker()
    assert [(one.text, one.final, one.start_ms, one.end_ms) for one in notes.all] == [
        ("hold the", False, 100, 400),
        ("hold the", True, 100, 400),
    ]
    assert drops.counters == {"lost_ms": 500}
    ear.lose_worker()
    assert len(notes.all) == 2


async def test_a_worker_that_does_not_answer_does_not_hold_up_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.adapters.hearing.ear.CLOSE_S", 0.05)
    ear, drops, notes = ear_of(PlayedWorker())
    ear.hear(bytes(RATE))
    ear.take(Text(1, "hold the", False, 100, 400))
    await ear.close()
    assert drops.counters == {"close_late": 1}
    assert notes.all[-1].final
    ear.take(Text(1, "line", True, 100, 800))
    assert notes.all[-1].text == "hold the"


async def test_the_close_ends_when_the_worker_says_so_and_asks_it_once() -> None:
    ear, _, _ = ear_of(worker := PlayedWorker())
    ear.begin()
    ear.hear(bytes(FRAME))
    closing = asyncio.create_task(ear.close())
    await asyncio.sleep(0)
    ear.take(Taken(1, FRAME // 2))
    ear.take(Closed(1))
    await closing
    assert [one.kind for one in worker.sent] == [Kind.LISTEN, Kind.SOUND, Kind.CLOSE]


def test_requests_are_the_same_however_the_bytes_are_cut() -> None:
    sent = [Request(Kind.LISTEN, 7, 5), Request(Kind.SOUND, 7, 5, b"\x01\x02"), Request(Kind.CLOSE, 7)]
    data = b"".join(one.encode() for one in sent)
    for size in (1, 3, 17, len(data)):
        requests = Requests()
        assert [one for at in range(0, len(data), size) for one in requests.feed(data[at : at + size])] == sent


@pytest.mark.parametrize("reply", [Taken(1, 800), Text(1, "né\n", False, 1, 2), Closed(1)])
def test_replies_go_over_the_wire_as_they_are(reply: Taken | Text | Closed) -> None:
    line = encode_reply(reply)
    assert line.count(b"\n") == 1
    assert decode_reply(line) == reply


async def test_a_pause_in_the_frames_is_told_once_and_after_all_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon_runtime.adapters.hearing.ear.GATHER_S", 0.001)
    monkeypatch.setattr("livemon_runtime.adapters.hearing.ear.PAUSE_S", 0.02)
    ear, _, _ = ear_of(worker := PlayedWorker())
    ear.hear(bytes(2 * RATE + FRAME))
    while len(worker.sent) < 2:
        await asyncio.sleep(0.001)
        if worker.sent and len(worker.sound) == 1:
            ear.take(Taken(1, RATE))
    async with asyncio.timeout(60):
        while len(worker.sent) < 3:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert [one.kind for one in worker.sent] == [Kind.SOUND, Kind.SOUND, Kind.PAUSE]


async def test_half_a_sample_waits_for_its_other_half() -> None:
    ear, _, _ = ear_of(worker := PlayedWorker())
    for piece in (b"\x01", b"", b"\x02\x03", b"\x04\x05\x06\x07", b"\x08"):
        ear.hear(piece)
    ear.begin()
    assert b"".join(one.pcm for one in worker.sound) == b"\x01\x02\x03\x04\x05\x06\x07\x08"
