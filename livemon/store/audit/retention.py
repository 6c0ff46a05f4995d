"""Removing old entries, so that what is left still verifies: a sealed checkpoint says up to where they are gone.

Whole days (UTC) go at a time. The checkpoint is written first, in the same transaction: in SQLite nothing else lets an
entry be removed.
"""

from datetime import datetime, time, timedelta

from sqlalchemy import insert
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import Now, to_ms
from livemon.store.store import Store
from livemon.store.tables import AuditCheckpoint, AuditEntry

from .acts import Act, Action, Outcome
from .key import AuditKey
from .ledger import append, lock

AT_ONCE = 5_000
"""Entries in one transaction, which everything else has to wait for."""
REASON = "retention"


async def retain(store: Store, key: AuditKey, days: int, *, now: Now) -> int:
    """Remove the entries of the days before the last `days`; how many. Raises `StoreError`."""
    moment = now()
    cut = to_ms(datetime.combine((moment - timedelta(days=days)).date(), time(), moment.tzinfo))
    removed = 0
    while True:
        async with store.session() as session:
            oldest = (await session.exec(select(AuditEntry.at).order_by(col(AuditEntry.seq)).limit(1))).first()
        if oldest is None or oldest >= cut:
            return removed
        count = await _remove(store, key, cut, to_ms(moment))
        if not count:
            return removed
        removed += count


async def _remove(store: Store, key: AuditKey, cut: int, at: int) -> int:
    """One transaction's worth; 0 if another node was faster."""
    async with store.session() as session:
        await lock(session)
        last = await _last_before(session, cut)
        if last is None:
            return 0
        seq, entry_hash = last
        seal = key.seal_checkpoint(REASON, seq, entry_hash, seq, at)
        said = {"reason": REASON, "seq": seq, "hash": entry_hash, "gone": seq, "at": at}
        await session.exec(insert(AuditCheckpoint).values(**said, key_id=key.id, seal=seal))
        count = (await session.exec(delete(AuditEntry).where(col(AuditEntry.seq) <= seq))).rowcount
        act = Act(Action.RETENTION, Outcome.DONE, detail={"count": count, "up_to": seq})
        await append(session, key, act, at=at)
        await session.commit()
    return count


async def _last_before(session: AsyncSession, cut: int) -> tuple[int, str] | None:
    """The newest of the oldest entries that may go: those before the first that has to stay."""
    by_seq = col(AuditEntry.seq)
    first = (await session.exec(select(AuditEntry.seq).order_by(by_seq).limit(1))).first()
    young = select(AuditEntry.seq).where(col(AuditEntry.at) >= cut).order_by(by_seq).limit(1)
    stays = (await session.exec(young)).first()
    if first is None or first == stays:
        return None
    until = first + AT_ONCE if stays is None else min(first + AT_ONCE, stays)
    newest = select(AuditEntry.seq, AuditEntry.hash).where(by_seq < until).order_by(by_seq.desc()).limit(1)
    return (await session.exec(newest)).first()
