"""Whom a provider has just signed out: so that no sign-in that was under way then lets them in all the same.

Their rows are also the lock between the two. Whoever opens a session, and whoever ends all that somebody has, changes the
same row first: one of them waits, on any database. Either the session is there to be ended, or it is not opened.
"""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import cast

from sqlmodel import case, col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.tables import ProviderLogout
from livemon.store.upsert import insert

from .attempts import LIFETIME
from .errors import SignedOutMeanwhile

KEPT = LIFETIME + timedelta(minutes=5)
"""For as long as a sign-in may be under way, the provider's answers and clocks that differ included."""


async def note(session: AsyncSession, slug: str, subject: str | None, sid: str | None, *, at: int) -> None:
    """Remember, first thing in the transaction that ends their sessions, that the provider has signed somebody out.

    `sid`: that session alone; without it, all that `subject` has. `at` in ms.
    """
    if subject is None:
        keys = [("sid", sid)]
    elif sid is None:
        keys = [("sub", subject)]
    else:  # a session whose id there is not known may be the one
        keys = [("sub and sid", subject, sid), ("sub without sid", subject)]
    await _put(session, slug, keys, said_at=at, at=at)
    await _forget(session, at)


async def look(session: AsyncSession, slug: str, subject: str, sid: str | None, *, since: int, at: int) -> None:
    """See, first thing in the transaction that opens their session, that it has not happened since `since`.

    Raises `SignedOutMeanwhile`.
    """
    keys = [("sub", subject)]
    keys += [("sub without sid", subject)] if sid is None else [("sid", sid), ("sub and sid", subject, sid)]
    if any(said_at >= since for said_at in await _put(session, slug, keys, said_at=0, at=at)):
        raise SignedOutMeanwhile


async def _put(
    session: AsyncSession, slug: str, keys: Sequence[tuple[str | None, ...]], *, said_at: int, at: int
) -> list[int]:
    """Lock the keys' rows, and say in them when it was said unless it was later; gives what they say then."""
    until = at + int(KEPT.total_seconds() * 1000)
    ids = sorted(_id(slug, *key) for key in keys)  # in one order, so that no two wait for each other
    put = insert(session, ProviderLogout).values([{"id": each, "at": said_at, "expires_at": until} for each in ids])
    kept = {"at": col(ProviderLogout.at), "expires_at": col(ProviderLogout.expires_at)}
    later = {name: case((old > put.excluded[name], old), else_=put.excluded[name]) for name, old in kept.items()}
    put = put.on_conflict_do_update(index_elements=["id"], set_=later).returning(col(ProviderLogout.at))
    rows = cast("Sequence[tuple[int]]", (await session.exec(put)).all())
    return [row[0] for row in rows]


async def _forget(session: AsyncSession, at: int) -> None:
    """Remove what matters no more, and wait for nobody who is at it."""
    old = select(ProviderLogout.id).where(col(ProviderLogout.expires_at) <= at).with_for_update(skip_locked=True)
    await session.exec(delete(ProviderLogout).where(col(ProviderLogout.id).in_(old)))


def _id(slug: str, *what: str | None) -> str:
    said = "\n".join(f"{len(each or '')} {each}" for each in (slug, *what))
    return sha256(said.encode("utf-8", "replace")).hexdigest()
