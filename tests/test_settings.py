"""Settings: nothing has to be set, what is wrong is named, and what the documents name is what there is."""

import re
from pathlib import Path

import pytest

from livemon.settings import Settings, SettingsError

ROOT = Path(__file__).parents[1]
LATER = {"LIVEMON_UDP_PORT", "LIVEMON_PUBLIC_IP", "LIVEMON_TAKEOVER_GRACE"}
"""Named in the architecture and the protocol for what comes in a later version."""


@pytest.fixture(autouse=True)
def bare_folder(tmp_path, monkeypatch):
    """A folder without .env, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(Settings.model_fields):
        monkeypatch.delenv(f"LIVEMON_{name.upper()}", raising=False)
    return tmp_path


def refused(monkeypatch, **settings: str) -> str:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.read()
    assert caught.value.__cause__ is None  # pydantic's own text repeats the values
    return str(caught.value)


def test_nothing_has_to_be_set(bare_folder):
    settings = Settings.read()
    assert (settings.host, settings.port, settings.url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
    assert settings.redis_url is None
    assert settings.database == f"sqlite+aiosqlite:///{bare_folder}/livemon-data/livemon.db"


def test_a_file_env_is_read_and_the_environment_comes_before_it(bare_folder, monkeypatch):
    (bare_folder / ".env").write_text("LIVEMON_PORT=9000\nLIVEMON_HOST=::1\nOTHER=1\n")
    monkeypatch.setenv("LIVEMON_PORT", "9001")
    assert Settings.read().url == "http://[::1]:9001"


@pytest.mark.parametrize("name", [f"LIVEMON_{name.upper()}" for name in Settings.model_fields])
def test_an_empty_variable_is_as_good_as_none(monkeypatch, name):
    unset = Settings.read()
    monkeypatch.setenv(name, "")
    assert Settings.read() == unset


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LIVEMON_PORT", "0", "a port from 1 to 65535 is needed"),
        ("LIVEMON_PORT", "65536", "a port from 1 to 65535 is needed"),
        ("LIVEMON_PORT", "http", "a port from 1 to 65535 is needed"),
        ("LIVEMON_VALKEY_PORT", "-1", "a port from 1 to 65535 is needed"),
        ("LIVEMON_PUBLIC_URL", "calls.example.com", "an address like https://calls.example.com is needed"),
        ("LIVEMON_PUBLIC_URL", "https://", "an address like https://calls.example.com is needed"),
        (
            "LIVEMON_PUBLIC_URL",
            "https://calls.example.com:99999",
            "an address like https://calls.example.com is needed",
        ),
        ("LIVEMON_PUBLIC_URL", "https://u:secret@calls.example.com", "an address like https://calls.example.com"),
        ("LIVEMON_REDIS_URL", "localhost:6379", "an address like redis://HOST:6379/0 is needed"),
        ("LIVEMON_REDIS_URL", "redis://host:port", "an address like redis://HOST:6379/0 is needed"),
        ("LIVEMON_REDIS_URL", "redis://:secret@host?socket_timeout=never", "not socket_timeout"),
        ("LIVEMON_TLS_CERT", "/no/such/file", "there is no such file"),
        ("LIVEMON_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("LIVEMON_LOG_FORMAT", "xml", "'console' or 'json'"),
    ],
)
def test_a_bad_value_is_told_with_its_variable_and_not_repeated(monkeypatch, name, value, says):
    text = refused(monkeypatch, **{name: value})
    assert f"{name}: " in text
    assert says in text
    assert "secret" not in text


def test_all_that_is_wrong_is_told_at_once(monkeypatch):
    text = refused(monkeypatch, LIVEMON_PORT="0", LIVEMON_LOG_LEVEL="loud")
    assert "LIVEMON_PORT" in text
    assert "LIVEMON_LOG_LEVEL" in text


def test_a_certificate_without_its_key_is_refused(monkeypatch, bare_folder):
    (bare_folder / "cert.pem").touch()
    assert "LIVEMON_TLS_CERT and LIVEMON_TLS_KEY belong together" in refused(monkeypatch, LIVEMON_TLS_CERT="cert.pem")


def test_a_file_env_that_is_no_text_is_named(monkeypatch, bare_folder):
    (bare_folder / ".env").write_bytes(b"LIVEMON_HOST=\xff\xfe\n")
    assert ".env cannot be read" in refused(monkeypatch)


@pytest.mark.parametrize(
    "url", ["redis://localhost", "rediss://:pw@h:1/2?ssl_cert_reqs=none", "unix:///run/valkey.sock?db=1"]
)
def test_what_redis_py_takes_for_an_address_is_taken(monkeypatch, url):
    monkeypatch.setenv("LIVEMON_REDIS_URL", url)
    assert Settings.read().redis_url == url


def test_levels_may_be_written_in_capitals(monkeypatch):
    monkeypatch.setenv("LIVEMON_LOG_LEVEL", "INFO")
    assert Settings.read().log_level == "info"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_everywhere_the_address_to_open_is_this_machines(monkeypatch, host):
    monkeypatch.setenv("LIVEMON_HOST", host)
    assert Settings.read().url == "http://127.0.0.1:8080"


def test_the_public_address_is_what_people_are_told(monkeypatch):
    monkeypatch.setenv("LIVEMON_PUBLIC_URL", "https://calls.example.com/")
    settings = Settings.read()
    assert (settings.url, settings.own_url) == ("https://calls.example.com", "http://127.0.0.1:8080")


# --- the documents


def named_in(*files: Path) -> set[str]:
    text = "\n".join(file.read_text() for file in files)
    return set(re.findall(r"LIVEMON_[A-Z][A-Z_]*[A-Z]", text))


def test_the_readmes_table_names_every_setting_and_no_other():
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `LIVEMON_")]
    named = {name for row in rows for name in re.findall(r"LIVEMON_[A-Z_]+", row.split("|")[1])}
    assert named == {f"LIVEMON_{name.upper()}" for name in Settings.model_fields}


def test_no_document_names_a_setting_that_does_not_exist():
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "runtime/README.md", ROOT / "Dockerfile"]
    named = named_in(*(file for file in files if file.exists()))
    assert named - LATER <= {f"LIVEMON_{name.upper()}" for name in Settings.model_fields}
