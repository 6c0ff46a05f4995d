"""The open engine on real speech: the demo's, as a telephone brings it."""

import asyncio
import os
import signal
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon_runtime.adapters.hearing import EngineClosed, open_engine
from livemon_runtime.adapters.hearing.pocketsphinx import PocketsphinxEngine

from .telephone import FRAME, GENEROUS_S, RATE, Notes, line, silence

WHICH = ("sam", "Wait, which one?")
FINE = ("sam", "No, no, you're doing fine.")


async def test_words_that_were_said_are_understood_partly_while_they_are_spoken_and_then_finally(
    engine: PocketsphinxEngine,
) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    ear.hear(line(*WHICH) + silence(1))
    await notes.until(lambda noted: bool(noted.finals))
    assert {"wait", "which", "one"} <= set(notes.words)
    assert [one.final for one in notes.all[:-1]].count(False) == len(notes.all) - 1 > 1
    assert notes.all[-1].final
    assert "wait" in notes.all[-2].text.split()
    await ear.close()
    assert len(notes.finals) == 1


async def test_utterances_come_in_order_with_the_times_at_which_they_stand_in_the_sound(
    engine: PocketsphinxEngine,
) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    first, second = silence(1) + line(*WHICH), silence(2) + line(*WHICH)
    for at in range(0, len(first), FRAME):
        ear.hear(first[at : at + FRAME])
    await notes.until(lambda noted: bool(noted.all))
    for at in range(0, len(second), FRAME):
        ear.hear(second[at : at + FRAME])
    await ear.close()
    one, two = notes.finals[0], notes.finals[-1]
    length = len(line(*WHICH)) * 1_000 // (2 * RATE)
    assert one.start_ms == pytest.approx(1_000, abs=200)
    assert one.end_ms == pytest.approx(1_000 + length, abs=400)
    assert two.start_ms == pytest.approx(3_000 + length, abs=400)
    assert two.end_ms == pytest.approx(3_000 + 2 * length, abs=400)
    ends = [0, *(one.end_ms for one in notes.finals)]
    assert all(one.start_ms >= before for one, before in zip(notes.finals, ends, strict=False))
    assert all(one.start_ms <= one.end_ms for one in notes.all)


async def test_a_pause_in_the_frames_ends_an_utterance_as_silence_does(engine: PocketsphinxEngine) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    ear.hear(line(*WHICH))
    await notes.until(lambda noted: bool(noted.finals))
    ear.hear(line(*FINE))
    await ear.close()
    assert {"wait", "which"} <= set(notes.finals[0].text.split())
    assert "fine" in notes.finals[-1].text.split()
    assert notes.finals[-1].start_ms >= len(line(*WHICH)) * 1_000 // (2 * RATE)


async def test_two_ears_at_once_do_not_mix_in_one_process_nor_in_two() -> None:
    for processes in (1, 2):
        engine = PocketsphinxEngine(processes=processes)
        ears = [(engine.listen(), Notes(), line(*said)) for said in (WHICH, FINE)]
        for ear, notes, _ in ears:
            ear.heard(notes)
        for at in range(0, max(len(sound) for _, _, sound in ears), FRAME):
            for ear, _, sound in ears:
                ear.hear(sound[at : at + FRAME])
        await asyncio.gather(*(ear.close() for ear, _, _ in ears))
        (_, which, _), (_, fine, _) = ears
        assert {"wait", "which", "one"} <= set(which.words)
        assert {"doing", "fine"} <= set(fine.words)
        assert not {"doing", "fine"} & set(which.words)
        assert not {"wait", "which"} & set(fine.words)
        await engine.close()


async def test_more_voices_than_can_be_followed_at_once_wait_and_are_all_understood() -> None:
    engine = PocketsphinxEngine(processes=1)
    ears = [(engine.listen(), Notes()) for _ in range(5)]
    for ear, notes in ears:
        ear.heard(notes)
        ear.hear(line(*FINE))
    await asyncio.gather(*(ear.close() for ear, _ in ears))
    assert [{"doing", "fine"} <= set(notes.words) for _, notes in ears] == [True] * 5
    await engine.close()


async def test_silence_gives_nothing(engine: PocketsphinxEngine) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    ear.hear(silence(9))
    await ear.close()
    assert notes.all == []


async def test_an_ear_that_heard_nothing_closes_and_closing_again_does_nothing(engine: PocketsphinxEngine) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    await ear.close()
    await ear.close()
    ear.hear(line(*FINE))
    assert notes.all == []


async def test_the_last_words_are_given_at_the_close_and_nothing_after_it(engine: PocketsphinxEngine) -> None:
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    ear.hear(line(*FINE))
    await ear.close()
    there = len(notes.all)
    assert notes.all[-1].final
    other, others = engine.listen(), Notes()
    other.heard(others)
    other.hear(line(*FINE))
    await other.close()
    assert len(notes.all) == there


async def test_bytes_that_are_cut_anywhere_are_the_same_sound(engine: PocketsphinxEngine) -> None:
    whole, cut = (engine.listen(), Notes()), (engine.listen(), Notes())
    for ear, notes in (whole, cut):
        ear.heard(notes)
    sound, at, sizes = line(*FINE), 0, [1, 0, 3, 160, 7, 333, 2]
    whole[0].hear(sound)
    while at < len(sound):
        for size in sizes:
            cut[0].hear(sound[at : at + size])
            at += size
    await asyncio.gather(whole[0].close(), cut[0].close())
    assert cut[1].finals == whole[1].finals


@settings(max_examples=4, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=2_000), max_size=20), min_size=2, max_size=8))
def test_bytes_that_are_no_speech_hurt_nothing(voices: list[list[bytes]]) -> None:
    async def through() -> None:
        engine = PocketsphinxEngine(processes=1)
        ears = [(engine.listen(), chunks) for chunks in voices]
        for ear, chunks in ears:
            for chunk in chunks:
                ear.hear(chunk)
        await asyncio.gather(*(ear.close() for ear, _ in ears))
        assert not engine.counters
        await engine.close()

    asyncio.run(through())


async def test_loud_noise_crashes_nothing_and_the_next_words_are_understood(engine: PocketsphinxEngine) -> None:
    ear, notes = engine.listen(), Notes()
    noise = np.random.default_rng(6).integers(-32_768, 32_767, 3 * RATE).astype("<i2").tobytes()
    ear.heard(notes)
    ear.hear(noise + silence(1) + line(*FINE))
    await ear.close()
    assert {"doing", "fine"} <= set(notes.words)
    assert not engine.counters


async def test_a_killed_worker_is_begun_again_its_ear_goes_on_and_the_others_notice_nothing(
    engine: PocketsphinxEngine,
) -> None:
    ears = [(engine.listen(), Notes()) for _ in range(2)]
    for ear, notes in ears:
        ear.heard(notes)
        ear.hear(line(*FINE))
    (hit, of_hit), (other, of_other) = ears
    await of_hit.until(lambda noted: bool(noted.all))
    async with asyncio.timeout(GENEROUS_S):
        while len(engine.pids) < 2:
            await asyncio.sleep(0.01)
        os.kill(engine.pids[0], signal.SIGKILL)
        while not engine.counters["worker_died"]:
            await asyncio.sleep(0.01)
    assert of_hit.finals
    before = len(of_hit.finals)
    hit.hear(silence(1) + line(*FINE))
    await asyncio.gather(hit.close(), other.close())
    said = " ".join(one.text for one in of_hit.finals[before:])
    assert "fine" in said.split()
    assert of_hit.finals[-1].end_ms > of_hit.finals[0].end_ms
    assert {"doing", "fine"} <= set(of_other.words)
    assert len(of_other.finals) == 1
    assert engine.counters["worker_died"] == 1


async def test_an_engine_that_closes_gives_what_its_ears_have_left_and_leaves_no_process() -> None:
    engine = PocketsphinxEngine(processes=2)
    ears = [(engine.listen(), Notes()) for _ in range(3)]
    for ear, notes in ears:
        ear.heard(notes)
        ear.hear(line(*FINE))
    await ears[0][1].until(lambda noted: bool(noted.all))
    pids = engine.pids
    await engine.close()
    assert [{"doing", "fine"} <= set(notes.words) for _, notes in ears] == [True] * 3
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(EngineClosed):
        engine.listen()
    await engine.close()


async def test_an_on_text_that_raises_is_counted_and_loses_nobody_else_anything(engine: PocketsphinxEngine) -> None:
    def fail(text: str, final: bool, start_ms: int, end_ms: int) -> None:
        raise RuntimeError("no")

    failing, (ear, notes) = engine.listen(), (engine.listen(), Notes())
    failing.heard(fail)
    ear.heard(notes)
    failing.hear(line(*FINE))
    ear.hear(line(*FINE))
    await asyncio.gather(failing.close(), ear.close())
    assert engine.counters["on_text_failed"] >= 1
    assert {"doing", "fine"} <= set(notes.words)


async def test_the_worker_ends_when_the_process_that_began_it_is_killed() -> None:
    code = (
        "import asyncio\n"
        "from livemon_runtime.adapters.hearing.pocketsphinx import PocketsphinxEngine\n"
        "async def main():\n"
        "    engine = PocketsphinxEngine(processes=1)\n"
        "    while not engine.pids: await asyncio.sleep(0.01)\n"
        "    print(engine.pids[0], flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(GENEROUS_S):
        while _lives(worker):
            await asyncio.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_engine_is_opened_by_its_name() -> None:
    engine = open_engine("pocketsphinx")
    ear, notes = engine.listen(), Notes()
    ear.heard(notes)
    ear.hear(line(*FINE))
    await ear.close()
    await engine.close()
    assert {"doing", "fine"} <= set(notes.words)
