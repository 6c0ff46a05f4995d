"""The texts: each that is asked for exists, and each that exists is asked for."""

import re
from pathlib import Path

import pytest

from livemon.texts import TEXTS, say

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("components", "pages", "livemon")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.name != "texts.py"
]
CODE = "\n".join(path.read_text() for path in SOURCES if path.suffix in {".py", ".js", ".html"})


def test_every_text_that_is_named_exists() -> None:
    named = set(
        re.findall(
            r"""texts\[["'`]([\w.]+)["'`]\]|\bsay\(["']([\w.]+)["']|\btext\(\w+(?:\.\w+)?, ["']([\w.]+)["']""", CODE
        )
    )
    keys = {key for found in named for key in found if key and not key.endswith(".")}
    plurals = {key for key in TEXTS if key.endswith(".other")}
    assert keys - TEXTS.keys() - {key.removesuffix(".other") for key in plurals} == set()


def test_no_text_is_left_over() -> None:
    """A key stands in the code whole, or begins with what the code puts it together from."""
    words = {word for found in set(re.findall(r"[\w.]+", CODE)) for word in _beginnings(found)}
    stems = {stem for stem in re.findall(r"""["'`]([\w.]+\.)(?:["'`]|\$\{|\{)""", CODE)}
    unused = []
    for key in TEXTS:
        whole = key.removesuffix(".one").removesuffix(".other")
        if whole not in words and not any(key.startswith(stem) for stem in stems):
            unused.append(key)
    assert unused == []


def _beginnings(word: str) -> list[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return [word[: dot.start()] for dot in re.finditer(r"\.|$", word)]


def test_a_plural_has_both_its_forms() -> None:
    for key in TEXTS:
        if key.endswith(".one"):
            assert key.removesuffix("one") + "other" in TEXTS


def test_an_unknown_key_is_an_error_not_an_empty_page() -> None:
    with pytest.raises(KeyError, match=r"no\.such"):
        say("no.such")


def test_values_are_put_in() -> None:
    assert say("connection.since", time="14:02") == "since 14:02"
