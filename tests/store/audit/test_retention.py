"""Old entries go, day by day, and what is left still verifies; nobody can feign that they went for their age."""

import asyncio

import pytest
from sqlmodel import col, select

from livemon.store.audit import retention
from livemon.store.audit.examination import Kind
from livemon.store.audit.log import AuditLog
from livemon.store.audit.verification import renew_key, told
from livemon.store.tables import AuditCheckpoint, AuditEntry
from tests.store.audit.conftest import examine, fill, found


@pytest.fixture
async def aged(log, clock):
    """Entries 1 to 6 are of the first day, 7 to 9 of ten days later; then 25 days have passed."""
    await fill(log, 5)
    clock.forward(days=10)
    await fill(log, 3)
    clock.forward(days=25)
    return log


async def numbers(store) -> list[int]:
    async with store.session() as session:
        return list((await session.exec(select(AuditEntry.seq).order_by(col(AuditEntry.seq)))).all())


async def test_what_is_older_than_it_may_be_goes_and_the_rest_verifies(store, aged, key_path):
    assert await aged.retain() == 6
    assert await numbers(store) == [7, 8, 9, 10]
    report = await examine(store, key_path)
    assert (report.whole, report.entries, report.gone) == (True, 4, 6)
    assert "from number 7 on" in told(report)[0]
    async with store.session() as session:
        last = (await session.exec(select(AuditEntry).where(AuditEntry.seq == 10))).one()
    assert (last.action, last.detail) == ("retention", '{"count":6,"up_to":6}')
    assert await aged.retain() == 0
    await fill(aged, 2)
    assert (await examine(store, key_path)).whole


async def test_an_entry_is_kept_for_as_long_as_was_said(store, log, clock, key_path):
    await fill(log, 1)
    clock.forward(days=30, hours=14)
    assert await log.retain() == 0, "its day is not over by 30 days"
    clock.forward(hours=2)
    assert await log.retain() == 2


async def test_all_of_them_may_go(store, log, clock, key_path):
    await fill(log, 5)
    clock.forward(days=900)
    assert await log.retain() == 6
    assert await numbers(store) == [7]
    assert (await examine(store, key_path)).whole


async def test_many_go_in_several_steps(store, aged, key_path, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    assert await aged.retain() == 6
    report = await examine(store, key_path)
    assert (report.whole, report.gone) == (True, 6)


async def test_two_nodes_that_remove_at_once_remove_once(store, aged, other_log, key_path):
    assert sorted(await asyncio.gather(aged.retain(), other_log.retain())) == [0, 6]
    assert (await examine(store, key_path)).whole


async def test_an_entry_that_is_late_in_time_does_not_keep_younger_ones_from_staying(store, log, clock, key_path):
    """What waited for the store is written behind what happened after it."""
    await fill(log, 2)
    clock.forward(days=20)
    await fill(log, 1)
    clock.moment = clock.moment.replace(day=4, month=5)
    await fill(log, 1)
    clock.forward(days=31)
    assert await log.retain() == 3
    assert await numbers(store) == [4, 5, 6]


async def test_the_newest_checkpoint_counts_and_the_older_ones_stay_good(store, aged, clock, key_path):
    await aged.retain()
    clock.forward(days=10)
    assert await aged.retain() == 3
    report = await examine(store, key_path)
    assert (report.whole, report.gone) == (True, 9)


# --- feigned


async def test_entries_removed_without_a_checkpoint_are_missing(store, aged, key_path, tamper):
    tamper("DELETE FROM audit_entry WHERE seq <= 6")
    assert found(await examine(store, key_path)) == [(Kind.MISSING, 1, 6)]


async def test_a_forged_checkpoint_is_found_and_explains_nothing(store, aged, key_path, tamper):
    tamper(
        "INSERT INTO audit_checkpoint SELECT 1, 'retention', 6, hash, 6, 0, 'x', seal FROM audit_entry WHERE seq = 6",
        "DELETE FROM audit_entry WHERE seq <= 6",
    )
    report = await examine(store, key_path)
    assert found(report) == [(Kind.MISSING, 1, 6), (Kind.CHECKPOINT, 6, 6)]
    assert "was not written by livemon" in told(report)[1]


@pytest.mark.parametrize("change", ["seq = 8, gone = 8", "gone = 8", "hash = 'x'", "at = 1", "seal = 'x'"])
async def test_a_changed_checkpoint_is_found(store, aged, key_path, tamper, change):
    await aged.retain()
    tamper(f"UPDATE audit_checkpoint SET {change}")
    assert Kind.CHECKPOINT in {problem.kind for problem in (await examine(store, key_path)).problems}


async def test_a_removed_checkpoint_is_found(store, aged, key_path, tamper):
    await aged.retain()
    tamper("DELETE FROM audit_checkpoint")
    assert found(await examine(store, key_path)) == [(Kind.MISSING, 1, 6)]


async def test_an_older_genuine_checkpoint_does_not_stand_in_for_more(store, aged, key_path, tamper):
    await aged.retain()
    tamper("DELETE FROM audit_entry WHERE seq = 7")
    assert found(await examine(store, key_path)) == [(Kind.MISSING, 7, 7)]


async def test_what_was_removed_does_not_come_back(store, aged, key_path, tamper):
    columns = "at, workspace, action, outcome, person_id, person, subject, call_id, address, detail, about, previous, hash, seal"
    await aged.retain()
    tamper(f"INSERT INTO audit_entry SELECT 3, {columns} FROM audit_entry WHERE seq = 8")
    assert found(await examine(store, key_path)) == [(Kind.FOREIGN, 3, 3)]


async def test_checkpoints_of_a_key_that_is_lost_count_as_far_as_the_new_one_vouches(
    store, aged, clock, key_path, tamper
):
    await aged.retain()
    key_path.unlink()
    await renew_key(store, key_path, now=clock)
    assert (await examine(store, key_path)).whole
    again = AuditLog(store, key_path, days=30, now=clock)
    await again.open()
    clock.forward(days=10)
    assert await again.retain() == 3
    report = await examine(store, key_path)
    assert (report.whole, report.gone) == (True, 9), report.problems
    tamper(
        "INSERT INTO audit_checkpoint SELECT 90, 'retention', 10, hash, 10, 0, 'x', 'x' FROM audit_entry WHERE seq = 10",
        "DELETE FROM audit_entry WHERE seq = 10",
    )
    assert found(await examine(store, key_path)) == [(Kind.CHECKPOINT, 10, 10), (Kind.MISSING, 10, 10)]


async def test_checkpoints_are_few(store, aged, clock):
    """One for each day on which something went, however often is looked."""
    for _ in range(5):
        await aged.retain()
        clock.forward(hours=1)
    async with store.session() as session:
        assert len((await session.exec(select(AuditCheckpoint))).all()) == 1
