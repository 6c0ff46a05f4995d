"""Reading sessions: which of them are good at this moment, who is behind each, and which cookies stand for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import to_ms
from livemon.store.tables import Membership, Session, User, Workspace

from .person import Person
from .roles import Rights, Role

IDLE = timedelta(hours=12)
"""After so long without a request a session is over."""
_ROLES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Found:
    """A good session: `last_seen_at` in ms, `cookies` by their hashes."""

    person: Person
    last_seen_at: int
    cookies: tuple[str, ...]


async def read_sessions(
    session: AsyncSession, which: ColumnElement[bool], rights: Rights, now: datetime
) -> dict[str, Found]:
    """Those of the sessions that are good now, by their ids. Role and membership are as they are at this moment."""
    query = (
        select(Session, User, Workspace.slug, Membership.role)
        .where(
            which,
            col(Session.ended_at).is_(None),
            col(Session.expires_at) > to_ms(now),
            col(Session.last_seen_at) > to_ms(now - IDLE),
        )
        .join(User, col(User.id) == col(Session.user_id))
        .join(Workspace, col(Workspace.id) == col(Session.workspace_id))
        .join(
            Membership,
            (col(Membership.user_id) == col(Session.user_id))
            & (col(Membership.workspace_id) == col(Session.workspace_id)),
        )
    )
    rows = (await session.exec(query)).all()
    return {
        found.id: Found(_person(found, user, slug, Role(role), rights), found.last_seen_at, _cookies(found, now))
        for found, user, slug, role in rows
        if role in _ROLES  # one that only a newer version knows lets nobody in
    }


def has_cookie(hashed: str, now: datetime) -> ColumnElement[bool]:
    """Whether a session has this cookie, or had it until a moment ago."""
    former = (col(Session.former_cookie) == hashed) & (col(Session.former_until) > to_ms(now))
    return or_(col(Session.cookie) == hashed, former)


def _cookies(found: Session, now: datetime) -> tuple[str, ...]:
    former_is_good = found.former_until is not None and found.former_until > to_ms(now)
    both = (found.cookie, found.former_cookie if former_is_good else None)
    return tuple(cookie for cookie in both if cookie is not None)


def _person(found: Session, user: User, slug: str, role: Role, rights: Rights) -> Person:
    stale = found.role != role.value
    return Person(user.id, user.name, user.email, role, slug, found.id, rights[role], stale)
