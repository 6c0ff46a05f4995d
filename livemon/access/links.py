"""Sign-in links that work once: how the first Admin enters, and whoever an operator lets in.

A link proves who somebody is, and nothing more: the person and their role stand in the store from the moment it is made,
and a role taken away before it is used stays taken away. Only a hash of its token is kept.
"""

import secrets
from datetime import timedelta
from hashlib import sha256

from sqlmodel import col, delete, select, update

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, SignInLink, Workspace

from .errors import LinkUsed
from .members import put_role, user_named, workspace_with
from .roles import Role

FIRST_ADMIN = "Admin"
LIFETIME = timedelta(minutes=15)
KEPT = timedelta(days=30)
"""How long a link that has expired stays in the store."""
MAX_TOKEN = 256


async def make_link(
    store: Store,
    *,
    name: str | None = None,
    role: Role = Role.ADMIN,
    workspace: str = "default",
    ttl: timedelta = LIFETIME,
    now: Now = utc_now,
) -> str:
    """A token (a secret, fit for an address) that signs in the person called `name`, the first Admin if left out.

    Makes them a member of `workspace` in `role`, at once. Raises `BadName`, `UnknownWorkspace`, `StoreError`.
    """
    token = secrets.token_urlsafe(32)
    moment = now()
    async with store.session() as session:
        workspace_id = await workspace_with(session, workspace)
        user_id = await user_named(session, FIRST_ADMIN if name is None else name, email="", now_ms=to_ms(moment))
        await put_role(session, user_id, workspace_id, role, now_ms=to_ms(moment))
        await session.exec(delete(SignInLink).where(col(SignInLink.expires_at) < to_ms(moment - KEPT)))
        session.add(
            SignInLink(
                id=_hash(token),
                user_id=user_id,
                workspace_id=workspace_id,
                created_at=to_ms(moment),
                expires_at=to_ms(moment + ttl),
            )
        )
        await session.commit()
    return token


async def use_link(store: Store, token: str, *, now: Now = utc_now) -> tuple[str, str]:
    """Use the link up, and say who may enter: user's id and workspace's slug. Of any number at once one gets them.

    Raises `LinkUsed` for all others, `StoreError`.
    """
    if not 0 < len(token) <= MAX_TOKEN:
        raise LinkUsed
    moment = to_ms(now())
    link_id = _hash(token)
    unused = (
        col(SignInLink.id) == link_id,
        col(SignInLink.used_at).is_(None),
        col(SignInLink.expires_at) > moment,
    )
    async with store.session() as session:
        used = await session.exec(update(SignInLink).where(*unused).values(used_at=moment))
        if used.rowcount != 1:
            raise LinkUsed
        whose = (
            select(SignInLink.user_id, Workspace.slug)
            .where(col(SignInLink.id) == link_id)
            .join(Workspace, col(Workspace.id) == col(SignInLink.workspace_id))
            .join(
                Membership,
                (col(Membership.user_id) == col(SignInLink.user_id))
                & (col(Membership.workspace_id) == col(SignInLink.workspace_id)),
            )
        )
        found = (await session.exec(whose)).first()
        await session.commit()
    if found is None:  # no member any more
        raise LinkUsed
    user_id, slug = found
    return user_id, slug


async def admin_has_signed_in(store: Store) -> bool:
    """Whether some Admin has had a session, so that nobody has to be let in by the first start's link any more."""
    entered = (
        select(Session.id)
        .join(
            Membership,
            (col(Membership.user_id) == col(Session.user_id))
            & (col(Membership.workspace_id) == col(Session.workspace_id)),
        )
        .where(col(Membership.role) == Role.ADMIN.value)
        .limit(1)
    )
    async with store.session() as session:
        return (await session.exec(entered)).first() is not None


def sign_in_url(base: str, token: str) -> str:
    """What a person opens; the token stands behind the `#`, which browsers keep to themselves."""
    return f"{base.rstrip('/')}/sign-in#token={token}"


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()
