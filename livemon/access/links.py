"""Sign-in links that work once: how the first Admin enters, and whoever an operator lets in.

A link proves who somebody is, and nothing more: the person and their role stand in the store from the moment it is made,
and a role taken away before it is used stays taken away. Only a hash of its token is kept.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, SignInLink, User, Workspace

from .errors import LinkUsed
from .members import lock_user, lock_workspace, put_role, role_of, user_named
from .roles import RANK, Role

FIRST_ADMIN = "Admin"
LIFETIME = timedelta(minutes=15)
KEPT = timedelta(days=30)
"""How long a link that has expired stays in the store."""
MAX_TOKEN = 256


@dataclass(frozen=True, slots=True)
class Entering:
    """Who is about to be let in by a link; `workspace` is its slug."""

    user_id: str
    name: str
    workspace: str


Recording = Callable[[AsyncSession, Entering], Awaitable[None]]
"""Writes into the transaction that uses the link up; what it raises keeps the link good."""


async def make_link(
    store: Store,
    *,
    name: str | None = None,
    role: Role = Role.ADMIN,
    workspace: str = "default",
    ttl: timedelta = LIFETIME,
    audit: AuditLog | None = None,
    now: Now = utc_now,
) -> str:
    """A token (a secret, fit for an address) that signs in the person called `name`, the first Admin if left out.

    Makes them a member of `workspace` in `role`, at once, and has it in the `audit` log, if given. If they are more by it
    than they were, whoever is signed in by that name already is out, everywhere: the name alone does not say that it is the
    person who is meant. Raises `BadName`, `UnknownWorkspace`, `StoreError`.
    """
    token = secrets.token_urlsafe(32)
    moment = now()
    async with store.session() as session:
        workspace_id = await lock_workspace(session, workspace)
        user_id = await user_named(session, FIRST_ADMIN if name is None else name, email="", now_ms=to_ms(moment))
        await lock_user(session, user_id)
        before = await role_of(session, user_id, workspace_id)
        revoked = await put_role(session, user_id, workspace_id, role, now_ms=to_ms(moment))
        if before not in RANK or RANK.index(role) > RANK.index(Role(before)):
            await sign_out_everywhere(session, user_id, audit, reason="link_made", now_ms=to_ms(moment))
        await put_link(session, token, user_id, workspace_id, now=moment, ttl=ttl)
        if audit is not None:
            made = Act(Action.SIGN_IN_LINK, Outcome.DONE, workspace, subject=name or FIRST_ADMIN, detail={"role": role})
            await audit.add(session, made)
            for one in revoked:
                facts = {"reason": "revoked", "role": one.role}
                await audit.add(
                    session, Act(Action.INVITATION, Outcome.DONE, workspace, subject=one.name, detail=facts)
                )
        await session.commit()
    return token


async def sign_out_everywhere(
    session: AsyncSession,
    user_id: str,
    audit: AuditLog | None,
    *,
    reason: str,
    but: str | None = None,
    now_ms: int,
) -> list[str]:
    """End all that somebody has open, in every workspace, and forget the links that would let them in.

    `but` is the id of a session that stays. Gives the ids of those that do not.
    """
    await session.exec(delete(SignInLink).where(col(SignInLink.user_id) == user_id, col(SignInLink.used_at).is_(None)))
    running = (
        col(Session.user_id) == user_id,
        col(Session.ended_at).is_(None),
        *(() if but is None else (col(Session.id) != but,)),
    )
    ending = list((await session.exec(select(Session.id).where(*running))).all())
    by_workspace = (
        select(Workspace.slug, User.name, func.count())
        .join(Session, col(Session.workspace_id) == col(Workspace.id))
        .join(User, col(User.id) == col(Session.user_id))
        .where(*running)
        .group_by(col(Workspace.slug), col(User.name))
    )
    found = (await session.exec(by_workspace)).all()
    await session.exec(update(Session).where(*running).values(ended_at=now_ms, id_token=None))
    if audit is not None:
        for slug, name, ended in found:
            facts = {"reason": reason, "ended": ended}
            await audit.add(session, Act(Action.SESSION_END, Outcome.DONE, slug, subject=name, detail=facts))
    return ending


async def put_link(
    session: AsyncSession, token: str, user_id: str, workspace_id: str, *, now: datetime, ttl: timedelta = LIFETIME
) -> None:
    """Have a token sign somebody in, within a transaction; forgets those that expired long ago."""
    await session.exec(delete(SignInLink).where(col(SignInLink.expires_at) < to_ms(now - KEPT)))
    session.add(
        SignInLink(
            id=id_of(token),
            user_id=user_id,
            workspace_id=workspace_id,
            created_at=to_ms(now),
            expires_at=to_ms(now + ttl),
        )
    )


async def use_link(
    store: Store, token: str, *, recording: Recording | None = None, now: Now = utc_now
) -> tuple[str, str]:
    """Use the link up, and say who may enter: user's id and workspace's slug. Of any number at once one gets them.

    Raises `LinkUsed` for all others, `StoreError`, and whatever `recording` does.
    """
    if not 0 < len(token) <= MAX_TOKEN:
        raise LinkUsed
    moment = to_ms(now())
    link_id = id_of(token)
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
            select(SignInLink.user_id, User.name, Workspace.slug)
            .where(col(SignInLink.id) == link_id)
            .join(User, col(User.id) == col(SignInLink.user_id))
            .join(Workspace, col(Workspace.id) == col(SignInLink.workspace_id))
            .join(
                Membership,
                (col(Membership.user_id) == col(SignInLink.user_id))
                & (col(Membership.workspace_id) == col(SignInLink.workspace_id)),
            )
        )
        found = (await session.exec(whose)).first()
        if found is not None and recording is not None:
            await recording(session, Entering(*found))
        await session.commit()
    if found is None:  # no member any more
        raise LinkUsed
    user_id, _, slug = found
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


def id_of(token: str) -> str:
    """By what the store knows it: a hash."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()
