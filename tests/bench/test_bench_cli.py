"""The benchmarks run, small, against the real thing, and print a figure for everything that they showed."""

import re
import shutil
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


def test_what_a_listener_costs_is_measured_on_packets_that_arrive_from_livemon_and_from_its_rivals():
    said = run("listeners", "--most", "3", "--calls", "2", "--seconds", "2")
    found = re.findall(
        r"^(.+): 3 listeners, ([\d.]+) us a packet, \d+ late and (\d+) lost of (\d+)$", said, re.MULTILINE
    )
    measured = {name: (float(us), int(lost), int(sent)) for name, us, lost, sent in found}
    expected = {"livemon", "aiortc, plainly"} | ({"Janus"} if shutil.which("janus") else set())
    assert measured.keys() == expected, said
    assert ("Janus is left out" in said) == ("Janus" not in expected)
    for us, lost, sent in measured.values():
        assert us > 0, said
        assert sent > 300, "three listeners, two voices, two seconds: 600, on a machine that keeps up"
        assert lost < sent / 10, said


def test_the_sdks_calls_are_measured_with_redis_there_and_stopped():
    said = run("sdk", "--calls", "3", "--seconds", "2", "--rounds", "1", "--stopped", "7")
    assert re.search(r"^what livemon adds +-?[\d.]+% +-?[\d.]+$", said, re.MULTILINE), said
    rows = re.findall(r"^([\w.]+) +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +(\d+) +\d+ +(\d+)$", said, re.MULTILINE)
    counts = {method: int(measured) + int(left_out) for method, measured, left_out in rows}
    assert counts.keys() == {
        *("Runtime.call", "end", "user_turn", "agent_turn", "Turn.partial", "Turn.final"),
        *("tool_call", "tool_result", "caller_audio", "agent_audio"),
    }, said
    assert counts["Runtime.call"] > 3, "a call that ended has a successor"
    assert counts["Turn.partial"] > 50, said
    dropped = re.search(r"What the SDK dropped meanwhile: (.*)\.$", said, re.MULTILINE)
    assert dropped, said
    assert re.search(r"packet_l(ost|ate) \d+", dropped[1]), "the lasting calls are listened to, so their sound was lost"
    assert not re.search(r"call_|entry_|partial_", dropped[1]), said
