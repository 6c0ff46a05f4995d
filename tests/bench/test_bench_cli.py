"""The benchmarks run, small, against the real thing, and print a figure for everything that they showed."""

import re
import subprocess
import sys

import pytest


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "livemon", "bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--calls", "30", "--changes", "20", "--pages", "3", "--seconds", "3"),
        ("transcript", "--turns", "15"),
    ],
    ids=["list", "transcript"],
)
def test_every_probe_is_seen_on_livemons_screen_and_the_rivals(arguments: tuple[str, ...]):
    shown = re.findall(r"(\d+)/(\d+)", run(*arguments))
    assert len(shown) >= 2
    assert all(seen == sent for seen, sent in shown)


def test_a_click_on_live_listen_brings_sound():
    said = run("listen", "--clicks", "2")
    found = re.search(r"^livemon\s+(\d+)\s+(\d+)\s+2$", said, re.MULTILINE)
    assert found, said


def test_a_take_over_is_measured_from_the_microphone_to_both_ears():
    said = run("take-over", "--rounds", "1")
    rows = re.findall(r"^ *(\S.*?) +(\d+) +(\d+) +(\d+)$", said, re.MULTILINE)
    measured = {what: int(times) for what, _, _, times in rows}
    assert measured.pop("mouth -> runtime") >= 4, said
    assert measured.pop("caller -> ear") >= 4, said
    assert len(measured) == 10, said
    assert set(measured.values()) == {1}, said
