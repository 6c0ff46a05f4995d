"""Texts in the languages of the lines to copy: what each language reads is the text that went in."""

import ast
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.connect.quoting import javascript, python, shell

NASTY = [
    "",
    "plain",
    "it's",
    'say "hi"',
    "$HOME `id` $(id) !!",
    "a b\tc\nd",
    "back\\slash\\",
    "Žluťoučký 电话 🎧",
    "-n",
    "#",
    "\u2028",
]


@given(st.text())
def test_python_reads_back_what_was_written(text: str):
    written = python(text)
    assert ast.literal_eval(written) == text or not text.isprintable()
    assert json.loads(written) == text
    assert "\n" not in written


@pytest.mark.parametrize("text", NASTY)
def test_python_the_shell_and_node_read_back_what_is_nasty(text: str):
    assert ast.literal_eval(python(text)) == text
    said = subprocess.run(["sh", "-c", f"printf %s {shell(text)}"], capture_output=True, check=True).stdout
    assert said.decode() == text
    script = f"process.stdout.write({javascript(text)})"
    assert subprocess.run(["node", "-e", script], capture_output=True, check=True).stdout.decode() == text


def test_what_no_shell_can_be_told_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        shell("a\0b")
