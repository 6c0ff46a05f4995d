"""The log on each kind of database: one chain whoever writes, whole as it is read, and whole once its old part is gone."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from livemon.store.audit.examination import Kind
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import AuditCheckpoint, AuditEntry, AuditHead
from tests.store.audit.conftest import Clock, examine, fill, found, listening


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    return tmp_path / "audit.key"


async def test_what_two_nodes_write_at_once_is_one_chain(
    store: Store, log: AuditLog, other_log: AuditLog, key_path: Path
):
    await asyncio.gather(*((log, other_log)[n % 2].record(listening(n)) for n in range(60)))
    report = await examine(store, key_path)
    assert report.whole is True
    assert report.entries == 61


async def test_a_change_and_a_gap_are_found(store: Store, log: AuditLog, key_path: Path):
    await fill(log, 5)
    async with store.session() as session:
        connection = await session.connection()
        if connection.dialect.name == "sqlite":
            for name in (
                await connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            ).scalars():
                await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("audit_entry", "audit_head", "audit_checkpoint"):
                await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        await connection.execute(text("UPDATE audit_entry SET person = 'Mallory' WHERE seq = 3"))
        await connection.execute(text("DELETE FROM audit_entry WHERE seq = 5"))
        await session.commit()
    kinds = {kind for kind, _, _ in found(await examine(store, key_path))}
    assert Kind.CHANGED in kinds
    assert Kind.MISSING in kinds


async def test_what_is_too_old_goes_and_the_rest_is_whole(store: Store, log: AuditLog, key_path: Path, clock: Clock):
    await fill(log, 5)
    clock.forward(days=40)
    await log.retain()
    await fill(log, 3)
    report = await examine(store, key_path)
    assert report.whole is True
    async with store.session() as session:
        rows = (await (await session.connection()).execute(text("SELECT detail FROM audit_entry"))).scalars().all()
    assert len(rows) < 9
    assert all(json.loads(row) is not None for row in rows)


def checkpoint(gone: int) -> AuditCheckpoint:
    return AuditCheckpoint(id=1, reason="x", seq=0, hash="", gone=gone, at=0, key_id="", seal="")


@pytest.mark.parametrize(
    "statement",
    [
        update(AuditEntry).values(person="Eve"),
        delete(AuditEntry),
        delete(AuditCheckpoint),
        update(AuditCheckpoint).values(gone=9),
        delete(AuditHead),
        update(AuditHead).values(seq=1),
    ],
)
async def test_the_database_itself_refuses_to_change_or_remove(store: Store, log: AuditLog, key_path: Path, statement):
    await fill(log, 2)
    async with store.session() as session:
        session.add(checkpoint(0))
        await session.flush()
        with pytest.raises(IntegrityError, match="append-only"):
            await session.exec(statement)
    assert (await examine(store, key_path)).whole


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["audit_entry", "audit_checkpoint", "audit_head"])
async def test_no_table_of_the_log_is_emptied(store: Store, log: AuditLog, key_path: Path, table: str):
    """SQLite has no TRUNCATE."""
    await fill(log, 2)
    async with store.session() as session:
        with pytest.raises(IntegrityError, match="append-only"):
            await (await session.connection()).execute(text(f"TRUNCATE {table}"))
    assert (await examine(store, key_path)).whole


async def test_a_checkpoint_lets_go_what_it_names_and_not_one_more(store: Store, log: AuditLog):
    await fill(log, 4)
    async with store.session() as session:
        session.add(checkpoint(3))
        await session.flush()
        await session.exec(delete(AuditEntry).where(col(AuditEntry.seq) <= 3))
        assert (await session.exec(select(AuditEntry.seq).order_by(col(AuditEntry.seq)))).all() == [4, 5]
        with pytest.raises(IntegrityError, match="append-only"):
            await session.exec(delete(AuditEntry).where(col(AuditEntry.seq) <= 4))
