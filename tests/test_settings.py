"""Settings: nothing has to be set, what is wrong is named, and what the documents name is what there is."""

import os
import re
from pathlib import Path

import pytest

from livemon.access.oidc.provider_settings import known_variables
from livemon.access.roles import Right, Role
from livemon.gateway_settings import GatewaySettings
from livemon.settings import Settings, SettingsError

ROOT = Path(__file__).parents[1]
LATER = {"LIVEMON_UDP_PORT", "LIVEMON_PUBLIC_IP", "LIVEMON_TAKEOVER_GRACE"}
"""Named in the architecture and the protocol for what comes in a later version."""


@pytest.fixture(autouse=True)
def bare_folder(tmp_path, monkeypatch):
    """A folder without .env, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("LIVEMON_")]:
        monkeypatch.delenv(name)
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
        ("LIVEMON_TAKEOVER_GRACE", "1", "a number of seconds from 5 to 3600 is needed"),
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


PROVIDER = {"LIVEMON_OIDC__MAIN__ISSUER": "https://id.example.com/", "LIVEMON_OIDC__MAIN__CLIENT_ID": "livemon"}


def test_several_providers_stand_side_by_side_in_the_environment_and_in_a_file(bare_folder, monkeypatch):
    (bare_folder / ".env").write_text(
        "LIVEMON_OIDC__GOOGLE__ISSUER=https://accounts.google.com\n"
        "LIVEMON_OIDC__GOOGLE__CLIENT_ID=1234\n"
        "LIVEMON_OIDC__GOOGLE__DOMAINS=@Example.com, example.org\n"
    )
    for name, value in PROVIDER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LIVEMON_OIDC__MAIN__CLIENT_SECRET", "it's secret")
    monkeypatch.setenv("LIVEMON_OIDC__MAIN__ADMINS", "a, b")
    monkeypatch.setenv("LIVEMON_OIDC__MAIN__DEVELOPERS", '["cn=makers,ou=groups", "c"]')
    found = Settings.read().oidc
    assert set(found) == {"google", "main"}
    assert found["google"].domains == ("example.com", "example.org")
    assert (found["main"].admins, found["main"].developers) == (("a", "b"), ("cn=makers,ou=groups", "c"))
    assert (found["main"].algorithms, found["main"].unmapped) == (("RS256",), "member")
    assert found["main"].client_secret.get_secret_value() == "it's secret"
    assert "secret" not in str(found).replace("client_secret", "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MAIN__ISSUER", "http://id.example.com", "an address like https://id.example.com/realms/main is needed"),
        ("MAIN__ISSUER", "https://u:secret@id.example.com", "an address like https://id.example.com"),
        ("MAIN__ISSUER", "https://id.example.com?secret", "an address like https://id.example.com"),
        ("MAIN__ISSUER", "https://[", "an address like https://id.example.com"),
        ("MAIN__ISSUER", "https://login.microsoftonline.com/common/v2.0", "name your own tenant"),
        ("MAIN__CLIENT_ID", "", "it is needed for this provider"),
        ("MAIN__ADMINS", "[secret", "it begins like a list, and is none"),
        ("MAIN__ADMINS", '["a", 7]', "valid string"),
        ("MAIN__ALGORITHMS", "none", "one or more of RS256"),
        ("MAIN__ALGORITHMS", "RS256, HS256", "one or more of RS256"),
        ("MAIN__ALGORITHMS", "[]", "one or more of RS256"),
        ("MAIN__UNMAPPED", "secret", "'member' or 'refuse'"),
        ("MAIN__SCOPES", "profile", "SCOPES must have openid among them"),
        ("MAIN__TRUST_EMAILS", "secret", "boolean"),
        ("MAIN__CLIENT_SECERT", "secret", "there is no such setting; there are ISSUER, CLIENT_ID, CLIENT_SECRET"),
        ("OTHER__CLIENT_ID", "livemon", "it is needed for this provider"),
        ("LINK__ISSUER", "https://id.example.com", "and not 'link'"),
        ("A/B__ISSUER", "https://id.example.com", "becomes part of an address"),
        ("ISSUER", "https://id.example.com", "write LIVEMON_OIDC__<NAME>__ISSUER"),
    ],
)
def test_a_provider_that_cannot_be_used_is_told_with_its_variable_and_not_repeated(monkeypatch, name, value, says):
    for known, good in PROVIDER.items():
        monkeypatch.setenv(known, good)
    text = refused(monkeypatch, **{f"LIVEMON_OIDC__{name}": value})
    assert "LIVEMON_OIDC" in text
    assert says in text
    assert "secret" not in text.replace("CLIENT_SECRET", "")


@pytest.mark.parametrize(
    "issuer",
    ["http://localhost:8090", "http://127.0.0.1:1/realms/x", "https://auth.example.com/application/o/livemon/"],
)
def test_an_issuer_is_taken_as_it_is_written(monkeypatch, issuer):
    monkeypatch.setenv("LIVEMON_OIDC__MAIN__ISSUER", issuer)
    monkeypatch.setenv("LIVEMON_OIDC__MAIN__CLIENT_ID", "livemon")
    assert Settings.read().oidc["main"].issuer == issuer


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


def test_a_role_has_the_rights_that_are_set_and_an_admin_all(monkeypatch):
    monkeypatch.setenv("LIVEMON_DEVELOPER_RIGHTS", "watch, read")
    monkeypatch.setenv("LIVEMON_MEMBER_RIGHTS", "watch")
    rights = Settings.read().rights
    assert rights[Role.DEVELOPER] == {Right.WATCH, Right.READ}
    assert rights[Role.MEMBER] == {Right.WATCH}
    assert rights[Role.ADMIN] == set(Right)


@pytest.mark.parametrize("value", ["manage", "watch,manage", "read", "secret"])
def test_rights_that_nobody_can_have_are_refused(monkeypatch, value):
    text = refused(monkeypatch, LIVEMON_DEVELOPER_RIGHTS=value)
    assert "LIVEMON_DEVELOPER_RIGHTS: " in text
    assert "watch" in text
    assert "secret" not in text


# --- the documents


def test_the_page_on_sign_in_names_every_setting_of_a_provider():
    page = (ROOT / "docs" / "sign-in.md").read_text()
    assert set(known_variables()) <= set(re.findall(r"`([A-Z_]+)`", page))


def named_in(*files: Path) -> set[str]:
    text = "\n".join(file.read_text() for file in files)
    return set(re.findall(r"LIVEMON_[A-Z]+(?:_[A-Z]+)*", text))


def test_the_readmes_table_names_every_setting_and_no_other():
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `LIVEMON_")]
    named = {name for row in rows for name in re.findall(r"LIVEMON_[A-Z]+(?:_[A-Z]+)*", row.split("|")[1])}
    assert named == {f"LIVEMON_{name.upper()}" for name in Settings.model_fields}


def test_no_document_names_a_setting_that_does_not_exist():
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "runtime/README.md", ROOT / "Dockerfile"]
    named = named_in(*(file for file in files if file.exists()))
    assert named - LATER <= {
        f"LIVEMON_{name.upper()}" for name in {**Settings.model_fields, **GatewaySettings.model_fields}
    }
