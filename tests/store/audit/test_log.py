"""Entries are appended, one after the other, by however many at once; an act that cannot be recorded is refused."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import col, select

from livemon.access import members
from livemon.access.roles import Role
from livemon.store import sqlite
from livemon.store.audit import log as log_module
from livemon.store.audit.acts import MAX_TEXT, Act, Action, Outcome
from livemon.store.audit.chain import GENESIS, entry_hash
from livemon.store.audit.errors import KeyUnusable, NotRecorded
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import AuditEntry, AuditHead, User
from tests.calls.live_part import running, until
from tests.store.audit.conftest import examine, fill, listening

APPEND = """
import asyncio, sys
from pathlib import Path
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store

async def append():
    store = Store(sys.argv[1])
    await store.open()
    log = AuditLog(store, Path(sys.argv[2]))
    await log.open()
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(log.record(Act(Action.LISTEN, Outcome.ASKED, call_id=f"call-{n}")) for n in range(100)))
    await log.close()
    await store.close()

asyncio.run(append())
"""


async def entries(store: Store) -> list[AuditEntry]:
    async with store.session() as session:
        return list((await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all())


async def test_an_entry_says_who_did_what_to_which_call_when_and_from_where(store, log, clock):
    asked = await log.record(listening(1))
    clock.forward(seconds=90)
    log.note(Act(Action.LISTEN, Outcome.STOPPED, "default", "u1", "Ada", detail={"reason": "asked"}), about=asked)
    await log.close()
    begun, first, second = await entries(store)
    assert (begun.action, begun.seq, begun.previous) == ("begun", 1, GENESIS)
    assert (first.action, first.outcome, first.workspace) == ("listen", "asked", "default")
    assert (first.person_id, first.person, first.call_id, first.address) == ("u1", "Ada", "call-1", "192.0.2.7")
    assert (second.outcome, second.about, second.detail) == ("stopped", first.seq, '{"reason":"asked"}')
    assert second.at - first.at == 90_000


async def test_each_entry_has_the_hash_of_the_one_before(store, log):
    await fill(log, 5)
    before = GENESIS
    for entry in await entries(store):
        assert entry.previous == before
        assert entry.hash == entry_hash(entry)
        before = entry.hash


async def test_two_hundred_entries_at_once_from_two_nodes_are_one_chain(store, log, other_log, key_path):
    logs = (log, other_log)
    noted = await asyncio.gather(*(logs[n % 2].record(listening(n)) for n in range(200)))
    assert sorted(one.seq for one in noted) == list(range(2, 202))
    report = await examine(store, key_path)
    assert (report.whole, report.entries) == (True, 201), report.problems
    assert {entry.call_id for entry in await entries(store)} == {"", *(f"call-{n}" for n in range(200))}


def test_two_processes_that_begin_the_log_at_once_and_append_are_one_chain(url, file, key_path):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", APPEND, url, str(key_path)]
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, err = process.communicate(timeout=180)
        assert process.returncode == 0, err

    async def look():
        store = Store(url)
        await store.open()
        report = await examine(store, key_path)
        await store.close()
        return report

    report = asyncio.run(look())
    assert (report.whole, report.entries) == (True, 201), report.problems


async def test_what_nobody_could_keep_or_show_does_not_get_in(store, log):
    await log.record(
        Act(Action.SETTING, Outcome.DONE, person="A\x00\ud800\n" + "x" * 900, detail={"na\x07me": "y" * 900})
    )
    entry = (await entries(store))[-1]
    assert entry.person == "A\ufffd\ufffd\ufffd" + "x" * (MAX_TEXT - 4)
    assert json.loads(entry.detail) == {"na\ufffdme": "y" * MAX_TEXT}


# --- together with the act


async def test_the_entry_and_the_act_are_both_there_or_neither_is(store, log):
    user_id = await members.find_or_create(store, "Ada")
    change = Act(Action.ROLE, Outcome.DONE, "default", subject="Ada", detail={"role": Role.ADMIN})
    for commits in (False, True):
        async with store.session() as session:
            await members.put_role(session, user_id, "default", Role.ADMIN, now_ms=0)
            await log.add(session, change)
            if commits:
                await session.commit()
    assert [entry.action for entry in await entries(store)] == ["begun", "role"]


# --- what cannot be recorded


async def locked(file: Path) -> sqlite3.Connection:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_a_store_that_takes_no_entry_refuses_the_act_with_words(url, file, key_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    store = Store(url)
    await store.open()
    log = AuditLog(store, key_path)
    await log.open()
    other = await locked(file)
    with pytest.raises(NotRecorded, match="it was not done, and no call is affected"):
        await log.record(listening(1))
    other.execute("ROLLBACK")
    other.close()
    await log.record(listening(2))
    assert [entry.call_id for entry in await entries(store)] == ["", "call-2"]
    await store.close()


async def test_what_is_noted_meanwhile_is_written_once_the_store_is_back_and_in_order(store, log, clock, monkeypatch):
    monkeypatch.setattr(log_module, "RETRY_S", 0.01)
    await store.close()
    asked = log.note(listening(1))
    clock.forward(seconds=5)
    log.note(listening(1, Outcome.DONE), about=asked)
    async with running(log.run()):
        await until(lambda: asked.told)
        assert log.waiting == 2
        await store.open()
        await until(lambda: log.waiting == 0)
    _, first, second = await entries(store)
    assert (first.outcome, second.outcome, second.about) == ("asked", "done", first.seq)
    assert second.at - first.at == 5_000, "when it was done, not when it was written"


async def test_the_memory_for_what_waits_is_bounded(store, log, monkeypatch):
    monkeypatch.setattr(log_module, "MAX_WAITING", 3)
    await store.close()
    for n in range(5):
        log.note(listening(n))
    await store.open()
    await log.close()
    assert [entry.call_id for entry in (await entries(store))[1:]] == ["call-0", "call-1", "call-2"]


async def test_an_entry_about_one_that_was_never_written_is_written_without_it(store, log):
    await store.close()
    with pytest.raises(NotRecorded):
        await log.record(listening(1))
    await store.open()
    log.note(listening(2), about=log_module.Noted(listening(1), 0))
    await log.close()
    assert (await entries(store))[-1].about is None


async def test_people_may_go_and_their_entries_stay(store, log):
    user_id = await members.find_or_create(store, "Ada")
    await log.record(Act(Action.SIGN_IN, Outcome.DONE, "default", user_id, "Ada"))
    async with store.session() as session:
        await session.delete(await session.get(User, user_id))
        await session.commit()
    assert (await entries(store))[-1].person == "Ada"


# --- the key


async def test_the_key_is_for_its_owner_alone_and_stays_the_same(store, log, key_path):
    assert key_path.stat().st_mode & 0o777 == 0o600
    before = key_path.read_text()
    await AuditLog(store, key_path).open()
    assert key_path.read_text() == before
    assert [entry.action for entry in await entries(store)] == ["begun"]


async def test_without_its_key_the_log_is_not_gone_on_with(store, log, key_path):
    secret = key_path.read_text()
    key_path.unlink()
    with pytest.raises(KeyUnusable, match=r"is missing.*copy it from the data folder.*renew-key"):
        await AuditLog(store, key_path).open()
    assert not key_path.exists()
    key_path.write_text("ab" * 32)
    with pytest.raises(KeyUnusable, match="is not the one"):
        await AuditLog(store, key_path).open()
    key_path.write_text("no key")
    with pytest.raises(KeyUnusable, match="not the text that livemon has written"):
        await AuditLog(store, key_path).open()
    key_path.write_text(secret)
    await AuditLog(store, key_path).open()


async def test_a_node_that_has_another_key_writes_nothing(store, log, key_path, tmp_path):
    await fill(log, 1)
    async with store.session() as session:
        head = (await session.exec(select(AuditHead))).one()
        head.key_id = "another"
        session.add(head)
        await session.commit()
    with pytest.raises(NotRecorded):
        await log.record(listening(2))
    assert len(await entries(store)) == 2
