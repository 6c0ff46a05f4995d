"""Invitations: links by which somebody joins a workspace in a role, once, within seven days, unless it is taken back.

Whoever is signed in joins as themselves, anybody else as somebody new, or as somebody who is a member nowhere any more and
whose name the Admin has put into the invitation. Only a hash of the token is kept. Using one up locks the workspace's row
first, as every change of who belongs to it does.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.audit.acts import Action
from livemon.store.audit.log import AuditLog
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Invitation, Membership, Session, SignInLink, User, Workspace

from .administration import Administration
from .errors import (
    AlreadyMember,
    AlreadyUsed,
    InvitationUsed,
    JoinByProvider,
    NameTaken,
    NotHere,
    TooManyInvitations,
    UnknownWorkspace,
)
from .links import sign_out_everywhere
from .member_changes import KnownBy
from .members import as_seen, lock_user, lock_workspace, name_key, put_role, role_of, shown_name
from .roles import RANK, Role

LIFETIME = timedelta(days=7)
KEPT = timedelta(days=30)
"""How long one that nobody has used stays in the store after its end."""
MAX_TOKEN = 256
MOST = 200
"""Open ones of a workspace."""


@dataclass(frozen=True, slots=True)
class Open:
    """One that can still be used, as an Admin sees it; times in ms."""

    id: str
    name: str
    role: str
    created_by: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation is for. `workspace` is the slug, `workspace_name` what people call it."""

    id: str
    workspace_id: str
    workspace: str
    workspace_name: str
    role: Role
    name: str


async def invite(admin: Administration, role: Role, name: str) -> tuple[str, str, datetime]:
    """Id, token (a secret, fit for an address) and end of a new one. `name` is what the Admin calls the invited, or empty.

    Raises `BadName`, `NotAdmin`, `TooManyInvitations`, `StoreError`.
    """
    shown = shown_name(name) if name.strip() else ""
    token = secrets.token_urlsafe(32)
    async with admin.changing() as change:
        over = (col(Invitation.used_at).is_(None), col(Invitation.expires_at) < to_ms(change.now - KEPT))
        await change.session.exec(delete(Invitation).where(*over))
        here = (col(Invitation.workspace_id) == change.workspace_id, *_good(change.now_ms))
        if (await change.session.exec(select(func.count()).select_from(Invitation).where(*here))).one() >= MOST:
            raise TooManyInvitations(MOST)
        change.session.add(
            Invitation(
                id=id_of(token),
                workspace_id=change.workspace_id,
                role=role.value,
                name=shown,
                created_by=admin.person.user_id,
                created_at=change.now_ms,
                expires_at=to_ms(change.now + LIFETIME),
            )
        )
        await change.record(Action.INVITATION, shown, reason="made", role=role.value)
    return id_of(token), token, change.now + LIFETIME


async def revoke(admin: Administration, invitation_id: str) -> None:
    """Take one back; harmless, and not recorded, if it is over already.

    Raises `NotAdmin`, `NotHere` for one of another workspace as for none, `AlreadyUsed`, `StoreError`.
    """
    async with admin.changing() as change:
        found = await change.session.get(Invitation, invitation_id)
        if found is None or found.workspace_id != change.workspace_id:
            raise NotHere("invitation")
        if found.used_at is not None:
            user = await change.session.get(User, found.used_by) if found.used_by else None
            raise AlreadyUsed(user.name if user else found.name, found.name)
        good = (col(Invitation.id) == found.id, *_good(change.now_ms))
        revoked = await change.session.exec(update(Invitation).where(*good).values(revoked_at=change.now_ms))
        if revoked.rowcount == 1:
            await change.record(Action.INVITATION, found.name, reason="revoked", role=found.role)


async def open_invitations(store: Store, workspace: str, *, now: Now = utc_now) -> list[Open]:
    """Those of a workspace (a slug) that can still be used, the newest first. Raises `StoreError`."""
    query = (
        select(Invitation, User.name)
        .join(Workspace, col(Workspace.id) == col(Invitation.workspace_id))
        .outerjoin(User, col(User.id) == col(Invitation.created_by))
        .where(col(Workspace.slug) == workspace, *_good(to_ms(now())))
        .order_by(col(Invitation.created_at).desc(), col(Invitation.id))
    )
    async with store.session() as session:
        found = (await session.exec(query)).all()
    return [Open(one.id, one.name, one.role, by or "", one.created_at, one.expires_at) for one, by in found]


async def look(store: Store, token: str, *, now: Now = utc_now) -> Invited:
    """What the invitation with this token is for, as long as it can be used. Raises `InvitationUsed`, `StoreError`."""
    if not 0 < len(token) <= MAX_TOKEN:
        raise InvitationUsed
    async with store.session() as session:
        return await _find(session, id_of(token), to_ms(now()))


async def use(session: AsyncSession, invitation_id: str, *, now_ms: int) -> Invited:
    """Use one up, first thing in the transaction: of any number at once one does. `used_by` has to follow.

    The transaction has the workspace's row from then on. Raises `InvitationUsed`, `StoreError`.
    """
    found = await _find(session, invitation_id, now_ms)
    try:
        await lock_workspace(session, found.workspace)
    except UnknownWorkspace as error:
        raise InvitationUsed from error
    good = (col(Invitation.id) == invitation_id, *_good(now_ms))
    used = await session.exec(update(Invitation).where(*good).values(used_at=now_ms))
    if used.rowcount != 1:
        raise InvitationUsed
    return found


async def was_used_by(session: AsyncSession, invitation_id: str, user_id: str) -> None:
    """Say who they are, in the transaction that has used it up."""
    await session.exec(update(Invitation).where(col(Invitation.id) == invitation_id).values(used_by=user_id))


async def role_given(session: AsyncSession, user_id: str, workspace_id: str) -> Role | None:
    """The highest role of the invitations with which somebody has joined a workspace; None if they came without."""
    used = (col(Invitation.used_by) == user_id, col(Invitation.workspace_id) == workspace_id)
    roles = (await session.exec(select(Invitation.role).where(*used))).all()
    return max((role for role in RANK if role in roles), key=RANK.index, default=None)


async def comes_back_as(store: Store, invited: Invited, name: str) -> str | None:
    """The id of the person whom the Admin has invited by the very `name` that is given now, and who is known by it.

    None if nobody is, or the Admin has named somebody else. Whether they may come back is for `join` to say. Raises
    `BadName`, `StoreError`.
    """
    key = name_key(shown_name(name))
    if key != name_key(invited.name):
        return None
    async with store.session() as session:
        return (await session.exec(select(User.id).where(col(User.key) == key))).first()


async def join(
    session: AsyncSession, invitation_id: str, name: str, user_id: str, *, now_ms: int
) -> tuple[Invited, str]:
    """Use one up as somebody who is called so; first thing in the transaction. Gives the name as it is from then on.

    `user_id` is a new one, or what `comes_back_as` gave. Raises `InvitationUsed`, `BadName`, `NameTaken`, `StoreError`; then
    it is as good as before.
    """
    shown = shown_name(name)
    invited = await use(session, invitation_id, now_ms=now_ms)
    looks_like = as_seen(shown)  # not the database's `lower`: SQLite's knows ASCII alone
    alike = [user for user in (await session.exec(select(User))).all() if as_seen(user.name) == looks_like]
    if alike:
        shown = await _come_back(session, alike, user_id, shown, invited, now_ms=now_ms)
    else:
        session.add(User(id=user_id, key=name_key(shown), name=shown, created_at=now_ms))
        try:
            await session.flush()
        except IntegrityError as error:
            raise NameTaken(shown) from error
    await put_role(session, user_id, invited.workspace_id, invited.role, now_ms=now_ms)
    await was_used_by(session, invitation_id, user_id)
    return invited, shown


async def _come_back(
    session: AsyncSession, alike: list[User], user_id: str, shown: str, invited: Invited, *, now_ms: int
) -> str:
    """Take up the one person who is called so: whom the Admin has named, and as whom nobody can be signed in.

    Gives their name. Raises `NameTaken` for anybody else, so that nobody becomes somebody by choosing their name.
    """
    (user, *others), key = alike, name_key(shown)
    if others or user.id != user_id or user.key != key or key != name_key(invited.name):
        raise NameTaken(shown)
    await lock_user(session, user_id)
    belongs = (await session.exec(select(Membership.user_id).where(col(Membership.user_id) == user_id))).first()
    running = (col(Session.user_id) == user_id, col(Session.ended_at).is_(None), col(Session.expires_at) > now_ms)
    if belongs is not None or (await session.exec(select(Session.id).where(*running))).first() is not None:
        raise NameTaken(shown)
    await session.exec(delete(SignInLink).where(col(SignInLink.user_id) == user_id))
    return user.name


async def join_as(
    session: AsyncSession,
    invitation_id: str,
    user_id: str,
    session_id: str,
    known_by: KnownBy,
    audit: AuditLog,
    *,
    now_ms: int,
) -> tuple[Invited, list[str]]:
    """Use one up as somebody who is signed in by that session; first thing in the transaction.

    Whoever is known by a name alone is signed out everywhere else, and those sessions' ids are given: a link of one
    workspace's Admin may have opened them, and they would lead into this one. `known_by` is for the invitation's workspace.
    Raises `InvitationUsed`, `AlreadyMember`, `JoinByProvider`, `StoreError`, `NotRecorded`; then it is as good as before.
    """
    invited = await use(session, invitation_id, now_ms=now_ms)
    await lock_user(session, user_id)
    user = (await session.exec(select(User).where(col(User.id) == user_id))).one()
    if await role_of(session, user_id, invited.workspace_id) is not None:
        raise AlreadyMember(user.name)
    known = known_by(user.key)
    if known.role_by:
        raise JoinByProvider(known.role_by)
    ending: list[str] = []
    if known.by is None:
        ending = await sign_out_everywhere(session, user_id, audit, reason="joined", but=session_id, now_ms=now_ms)
    await put_role(session, user_id, invited.workspace_id, invited.role, now_ms=now_ms)
    await was_used_by(session, invitation_id, user_id)
    return invited, ending


async def is_member(store: Store, invited: Invited, user_id: str) -> bool:
    """Whether somebody belongs to the invitation's workspace already. Raises `StoreError`."""
    async with store.session() as session:
        return await role_of(session, user_id, invited.workspace_id) is not None


async def _find(session: AsyncSession, invitation_id: str, now_ms: int) -> Invited:
    query = (
        select(Invitation, Workspace)
        .join(Workspace, col(Workspace.id) == col(Invitation.workspace_id))
        .where(col(Invitation.id) == invitation_id, *_good(now_ms))
    )
    found = (await session.exec(query)).first()
    if found is None:
        raise InvitationUsed
    one, workspace = found
    return Invited(one.id, workspace.id, workspace.slug, workspace.name, Role(one.role), one.name)


def _good(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Invitation.used_at).is_(None),
        col(Invitation.revoked_at).is_(None),
        col(Invitation.expires_at) > now_ms,
    )


def id_of(token: str) -> str:
    """By what the store knows it: a hash."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()
