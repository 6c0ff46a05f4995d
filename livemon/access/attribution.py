"""Which workspace a way in belongs to that was refused, so that its Admins alone read of it in the audit log.

Whoever was refused is told nothing of it. While the store is away nobody knows, and nothing waits for it.
"""

from dataclasses import replace

import structlog
from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from livemon.store.audit.acts import Act
from livemon.store.errors import StoreError
from livemon.store.store import Store
from livemon.store.tables import Invitation, Membership, SignInLink, User, Workspace

from .links import id_of

TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


async def by_link(store: Store, act: Act, token: str) -> Act:
    """The act as one of the workspace that the sign-in link was for, used or expired, and about whom it was to let in."""
    query = (
        select(Workspace.slug, User.name)
        .join(SignInLink, col(SignInLink.workspace_id) == col(Workspace.id))
        .join(User, col(User.id) == col(SignInLink.user_id))
        .where(col(SignInLink.id) == id_of(token))
    )
    for slug, name in await _found(store, query):
        return replace(act, workspace=slug, subject=name)
    return act


async def by_invitation(store: Store, act: Act, invitation_id: str) -> Act:
    """The act as one of the workspace that the invitation was for, be it over or not, and about whom it has invited."""
    query = (
        select(Workspace.slug, Invitation.name)
        .join(Invitation, col(Invitation.workspace_id) == col(Workspace.id))
        .where(col(Invitation.id) == invitation_id)
    )
    for slug, name in await _found(store, query):
        return replace(act, workspace=slug, subject=act.subject or name)
    return act


async def by_provider(store: Store, act: Act, workspace: str) -> Act:
    """The act as one of the provider's `workspace` (a slug), or of the one to which the person belongs who is its subject (a
    `User.key`). Who belongs to several others is not named in the provider's."""
    query = (
        select(Workspace.slug, User.name)
        .join(Membership, col(Membership.workspace_id) == col(Workspace.id))
        .join(User, col(User.id) == col(Membership.user_id))
        .where(col(User.key) == act.subject)
    )
    belongs = [slug for slug, _ in await _found(store, query)] if act.subject else []
    if not belongs or workspace in belongs:
        return replace(act, workspace=workspace)
    return replace(act, workspace=belongs[0]) if len(belongs) == 1 else replace(act, workspace=workspace, subject="")


async def _found(store: Store, query: Select[str, str]) -> list[tuple[str, str]]:
    try:
        async with store.session(timeout=TIMEOUT_S) as session:
            return list((await session.exec(query)).all())
    except StoreError as error:
        _log.warning("it is not known to which workspace a refused sign-in belongs", why=str(error))
        return []
