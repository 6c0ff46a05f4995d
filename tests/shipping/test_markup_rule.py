"""The lint rule that keeps a caller's words from becoming markup."""

import subprocess
import sys
from pathlib import Path

import pytest

RULE = Path(__file__).parents[2] / "scripts" / "check_markup.py"


def verdict(tmp_path: Path, name: str, source: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / name
    file.write_text(source)
    return subprocess.run([sys.executable, str(RULE), str(file)], capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.py", "ui.html(words, sanitize=False)"),
        ("page.py", "ui.markdown(\n  words,\n  sanitize=False,\n)"),
        ("page.py", "ui.chat_message(words, text_html=True)"),
        ("page.py", "ui.chat_message(words, text_html=rich)"),
        ("page.py", "ui.notify(words, html=True)"),
        ("turn.js", "el.innerHTML = words"),
        ("turn.js", '<p v-html="words"></p>'),
        ("turn.js", "Quasar.Notify.create({ message: words, html: true })"),
    ],
)
def test_what_shows_words_as_markup_is_refused_and_named(tmp_path: Path, name: str, source: str):
    result = verdict(tmp_path, name, source)
    assert result.returncode == 1, result.stderr
    assert f"{name}:" in result.stdout


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.py", "ui.html(words, sanitize=clean); ui.notify(words, html=False); ui.label(words)"),
        ("turn.js", "el.textContent = words"),
    ],
)
def test_what_shows_words_as_text_passes(tmp_path: Path, name: str, source: str):
    result = verdict(tmp_path, name, source)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_nothing_that_livemon_serves_shows_words_as_markup():
    result = subprocess.run([sys.executable, str(RULE)], capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stdout
