"""The whole of livemon, its answers of each kind: which headers are on the wire."""

import http.client
import re
from importlib.metadata import version

import pytest

from tests.livemon_process import LivemonProcess

NICEGUI = f"/_nicegui/{version('nicegui')}/static/nicegui.js"
PAGE = {"Accept": "text/html"}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DEAD = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PLAIN = r"default-src 'self'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'"
LIVE = r"default-src 'self'; script-src 'self' 'nonce-[\w-]{24}' 'unsafe-eval'; style-src .*frame-ancestors 'none'"
SIGNED_IN = "signed in"

KINDS = [
    ("GET", "/sign-in", PAGE, 200, PLAIN, "no-store"),
    ("GET", "/live", PAGE, 303, DEAD, "no-store"),
    ("GET", "/live", {}, 401, DEAD, "no-store"),
    ("POST", "/sign-in/link", {"Origin": "http://evil.example"}, 403, DEAD, "no-store"),
    ("GET", "/live", PAGE | {"Cookie": SIGNED_IN}, 200, LIVE, "no-store"),
    ("GET", "/live/no-such-call", PAGE | {"Cookie": SIGNED_IN}, 200, LIVE, "no-store"),
    ("GET", "/nowhere", PAGE | {"Cookie": SIGNED_IN}, 404, rf"{PLAIN}|{LIVE}", "no-store"),
    ("GET", "/assets/nowhere.js", PAGE, 404, PLAIN, "no-store"),
    ("GET", "/assets/nowhere.js", {}, 404, DEAD, "no-store"),
    ("GET", "/assets/theme.js", {}, 200, DEAD, "no-cache"),
    ("GET", "/assets/icons/livemon.svg", {}, 200, DEAD, "no-cache"),
    ("GET", NICEGUI, {}, 200, DEAD, "public, max-age=31536000.*"),
    ("GET", "/healthz", {}, 200, DEAD, "no-store"),
    ("GET", "/metrics", {}, 200, DEAD, "no-store"),
    ("PUT", "/healthz", {"Origin": "OURS"}, 404, DEAD, "no-store"),
]


@pytest.fixture
async def cookie(running: LivemonProcess) -> str:
    return f"livemon_session={await running.cookie('Maya')}"


@pytest.mark.parametrize(("method", "path", "headers", "status", "policy", "kept"), KINDS)
async def test_each_kind_of_answer_says_what_it_should(running, cookie, method, path, headers, status, policy, kept):
    filled = {name: {SIGNED_IN: cookie, "OURS": running.url}.get(value, value) for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.request(method, path, headers=filled)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status
    assert {name: answer.getheader(name) for name in ALWAYS} == ALWAYS
    assert re.fullmatch(policy, answer.getheader("Content-Security-Policy"))
    assert re.fullmatch(kept, answer.getheader("Cache-Control"))
    assert "microphone=(self)" in answer.getheader("Permissions-Policy")
    assert answer.getheader("Strict-Transport-Security") is None
    assert "server" not in answer.headers
