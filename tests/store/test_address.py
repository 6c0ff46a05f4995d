"""Which addresses of a database livemon takes, and the words for those that it does not."""

import ssl

import pytest

from livemon.store.address import read_address
from livemon.store.errors import UnusableDatabase
from livemon.store.store import Store


@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite+aiosqlite:///{}"])
async def test_both_forms_of_an_address_name_the_same_file(form, tmp_path):
    store = Store(form.format(tmp_path / "with space % and ö.db"))
    await store.open()
    await store.close()
    assert (tmp_path / "with space % and ö.db").exists()


def test_a_relative_file_is_beneath_the_folder_of_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///mine.db")
    monkeypatch.chdir("/")
    assert store.path == tmp_path / "mine.db"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("mysql://ada:secret@db/livemon", "mysql databases are not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite+aiosqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x.db", "needs a file"),
        ("sqlite:///x.db?mode=ro", "after a question mark"),
        ("postgresql+psycopg://ada:secret@db/livemon", "psycopg databases are not supported"),
        ("postgresql://ada:top@secret@db/livemon", "@ is %40"),
        ("postgresql://ada:top@secret:secret/7@db/livemon", "/ is written %2F"),
        ("postgresql://ada:secret@db/livemon?ssl=maybe", "ssl is one of disable, prefer, require"),
        ("postgresql://ada:secret@db/livemon?timeout=5", "and not timeout"),
        ("postgresql://ada:secret@db/livemon?sslrootcert=/no/such/file", "sslrootcert is no file"),
        ("sqlite+pysqlcipher:///x.db", "not supported"),
        ("livemon.db", "not the address of a database"),
        ("", "not the address of a database"),
    ],
)
def test_another_address_is_refused_with_what_to_do(address, why):
    with pytest.raises(UnusableDatabase, match=why) as refused:
        Store(address)
    assert "sqlite+aiosqlite:////var/lib/livemon/livemon.db" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "postgresql://USER:PASSWORD@HOST/DATABASE" in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgres"])
def test_a_server_is_named_in_every_usual_form_and_shown_without_its_password(scheme):
    address = read_address(f"{scheme}://ada:a%2Fb%40c@db.example.com:6432/livemon")
    assert dict(address.arguments) == {
        **{"host": "db.example.com", "port": 6432, "user": "ada", "password": "a/b@c", "database": "livemon"},
        "ssl": "prefer",
    }
    assert str(address) == "livemon at db.example.com:6432"
    assert "a/b" not in repr(address)


def test_a_server_is_reached_by_a_unix_socket_too():
    address = read_address("postgresql://ada@/livemon?host=/run/postgresql")
    assert dict(address.arguments) == {
        **{"host": "/run/postgresql", "port": 5432, "user": "ada", "database": "livemon"},
        "ssl": False,
    }
    assert str(address) == "livemon at /run/postgresql"


@pytest.mark.parametrize("name", ["ssl", "sslmode"])
def test_how_a_servers_certificate_is_looked_at_is_said_as_elsewhere(name):
    def said(mode):
        return read_address(f"postgresql://db/livemon?{name}={mode}").arguments["ssl"]

    assert (said("disable"), said("prefer"), said("require")) == (False, "prefer", "require")
    for mode, checks_name in (("verify-ca", False), ("verify-full", True)):
        context = said(mode)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, checks_name)
