"""Logs: for people or as JSON, without what must not stand in them."""

import json
import subprocess
import sys

SAYS = """
import logging, structlog
from livemon import logs
logs.configure(%r, %r)
log = structlog.get_logger("livemon.test")
log.debug("A detail.")
log.info("Something happened.", calls=3)
logging.getLogger("some.library").warning("A library says %%s", "so")
logging.getLogger("redis.asyncio.connection").debug("a secret")
logging.getLogger("uvicorn.access").warning("GET /?client_id=secret")
logging.getLogger("websockets.client").info("Cookie: secret")
def fail(password):
    raise ValueError("It went wrong")
try:
    fail("a " + "secret")
except ValueError:
    log.exception("A part failed.", part="x")
"""


def said(level: str, form: str) -> list[str]:
    command = [sys.executable, "-c", SAYS % (level, form)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_is_an_object_a_line_with_time_level_and_logger():
    lines = [json.loads(line) for line in said("info", "json")]
    assert [(line["level"], line["logger"], line["event"]) for line in lines] == [
        ("info", "livemon.test", "Something happened."),
        ("warning", "some.library", "A library says so"),
        ("error", "livemon.test", "A part failed."),
    ]
    assert lines[0]["calls"] == 3
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: It went wrong" in lines[2]["exception"]


def test_for_people_a_line_has_no_colours_in_a_file_and_no_variables_in_a_traceback():
    lines = said("debug", "console")
    assert "A detail." in lines[0]
    assert "Something happened." in lines[1]
    assert "calls=3" in lines[1]
    assert "\x1b" not in "".join(lines)
    assert any("ValueError: It went wrong" in line for line in lines)
    assert "secret" not in "\n".join(line for line in lines if "fail(" not in line)


def test_a_level_leaves_out_what_is_below_it():
    events = [json.loads(line)["event"] for line in said("error", "json")]
    assert events == ["A part failed."]


FORGES = """
import logging, structlog
from livemon import logs
logs.configure("info", "console")
structlog.get_logger("livemon.test").info("Dropped.", call_id="a\\n2026-01-01 [info] forged\\x1b[2J\\u202e")
logging.getLogger("some.library").warning("b\\r\\nforged %s", "\\x9b2J\\x07")
"""


def test_what_others_wrote_makes_no_lines_and_says_nothing_to_the_terminal():
    command = [sys.executable, "-c", FORGES]
    done = subprocess.run(command, capture_output=True, timeout=180, check=True)
    lines = done.stderr.decode().removesuffix("\n").split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "forged" in lines[0]
    assert "forged" in lines[1]
