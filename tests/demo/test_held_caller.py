"""The caller of a taken-over demo call: waits for the supervisor to have spoken, and then answers."""

import struct

from livemon.demo.held_caller import ALONE_FRAMES, PAUSE_FRAMES, SPOKEN_FRAMES, HeldCaller
from livemon.demo.scenario import load_script

SCRIPT = load_script()
LOUD = struct.pack("<160h", *[4_000, -4_000] * 80)
QUIET = struct.pack("<160h", *[20, -20] * 80)


def said(caller: HeldCaller, *frames: bytes) -> list[str]:
    return [line.caller for frame in frames if (line := caller.hear(frame))]


def test_the_caller_answers_once_the_supervisor_has_spoken_and_paused():
    caller = HeldCaller(SCRIPT)
    assert said(caller, *[LOUD] * SPOKEN_FRAMES, *[QUIET] * (PAUSE_FRAMES - 1)) == []
    assert said(caller, QUIET) == [SCRIPT.answers[0].caller]


def test_a_short_pause_is_no_end_of_a_turn():
    caller = HeldCaller(SCRIPT)
    words = [*[LOUD] * 20, *[QUIET] * (PAUSE_FRAMES // 2)]
    assert said(caller, *words * 3) == []


def test_a_cough_is_not_answered():
    caller = HeldCaller(SCRIPT)
    assert said(caller, *[*[LOUD] * (SPOKEN_FRAMES - 1), *[QUIET] * PAUSE_FRAMES] * 3) == []


def test_who_says_nothing_is_asked_whether_anybody_is_there():
    caller = HeldCaller(SCRIPT)
    assert said(caller, *[QUIET] * ALONE_FRAMES) == [SCRIPT.unheard[0].caller]
    assert said(caller, *[QUIET] * ALONE_FRAMES) == [SCRIPT.unheard[0].caller]


def test_the_caller_greets_once_and_never_runs_out_of_words():
    caller = HeldCaller(SCRIPT)
    turn = [*[LOUD] * SPOKEN_FRAMES, *[QUIET] * PAUSE_FRAMES]
    answers = said(caller, *turn * 20)
    assert len(answers) == 20
    assert answers.count(SCRIPT.answers[0].caller) == 1
    assert set(answers) == {line.caller for line in SCRIPT.answers}


def test_no_frame_does_any_harm():
    assert said(HeldCaller(SCRIPT), b"", b"\x01", QUIET[:7]) == []
