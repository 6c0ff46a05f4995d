"""The workspaces of a deployment, each sealed off from the others: making one, and which of them somebody belongs to."""

import secrets
from dataclasses import dataclass

from sqlmodel import col, func, select

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Workspace
from livemon.store.upsert import insert
from livemon_runtime.keys import check_workspace

from .errors import BadWorkspaceName, TooManyWorkspaces, WorkspaceThere
from .roles import Role

MAX_NAME = 100
MOST = 200
"""Each costs every node some connections to Redis, whether it has calls or not."""

_ROLES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Named:
    """A workspace as people know it, and how many belong to it."""

    slug: str
    name: str
    members: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """A workspace that somebody belongs to, and what they are there."""

    slug: str
    name: str
    role: Role


async def add_workspace(
    store: Store, slug: str, *, name: str = "", audit: AuditLog | None = None, now: Now = utc_now
) -> None:
    """Make a workspace; `name` is for people, the slug if left out. Nobody belongs to it yet.

    Raises `InvalidName`, `BadWorkspaceName`, `WorkspaceThere`, `TooManyWorkspaces`, `StoreError`.
    """
    shown = " ".join((name or check_workspace(slug)).split())
    if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
        raise BadWorkspaceName(MAX_NAME)
    made = {"id": secrets.token_hex(8), "slug": check_workspace(slug), "name": shown, "created_at": to_ms(now())}
    async with store.session() as session:
        there = insert(session, Workspace).values(made).on_conflict_do_nothing(index_elements=["slug"])
        if (await session.exec(there)).rowcount != 1:
            raise WorkspaceThere(slug)
        if (await session.exec(select(func.count(col(Workspace.id))))).one() > MOST:
            raise TooManyWorkspaces(MOST)
        if audit is not None:
            detail = {"reason": "workspace_added"}
            await audit.add(session, Act(Action.SETTING, Outcome.DONE, slug, subject=slug, detail=detail))
        await session.commit()


async def all_workspaces(store: Store) -> list[Named]:
    """Every one, by its slug. Raises `StoreError`."""
    query = (
        select(Workspace.slug, Workspace.name, func.count(col(Membership.user_id)))
        .outerjoin(Membership, col(Membership.workspace_id) == col(Workspace.id))
        .group_by(col(Workspace.slug), col(Workspace.name))
        .order_by(col(Workspace.slug))
    )
    async with store.session() as session:
        return [Named(*found) for found in (await session.exec(query)).all()]


async def workspaces_of(store: Store, user_id: str) -> list[Belonging]:
    """Those that somebody belongs to, by name. Raises `StoreError`."""
    query = (
        select(Workspace.slug, Workspace.name, Membership.role)
        .join(Membership, col(Membership.workspace_id) == col(Workspace.id))
        .where(col(Membership.user_id) == user_id)
        .order_by(func.lower(Workspace.name), col(Workspace.slug))
    )
    async with store.session() as session:
        found = (await session.exec(query)).all()
    return [Belonging(slug, name, Role(role)) for slug, name, role in found if role in _ROLES]
