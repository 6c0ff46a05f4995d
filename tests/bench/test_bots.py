"""The stopwatch of `livemon bench sdk`: what it counts as waiting, and what it leaves out."""

import gc
import time
from collections.abc import Iterator

import pytest

from livemon.bench.bots import Stopwatch


@pytest.fixture
def stopwatch() -> Iterator[Stopwatch]:
    callbacks = list(gc.callbacks)
    yield Stopwatch()
    gc.callbacks[:] = callbacks


def test_a_call_that_waits_is_counted_with_the_time_that_it_took(stopwatch: Stopwatch) -> None:
    stopwatch.run("end", time.sleep, 0.02)
    timing = stopwatch.timings()["end"]
    assert (timing.calls, timing.waited, timing.left_out) == (1, 1, 0)
    assert timing.longest_ms >= 20


def test_a_call_in_which_python_collects_garbage_is_left_out(stopwatch: Stopwatch) -> None:
    stopwatch.run("end", time.sleep, 0.001)
    for _ in range(50):  # one that waits as well, for another thread of this process, counts as one that waits
        stopwatch.run("end", gc.collect, 0)
    timing = stopwatch.timings()["end"]
    assert timing.left_out
    assert timing.calls + timing.left_out == 51


def test_a_call_gets_its_arguments_and_its_answer_comes_back(stopwatch: Stopwatch) -> None:
    assert stopwatch.run("max", max, 2, 3) == 3
