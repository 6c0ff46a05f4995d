"""Whatever is done to the log behind livemon's back is found, and where: by somebody who hashes anew, but has no key."""

import os
import shutil
import sqlite3

import pytest
from sqlmodel import col, select

from livemon.store.audit import examination, verification
from livemon.store.audit.chain import entry_hash
from livemon.store.audit.examination import Kind
from livemon.store.audit.log import AuditLog, witness_path
from livemon.store.audit.verification import renew_key, told
from livemon.store.audit.witness import Witness, parse
from livemon.store.store import Store
from livemon.store.tables import AuditEntry
from tests.store.audit.conftest import examine, fill, found


@pytest.fixture
async def full(log: AuditLog) -> AuditLog:
    """Entries 1 to 10."""
    await fill(log, 9)
    return log


async def hash_anew(store: Store, tamper, start: int) -> None:
    """What somebody does who has read how the chain is made: all hashes from `start` on, and the end's, are right again."""
    async with store.session() as session:
        entries = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all()
    previous = ""
    statements = []
    for entry in entries:
        if entry.seq >= start:
            entry.previous = previous or entry.previous
            entry.hash = entry_hash(entry)
            set_to = f"previous = '{entry.previous}', hash = '{entry.hash}'"
            statements.append(f"UPDATE audit_entry SET {set_to} WHERE seq = {entry.seq}")
        previous = entry.hash
    tamper(*statements, f"UPDATE audit_head SET seq = {entries[-1].seq}, hash = '{previous}'")


async def test_a_log_that_nobody_touched_is_whole(store, full, key_path):
    report = await examine(store, key_path)
    assert (report.whole, report.entries, report.gone) == (True, 10, 0)
    assert told(report)[0] == "The audit log is whole: 10 entries."
    assert parse(str(report.end)) == report.end


@pytest.mark.parametrize(
    "change",
    [
        *("person = 'Eve'", "at = at + 1", "action = 'listen '", "outcome = 'done'", "call_id = 'other'", "about = 3"),
        *("address = ''", "workspace = 'w'", "detail = '{\"a\":1}'", "person_id = ''", "subject = 'x'"),
        *("hash = 'x'", "previous = 'x'"),
    ],
)
async def test_a_changed_entry_is_found_and_no_other(store, full, key_path, tamper, change):
    tamper(f"UPDATE audit_entry SET {change} WHERE seq = 5")
    assert found(await examine(store, key_path)) == [(Kind.CHANGED, 5, 5)]


async def test_a_changed_last_entry_is_found(store, full, key_path, tamper):
    tamper("UPDATE audit_entry SET person = 'Eve' WHERE seq = 10")
    assert found(await examine(store, key_path)) == [(Kind.CHANGED, 10, 10)]


async def test_a_changed_seal_is_found(store, full, key_path, tamper):
    tamper("UPDATE audit_entry SET seal = 'x' WHERE seq = 5")
    assert found(await examine(store, key_path)) == [(Kind.FOREIGN, 5, 5)]


async def test_a_changed_entry_is_found_where_the_whole_chain_was_hashed_anew(store, full, key_path, tamper):
    tamper("UPDATE audit_entry SET person = 'Eve' WHERE seq = 5")
    await hash_anew(store, tamper, 5)
    report = await examine(store, key_path)
    assert found(report)[0] == (Kind.FOREIGN, 5, 5)
    assert (Kind.FOREIGN, 4, 4) not in found(report)
    assert Kind.END in {problem.kind for problem in report.problems}


async def test_deleted_entries_are_found(store, full, key_path, tamper):
    tamper("DELETE FROM audit_entry WHERE seq IN (4, 5, 8)")
    assert found(await examine(store, key_path)) == [(Kind.MISSING, 4, 5), (Kind.MISSING, 8, 8)]


async def test_deleted_entries_are_found_at_the_beginning(store, full, key_path, tamper):
    tamper("DELETE FROM audit_entry WHERE seq <= 3")
    assert found(await examine(store, key_path)) == [(Kind.MISSING, 1, 3)]


async def test_a_deleted_entry_is_found_though_the_gap_was_closed(store, full, key_path, tamper):
    tamper("DELETE FROM audit_entry WHERE seq = 5", "UPDATE audit_entry SET seq = seq - 1 WHERE seq > 5")
    report = await examine(store, key_path)
    moved = [(problem.first, problem.other) for problem in report.problems if problem.kind is Kind.MOVED]
    assert moved[0] == (5, 6)
    assert found(report)[-1] == (Kind.TRUNCATED, 10, 10)


async def test_an_inserted_entry_is_found(store, full, key_path, tamper):
    columns = "at, workspace, action, outcome, person_id, person, subject, call_id, address, detail, about"
    tamper(
        "UPDATE audit_entry SET seq = -seq - 1 WHERE seq > 5",
        "UPDATE audit_entry SET seq = -seq WHERE seq < 0",
        f"INSERT INTO audit_entry SELECT 6, {columns}, hash, 'x', 'x' FROM audit_entry WHERE seq = 5",
    )
    await hash_anew(store, tamper, 6)
    report = await examine(store, key_path)
    assert found(report)[0] == (Kind.FOREIGN, 6, 6)
    assert not {problem.first for problem in report.problems} & {1, 2, 3, 4, 5}


@pytest.mark.parametrize("seq", [0, -7, 11])
async def test_an_entry_outside_the_log_is_found(store, full, key_path, tamper, seq):
    columns = "at, workspace, action, outcome, person_id, person, subject, call_id, address, detail, about, previous, hash, seal"
    tamper(f"INSERT INTO audit_entry SELECT {seq}, {columns} FROM audit_entry WHERE seq = 5")
    report = await examine(store, key_path)
    assert {problem.first for problem in report.problems} == {seq}


async def test_reordered_entries_are_found_with_their_places(store, full, key_path, tamper):
    tamper(*(f"UPDATE audit_entry SET seq = {new} WHERE seq = {old}" for old, new in ((4, 99), (7, 4), (99, 7))))
    report = await examine(store, key_path)
    assert [(problem.kind, problem.first, problem.other) for problem in report.problems] == [
        (Kind.MOVED, 4, 7),
        (Kind.MOVED, 7, 4),
    ]
    assert told(report)[0] == "reordered: entry 4 was recorded as number 7"


async def test_entries_cut_off_at_the_end_are_found(store, full, key_path, tamper):
    tamper("DELETE FROM audit_entry WHERE seq > 7")
    assert found(await examine(store, key_path)) == [(Kind.TRUNCATED, 8, 10)]


async def test_entries_cut_off_are_found_though_the_recorded_end_was_changed_too(store, full, key_path, tamper):
    """With the last entry's own seal in place of the end's, which is all that there is to copy."""
    where = "FROM audit_entry WHERE seq = 7"
    tamper(
        "DELETE FROM audit_entry WHERE seq > 7",
        f"UPDATE audit_head SET seq = 7, hash = (SELECT hash {where}), seal = (SELECT seal {where})",
    )
    assert found(await examine(store, key_path)) == [(Kind.END, 7, 7)]


async def test_a_record_of_the_end_that_is_gone_is_found(store, full, key_path, tamper):
    tamper("DELETE FROM audit_head")
    assert found(await examine(store, key_path)) == [(Kind.END, 10, 10)]


async def test_a_log_that_was_emptied_as_if_it_had_never_begun_is_found(store, full, key_path, tamper):
    tamper("DELETE FROM audit_entry", f"UPDATE audit_head SET seq = 0, hash = '{'0' * 64}', key_id = '', seal = ''")
    assert Kind.END in {problem.kind for problem in (await examine(store, key_path)).problems}


# --- a log put back to an older one, whole in itself


async def put_back(store: Store, file, log: AuditLog) -> None:
    """The file as it was; the log goes on meanwhile."""
    await store.close()
    shutil.copy(file, f"{file}.old")
    await store.open()
    await fill(log, 3)
    await log.close()
    await store.close()
    os.replace(f"{file}.old", file)
    for more in ("-wal", "-shm"):
        file.with_name(file.name + more).unlink(missing_ok=True)
    await store.open()


async def test_a_log_put_back_to_an_older_one_is_found_by_the_nodes_witness(store, full, file, key_path):
    await put_back(store, file, full)
    assert found(await examine(store, key_path)) == [(Kind.WITNESS, 11, 13)]


async def test_going_on_after_that_does_not_cover_it_up(store, full, file, key_path):
    await put_back(store, file, full)
    again = AuditLog(store, key_path)
    await again.open()
    await fill(again, 5)
    await again.close()
    assert found(await examine(store, key_path)) == [(Kind.WITNESS, 13, 13)]


async def test_a_witness_that_was_written_down_elsewhere_finds_it_too(store, full, file, key_path):
    await fill(full, 3)
    end = (await examine(store, key_path)).end
    await put_back(store, file, full)
    witness_path(key_path).unlink()
    assert (await examine(store, key_path)).whole is True, "nothing in the file says so"
    forged = Witness(5, "a" * 64)
    assert found(await examine(store, key_path, forged)) == [(Kind.WITNESS, 5, 5)]
    assert (await examine(store, key_path, end)).whole is True, "it was in the copy"
    later = Witness(20, "a" * 64)
    assert found(await examine(store, key_path, later)) == [(Kind.WITNESS, 14, 20)]


@pytest.mark.parametrize(
    "text", ["", "5", "5:abc", f"0:{'a' * 64}", f"-1:{'a' * 64}", f"5:{'A' * 64}", f"5:{'a' * 65}"]
)
def test_what_is_no_witness_is_refused(text):
    with pytest.raises(ValueError, match="livemon audit verify"):
        parse(text)


# --- the key


async def test_without_the_key_the_chain_is_checked_and_the_lack_is_said(store, full, key_path, tamper):
    key_path.unlink()
    assert found(await examine(store, key_path)) == [(Kind.KEY, 0, 0)]
    tamper("UPDATE audit_entry SET person = 'Eve' WHERE seq = 5")
    assert found(await examine(store, key_path)) == [(Kind.KEY, 0, 0), (Kind.CHANGED, 5, 5)]


async def test_with_another_key_it_is_said_once_and_not_of_every_entry(store, full, key_path):
    key_path.write_text("ab" * 32)
    assert found(await examine(store, key_path)) == [(Kind.KEY, 0, 0)]


async def test_a_lost_key_is_renewed_and_what_stood_before_stays_bound(store, full, key_path, tamper):
    key_path.unlink()
    assert await renew_key(store, key_path) is True
    assert await renew_key(store, key_path) is False, "it is the right one now"
    again = AuditLog(store, key_path)
    await again.open()
    await fill(again, 2)
    report = await examine(store, key_path)
    assert (report.whole, report.entries) == (True, 13), report.problems
    tamper("UPDATE audit_entry SET person = 'Eve' WHERE seq = 5")
    assert found(await examine(store, key_path)) == [(Kind.CHANGED, 5, 5)]
    await hash_anew(store, tamper, 5)
    assert (Kind.WITNESS, 10, 10) in found(await examine(store, key_path)), (
        "the new key has sealed where the old one ended"
    )


async def test_a_forged_renewal_is_found(store, full, key_path, tamper):
    """It would take the seals off everything before it."""
    tamper("INSERT INTO audit_checkpoint SELECT 1, 'key', 10, hash, 0, 0, 'x', 'x' FROM audit_entry WHERE seq = 10")
    assert found(await examine(store, key_path)) == [(Kind.CHECKPOINT, 10, 10)]


# --- much of it


async def test_more_findings_than_anybody_reads_are_counted(store, full, key_path, tamper, monkeypatch):
    monkeypatch.setattr(examination, "MAX_PROBLEMS", 3)
    tamper("UPDATE audit_entry SET person = 'Eve' WHERE seq > 2")
    report = await examine(store, key_path)
    assert (len(report.problems), report.unlisted) == (3, 5)
    assert "and 5 more findings" in told(report)


async def test_it_is_read_in_pieces_and_as_it_was_at_one_moment(store, full, other_log, key_path, monkeypatch):
    monkeypatch.setattr(verification, "AT_ONCE", 3)
    look = examination.Examination.see
    appended = []

    def see(self, entry):
        if not appended:  # while it is being read, another process appends
            with sqlite3.connect(store.path) as connection:
                appended.append(connection.execute("UPDATE audit_head SET seq = seq + 1, hash = 'x'").rowcount)
        look(self, entry)

    monkeypatch.setattr(examination.Examination, "see", see)
    report = await examine(store, key_path)
    assert (report.whole, report.entries, appended) == (True, 10, [1])
