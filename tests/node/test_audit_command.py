"""`livemon audit`: says whether the log is whole, where it is not, and what to do without its key."""

import re
import sqlite3

import pytest

from livemon.access.links import make_link
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store


def change(process, *statements: str) -> None:
    """Whoever means it drops the guard against slips first."""
    with sqlite3.connect(process.folder / "data" / "livemon.db") as connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_entry_is_never_changed")
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.fixture
async def begun(own):
    """What a first start leaves behind: a log of two entries, without the cost of the start."""
    store = Store(own.database_url)
    await store.open()
    log = AuditLog(store, own.folder / "data" / "audit.key")
    await log.open()
    await make_link(store, audit=log)
    await log.close()
    await store.close()
    return own


def test_a_whole_log_is_said_to_be_so_while_the_server_runs(running):
    code, said = running.run("audit", "verify")
    assert code == 0, said
    assert re.match(r"The audit log is whole: \d+ entries\.\nIts end is \d+:[0-9a-f]{64}\n", said), said


def test_the_end_that_it_has_printed_is_a_witness_for_later(begun):
    end = re.search(r"Its end is (\S+)", begun.run("audit", "verify")[1])[1]
    assert begun.run("sign-in-link", "--name", "Maya")[0] == 0
    code, said = begun.run("audit", "verify", "--witness", end)
    assert code == 0, said
    number, _, digest = end.partition(":")
    other = f"{number}:{digest[::-1]}"
    code, said = begun.run("audit", "verify", "--witness", other)
    assert (code, f"witness: another log was seen before, up to number {number}" in said) == (1, True), said
    code, said = begun.run("audit", "verify", "--witness", "last week")
    assert (code, "a witness is the number and the hash" in said, "Traceback" in said) == (1, True, False), said


def test_tampering_is_said_with_its_place(begun):
    assert begun.run("sign-in-link", "--name", "Maya", "--role", "member")[0] == 0
    change(begun, 'UPDATE audit_entry SET detail = \'{"role":"admin"}\' WHERE seq = 3')
    code, said = begun.run("audit", "verify")
    assert (code, said.splitlines()[0]) == (1, "changed: entry 3 does not say what was recorded"), said
    assert "tampered with, or damaged" in said


def test_links_made_in_the_servers_shell_are_recorded(running):
    """The one that a first start prints, too."""
    assert running.run("sign-in-link", "--name", "Maya In The Log", "--role", "developer")[0] == 0
    with sqlite3.connect(running.folder / "data" / "livemon.db") as connection:
        rows = connection.execute("SELECT action, outcome, person, subject, detail FROM audit_entry ORDER BY seq")
        recorded = rows.fetchall()
    connection.close()
    assert recorded[:2] == [
        ("begun", "done", "", "", "{}"),
        ("sign_in_link", "done", "", "Admin", '{"role":"admin"}'),
    ]
    assert ("sign_in_link", "done", "", "Maya In The Log", '{"role":"developer"}') in recorded


def test_without_its_key_livemon_does_not_start_and_a_new_one_can_be_made(begun):
    key = begun.folder / "data" / "audit.key"
    key.unlink()
    code, said = begun.run()
    assert (code, "audit.key is missing" in said, "Traceback" in said) == (1, True, False), said
    code, said = begun.run("audit", "verify")
    assert (code, "key: the file audit.key is missing" in said) == (1, True), said
    code, said = begun.run("audit", "renew-key")
    assert (code, "sealed with a new key from here on" in said) == (0, True), said
    assert begun.run("audit", "verify")[0] == 0
    code, said = begun.run("audit", "renew-key")
    assert (code, "nothing was changed" in said) == (0, True), said
    code, said = begun.run("sign-in-link")
    assert (code, "token=" in said) == (0, True), said
    assert begun.run("audit", "verify")[0] == 0


@pytest.mark.parametrize("command", ["verify", "renew-key"])
def test_where_no_livemon_has_run_it_says_so_and_makes_nothing(own, command):
    code, said = own.run("audit", command)
    assert (code, "no livemon has run" in said, "Traceback" in said) == (1, True, False), said
    assert not (own.folder / "data").exists()
