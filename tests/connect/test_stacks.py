"""The lines to copy: each is whole in its language, whatever this deployment is called, and holds no secret unasked."""

import ast
import subprocess
from importlib import import_module
from importlib.util import find_spec
from xml.etree import ElementTree

import pytest

from livemon.connect.address import RedisAddress
from livemon.connect.deployment import Deployment
from livemon.connect.stacks import KEY_PLACEHOLDER, Block, stacks

PASSWORD = """p$HOME'"`id`\\\\n äöü 🎧"""
URL = f"redis://agent:{PASSWORD}@redis.example.com:6379/0"


def deployment(url: str = URL, origin: str = "https://calls.example.com/monitor") -> Deployment:
    return Deployment(RedisAddress(url), embedded=False, workspace="night-shift", origin=origin)


def blocks(language: str, **how: str | None) -> list[Block]:
    return [block for stack in stacks(deployment(), **how) for block in stack.blocks if block.language == language]


def strings(block: Block) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(block.lines))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_there_are_the_six_stacks_and_each_has_lines():
    assert [stack.name for stack in stacks(deployment())] == ["pipecat", "livekit", "twilio", "python", "other", "api"]
    assert all(block.lines.endswith("\n") for stack in stacks(deployment()) for block in stack.blocks)


@pytest.mark.parametrize("redis_url", [None, URL])
def test_every_program_compiles_and_names_this_deployment_letter_for_letter(redis_url: str | None):
    shown = redis_url or "redis://agent:PASSWORD@redis.example.com:6379/0"
    programs = blocks("python", redis_url=redis_url)
    assert len(programs) == 4
    for block in programs:
        compile(block.lines, block.name, "exec")
    *agents, api = programs
    for block in agents:
        assert {shown, "night-shift"} <= strings(block)
    assert {"https://calls.example.com/monitor", KEY_PLACEHOLDER} <= strings(api)


def test_every_line_for_the_shell_is_one_and_hands_over_the_address_as_it_is():
    for block in blocks("shell", redis_url=URL):
        assert subprocess.run(["sh", "-n", "-c", block.lines], capture_output=True, check=False).returncode == 0, block
    said = next(block for block in blocks("shell", redis_url=URL) if block.name == "conform").lines.splitlines()[-1]
    done = subprocess.run(
        ["sh", "-c", f'livemon-runtime() {{ printf "%s\\n" "$@"; }}\n{said}'.replace("livemon-runtime", "told")],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[:-1] == ["conform", "--redis", URL, "--workspace", "night-shift"]


def test_every_name_that_they_import_from_the_runtime_is_there():
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block.lines)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("livemon_runtime") and find_spec(module):
                found = import_module(module)
                assert [name.name for name in node.names if not hasattr(found, name.name)] == [], block.name


def test_the_markup_is_whole():
    for block in blocks("xml"):
        assert ElementTree.fromstring(block.lines).tag == "Response"


def test_no_password_is_in_them_unless_it_is_asked_for():
    unasked = "".join(block.lines for stack in stacks(deployment()) for block in stack.blocks)
    assert "agent:PASSWORD@" in unasked
    assert "HOME" not in unasked
    asked = [block.lines for stack in stacks(deployment(), redis_url=URL) for block in stack.blocks]
    assert sum("HOME" in lines for lines in asked) == 6


def test_a_shared_redis_has_no_password_to_be_shown():
    assert deployment().may_be_shown
    assert not deployment("redis://redis.example.com").may_be_shown
    shared = Deployment(RedisAddress(URL), embedded=False, workspace="a", origin="https://x", shared=True)
    assert not shared.may_be_shown
