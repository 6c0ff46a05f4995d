"""`livemon doctor`: each thing that can be wrong with a setup is found, graded, and comes with what to do."""

import os
import socket
import sqlite3
from datetime import timedelta

import pytest
import redis

from livemon.doctor import examine, report
from livemon.finding import Finding, Grade
from livemon.settings import Settings
from livemon.store.store import Store
from tests.certificates import make_certificate
from tests.conftest import ValkeyProcess, free_port


@pytest.fixture
def given(tmp_path):
    """Settings of a machine on which nothing has been started."""
    return {"port": free_port(), "data_dir": tmp_path / "data"}


async def found(**given) -> dict[Grade, str]:
    findings = await examine(Settings(_env_file=None, **given))
    assert all(each.advice or each.grade is Grade.OK for each in findings), "advice for all that is wrong"
    words = {grade: [f"{each.what} → {each.advice}" for each in findings if each.grade is grade] for grade in Grade}
    return {grade: "\n".join(lines) for grade, lines in words.items()}


async def test_before_the_first_start_there_is_nothing_to_do_and_nothing_is_changed(given, tmp_path):
    said = await found(**given)
    assert (said[Grade.PROBLEM], said[Grade.WARNING]) == ("", "")
    assert "livemon will start its own Valkey" in said[Grade.OK]
    assert "will be made at the first start" in said[Grade.OK]
    assert f"127.0.0.1:{given['port']} is free for it" in said[Grade.OK]
    assert list(tmp_path.iterdir()) == []


async def test_a_port_that_something_else_has_is_a_problem(given):
    with socket.create_server(("127.0.0.1", given["port"])):
        said = await found(**given)
    assert "could not listen there (Address already in use" in said[Grade.PROBLEM]
    assert "LIVEMON_PORT" in said[Grade.PROBLEM]


async def test_a_redis_that_is_away_is_a_problem_and_its_password_is_not_told(given):
    port = free_port()
    said = await found(redis_url=f"redis://:pass-word@127.0.0.1:{port}/0", **given)
    assert f"Redis at 127.0.0.1:{port} does not answer" in said[Grade.PROBLEM]
    assert "pass-word" not in "".join(said.values())


async def test_a_wrong_password_is_a_problem(given, own_valkey: ValkeyProcess):
    client = redis.Redis(port=own_valkey.port)
    client.config_set("requirepass", "right")
    client.close()
    said = await found(redis_url=own_valkey.url.replace("//", "//:pass-word@"), **given)
    assert "invalid username-password pair" in said[Grade.PROBLEM]
    assert "has the right password" in said[Grade.PROBLEM]
    assert "pass-word" not in "".join(said.values())


async def test_a_good_redis_of_ones_own_is_fine(given, valkey_url):
    said = await found(redis_url=valkey_url, **given)
    assert (said[Grade.PROBLEM], said[Grade.WARNING]) == ("", "")
    assert "It evicts nothing" in said[Grade.OK]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://ada:pass-word@db/livemon", "mysql databases are not supported"),
        ("no address", "not the address of a database"),
        (
            "postgresql://ada:pass-word@127.0.0.1:1/livemon",
            "livemon at 127.0.0.1:1 cannot be used (Connection refused)",
        ),
    ],
)
async def test_a_database_that_cannot_be_used_is_a_problem(given, url, says):
    said = await found(database_url=url, **given)
    assert says in said[Grade.PROBLEM]
    assert "pass-word" not in "".join(said.values())


async def test_a_good_postgresql_is_fine_and_is_not_changed(given, postgres, new_database):
    name = new_database()
    for _ in range(2):
        said = await found(database_url=postgres.url(name), **given)
        assert (said[Grade.PROBLEM], said[Grade.WARNING]) == ("", "")
        assert f"The PostgreSQL database {name} at 127.0.0.1:{postgres.port} answers (PostgreSQL " in said[Grade.OK]
        assert "will be given its tables" in said[Grade.OK]
    store = Store(postgres.url(name))
    await store.open()
    await store.close()
    assert "has livemon's tables" in (await found(database_url=postgres.url(name), **given))[Grade.OK]


@pytest.mark.parametrize(
    ("spoil", "says", "do"),
    [
        ("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "may not make tables", "GRANT USAGE, CREATE"),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "may not make tables", "GRANT USAGE, CREATE"),
        ("DROP SCHEMA public", "may not make tables", "GRANT USAGE, CREATE"),
    ],
)
async def test_a_postgresql_that_gives_too_few_rights_is_a_problem(given, postgres, new_database, spoil, says, do):
    name = new_database()
    postgres.sql("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres.sql("GRANT CREATE ON SCHEMA public TO PUBLIC", spoil, database=name)
    said = await found(database_url=postgres.url(name, "poor"), **given)
    assert says in said[Grade.PROBLEM]
    assert do in said[Grade.PROBLEM]


@pytest.mark.parametrize("damage", ["in the middle", "nonsense"])
async def test_a_damaged_database_is_a_problem(given, damage):
    given["data_dir"].mkdir()
    file = given["data_dir"] / "livemon.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE t (words)")
        database.executemany("INSERT INTO t VALUES (?)", [("word " * 200,)] * 200)
    database.close()
    assert f"The database {file} is whole" in (await found(**given))[Grade.OK]
    content = file.read_bytes()
    file.write_bytes(content[:8192] + b"\xff" * 20_000 + content[28_192:] if damage == "in the middle" else b"x" * 999)
    assert f"The database {file} is damaged or cannot be read" in (await found(**given))[Grade.PROBLEM]


async def test_a_data_folder_that_cannot_be_written_is_a_problem(given, monkeypatch):
    given["data_dir"].mkdir(mode=0o500)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != given["data_dir"] and allowed(path, mode))
    assert "cannot be written by this user" in (await found(**given))[Grade.PROBLEM]


async def test_a_certificate_that_has_expired_is_a_problem(given, tmp_path):
    pair = make_certificate(tmp_path / "tls", ends=timedelta(seconds=-1))
    said = await found(tls_cert=pair["LIVEMON_TLS_CERT"], tls_key=pair["LIVEMON_TLS_KEY"], **given)
    assert "has expired" in said[Grade.PROBLEM]


@pytest.mark.parametrize(
    ("more", "secure"),
    [
        ({}, True),
        ({"public_url": "https://calls.example.com"}, True),
        ({"public_url": "http://localhost:9000"}, True),
        ({"public_url": "http://calls.example.com"}, False),
        ({"host": "0.0.0.0"}, False),
    ],
)
async def test_a_page_that_browsers_do_not_take_for_secure_is_a_warning(given, more, secure):
    warning = (await found(**given, **more))[Grade.WARNING]
    assert ("is not secure" not in warning) == secure
    assert secure or "LIVEMON_TLS_CERT" in warning


def test_the_report_says_what_is_wrong_what_to_do_and_how_much_of_it_there_is():
    findings = [
        Finding(Grade.OK, "All is well"),
        Finding(Grade.WARNING, "It smells", "Look."),
        Finding(Grade.PROBLEM, "It burns", "Run."),
    ]
    assert report(findings).splitlines() == [
        "ok       All is well.",
        "warning  It smells.",
        "         → Look.",
        "PROBLEM  It burns.",
        "         → Run.",
        "",
        "1 problem, 1 warning.",
    ]
    assert report(findings[:1]).endswith("\n\nNothing to do.")
