"""The one way of writing an entry: within a transaction that has the log's end to itself.

The lock is the head's row: the first statement changes it, so that on any database a second writer, of this process or of
another node, waits until the first has committed, and then goes on from there.
"""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from sqlalchemy import insert
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.tables import AuditEntry, AuditHead

from .acts import Act, clean, clean_detail
from .chain import Said, entry_hash
from .errors import NotRecorded
from .key import AuditKey
from .witness import Witness


@dataclass(frozen=True, slots=True)
class End:
    """Where the log ends: the newest entry's number and hash; `key_id` and `seal` are empty before the first."""

    seq: int
    hash: str
    key_id: str
    seal: str


async def end_of(session: AsyncSession) -> End | None:
    """Where the log ends, as this transaction sees it; None if somebody has removed the record of it."""
    columns = select(AuditHead.seq, AuditHead.hash, AuditHead.key_id, AuditHead.seal)
    found = (await session.exec(columns)).first()
    return End(*found) if found is not None else None


async def lock(session: AsyncSession) -> End:
    """Have the end to oneself until the transaction is over. It must not have read anything before: SQLite would refuse.

    Raises `NotRecorded` if the record of the end is gone.
    """
    await session.exec(update(AuditHead).where(col(AuditHead.id) == 1).values(seq=AuditHead.seq))
    end = await end_of(session)
    if end is None:
        raise NotRecorded("the record of the log's end is missing: run `livemon audit verify`")
    return end


async def append(session: AsyncSession, key: AuditKey, act: Act, *, at: int, about: int | None = None) -> Witness:
    """Write one entry as the newest; `at` in ms, `about` the number of the entry that it follows up.

    It counts once the transaction is committed. Raises `NotRecorded` if the log is sealed with another key.
    """
    end = await lock(session)
    if end.seal and end.key_id != key.id:
        raise NotRecorded("the log is sealed with another key than this node has")
    said = {
        "seq": end.seq + 1,
        "at": at,
        "workspace": clean(act.workspace),
        "action": act.action.value,
        "outcome": act.outcome.value,
        "person_id": clean(act.person_id),
        "person": clean(act.person),
        "subject": clean(act.subject),
        "call_id": clean(act.call_id),
        "address": clean(act.address),
        "detail": json.dumps(clean_detail(act.detail), sort_keys=True, separators=(",", ":")),
        "about": about,
        "previous": end.hash,
    }
    made = entry_hash(cast(Said, SimpleNamespace(**said)))
    await session.exec(insert(AuditEntry).values(**said, hash=made, seal=key.seal_entry(made)))
    await put_end(session, key, Witness(end.seq + 1, made))
    return Witness(end.seq + 1, made)


async def put_end(session: AsyncSession, key: AuditKey, newest: Witness) -> None:
    """Say, sealed, where the log ends."""
    seal = key.seal_head(newest.seq, newest.hash)
    where = col(AuditHead.id) == 1
    await session.exec(
        update(AuditHead).where(where).values(seq=newest.seq, hash=newest.hash, key_id=key.id, seal=seal)
    )
