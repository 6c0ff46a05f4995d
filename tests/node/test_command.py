"""The command itself: its help, its version, and settings that cannot be used."""

from importlib.metadata import version

import pytest

from tests.certificates import make_certificate


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], ["serve", "demo", "doctor", "sign-in-link", "bench"]),
        (["bench", "--help"], ["list", "transcript", "listen"]),
        (["demo", "--help"], ["--calls"]),
        (["--version"], [f"livemon {version('livemon')}"]),
    ],
)
def test_it_says_what_it_can(own, arguments, says):
    code, said = own.run(*arguments)
    assert code == 0, said
    assert all(word in said for word in says), said
    assert not (own.folder / "data").exists()


@pytest.mark.parametrize("command", [[], ["doctor"], ["sign-in-link"], ["demo"]])
def test_settings_that_cannot_be_used_are_named_and_nothing_is_started(own, command):
    own.settings["LIVEMON_PORT"] = "0"
    code, said = own.run(*command)
    assert (code, "LIVEMON_PORT: a port from 1 to 65535 is needed" in said) == (1, True), said
    assert "Traceback" not in said


def test_a_key_that_does_not_fit_is_named_before_anything_is_started(own, tmp_path):
    pair = make_certificate(tmp_path / "a")
    own.settings |= pair | {"LIVEMON_TLS_KEY": make_certificate(tmp_path / "b")["LIVEMON_TLS_KEY"]}
    code, said = own.run()
    assert (code, "belong to each other" in said) == (1, True), said
    assert "Traceback" not in said
    assert not (own.folder / "data").exists()


def test_a_damaged_database_is_refused_with_words_and_left_as_it_was(own):
    data = own.folder / "data"
    data.mkdir(parents=True)
    (data / "livemon.db").write_text("no database, by far " * 100)
    code, said = own.run()
    assert (code, "is not a SQLite database" in said) == (1, True), said
    assert "Traceback" not in said
    assert (data / "livemon.db").read_text().startswith("no database")
