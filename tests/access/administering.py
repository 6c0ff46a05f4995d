"""Admins of the tests': somebody who is signed in, and means to change something."""

from collections.abc import Awaitable, Callable

from sqlmodel import col, select

from livemon.access import members
from livemon.access.administration import Administration
from livemon.access.oidc.provenance import Provenance
from livemon.access.roles import Role
from livemon.access.sessions import Sessions
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon.store.tables import AuditEntry, Membership, User, Workspace

Administrator = Callable[..., Awaitable[Administration]]


def by_link(_key: str) -> Provenance:
    """Nobody comes by a provider."""
    return Provenance()


async def admin_of(
    store: Store, audit: AuditLog, now, name: str, *, role: Role = Role.ADMIN, workspace: str = "default"
) -> Administration:
    """Somebody who is signed in, in this role."""
    user_id = await members.find_or_create(store, name)
    await members.set_role(store, user_id, workspace, role)
    sessions = Sessions(store, now=now)
    person = await sessions.find(await sessions.open(user_id, workspace, device="Firefox", address="192.0.2.7"))
    assert person is not None
    return Administration(store, audit, person, "192.0.2.7", now)


async def make_workspace(store: Store, slug: str) -> str:
    async with store.session() as session:
        session.add(Workspace(id=f"id of {slug}", slug=slug, name=slug.title(), created_at=0))
        await session.commit()
    return slug


async def roles_of(store: Store, workspace: str = "default") -> dict[str, str]:
    """By name."""
    query = (
        select(User.name, Membership.role)
        .join(Membership, col(Membership.user_id) == col(User.id))
        .join(Workspace, col(Workspace.id) == col(Membership.workspace_id))
        .where(col(Workspace.slug) == workspace)
    )
    async with store.session() as session:
        return {name: role for name, role in (await session.exec(query)).all()}


async def entries(store: Store) -> list[AuditEntry]:
    """Of the audit log, but for the one that says that it begins."""
    async with store.session() as session:
        found = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))).all()
    return [entry for entry in found if entry.action != "begun"]
