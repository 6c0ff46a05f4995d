"""Who belongs to a workspace, as an Admin sees it: their role, when they were last seen, and their running sessions."""

from dataclasses import dataclass, field

from sqlmodel import col, func, select

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, User, Workspace

from .session_reading import IDLE


@dataclass(frozen=True, slots=True)
class Seen:
    """A session that runs; times in ms."""

    id: str
    device: str
    address: str
    created_at: int
    last_seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """`key` is `User.key`; `last_seen` (ms) that of any of their sessions here that is still known."""

    user_id: str
    key: str
    name: str
    email: str
    role: str
    last_seen: int | None
    sessions: list[Seen] = field(default_factory=list[Seen])


async def members_of(store: Store, workspace: str, *, now: Now = utc_now) -> list[Member]:
    """All of them by name, each with the newest session first. Raises `StoreError`."""
    last_seen = (
        select(func.max(Session.last_seen_at))
        .where(
            col(Session.user_id) == col(Membership.user_id),
            col(Session.workspace_id) == col(Membership.workspace_id),
        )
        .correlate(Membership)
        .scalar_subquery()
    )
    people = (
        select(User, Membership.role, last_seen)
        .join(Membership, col(Membership.user_id) == col(User.id))
        .join(Workspace, col(Workspace.id) == col(Membership.workspace_id))
        .where(col(Workspace.slug) == workspace)
    )
    moment = now()
    running = (
        select(Session)
        .join(Workspace, col(Workspace.id) == col(Session.workspace_id))
        .where(
            col(Workspace.slug) == workspace,
            col(Session.ended_at).is_(None),
            col(Session.expires_at) > to_ms(moment),
            col(Session.last_seen_at) > to_ms(moment - IDLE),
        )
        .order_by(col(Session.last_seen_at).desc())
    )
    async with store.snapshot() as session:
        found = {
            user.id: Member(user.id, user.key, user.name, user.email, role, seen)
            for user, role, seen in (await session.exec(people)).all()
        }
        for each in (await session.exec(running)).all():
            if each.user_id in found:
                times = (each.created_at, each.last_seen_at, each.expires_at)
                found[each.user_id].sessions.append(Seen(each.id, each.device, each.address, *times))
    return sorted(found.values(), key=lambda member: (member.name.casefold(), member.user_id))
