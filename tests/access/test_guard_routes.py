"""Every route of the whole application, NiceGUI's own among them, is closed to strangers unless it is meant to be open."""

import json
import re
import subprocess
import sys

import pytest

OPEN = re.compile(
    r"/(sign-in|sign-in/link|sign-in/x|sign-in/x/callback|sign-in/x/back-channel-logout|join(/look|/accept|/with/x)?)"
    r"|/(healthz|metrics|favicon\.ico|v2/openapi\.json)"
    r"|/assets/.+"
    r"|/_nicegui/\d+\.\d+\.\d+/(static|libraries|components|resources|esm)/.+"
)
"""Said here anew, for the table in the guard to be measured by."""
BY_TOKEN = re.compile(r"/v2/live-audio/.+")
"""Sockets that say who they are in their first message."""


@pytest.fixture(scope="session")
def answers(tmp_path_factory) -> list[dict]:
    command = [sys.executable, "-m", "tests.access.route_walk", str(tmp_path_factory.mktemp("data"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_walk_has_seen_every_part_of_the_application(answers):
    seen = {answer["path"] for answer in answers}
    assert {"/live", "/live/x", "/calls/x/end", "/calls/x/listen", "/listeners/x/stop", "/sign-out"} <= seen
    assert {"/feed/calls", "/feed/calls/x", "/sign-in/link", "/healthz", "/metrics"} <= seen
    assert {"/sign-in/x", "/sign-in/x/callback", "/sign-in/x/back-channel-logout"} <= seen
    assert "/_nicegui_ws/x" in seen
    for part in (r"/_nicegui/[\d.]+/static/x", r"/_nicegui/auto/media/.*", r"/_nicegui/auto/static/.*", "/reports/x"):
        assert any(re.fullmatch(part, path) for path in seen), part
    assert any(re.fullmatch(r"/_nicegui/client/.*/upload/\d+", path) for path in seen)
    assert {answer["kind"] for answer in answers} == {"http", "websocket", "mount"}


def test_no_stranger_gets_an_answer_from_what_is_not_open(answers):
    for answer in answers:
        if not OPEN.fullmatch(answer["path"]):
            assert set(answer["http"].values()) == {401}, answer
            assert answer["socket"] == (1000 if BY_TOKEN.fullmatch(answer["path"]) else 4401), answer


def test_what_is_open_is_open(answers):
    for answer in answers:
        if OPEN.fullmatch(answer["path"]):
            assert 401 not in answer["http"].values(), answer
