"""What an Admin does with the people of their workspace: another role, out, a session's end, a sign-in link.

Each is recorded in its own transaction. What is open of those whom it concerns ends once the sessions named in the answer
are looked at again (`Sessions.look_at`), and everywhere within two seconds.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlmodel import col, func, select, update

from livemon.store.audit.acts import Action
from livemon.store.tables import Membership, Session, User

from .administration import Administration, Change
from .errors import LastAdmin, NoLinkFor, NotHere, RoleByProvider
from .links import LIFETIME, put_link
from .members import Revoked, lock_user, other_admins, put_role, role_of, take_out
from .oidc.provenance import Provenance
from .roles import Role

KnownBy = Callable[[str], Provenance]
"""What a `User.key` says of how somebody comes into this workspace."""


async def change_role(admin: Administration, user_id: str, role: Role, known_by: KnownBy) -> list[str]:
    """Make a member something else; gives the ids of their sessions here.

    Raises `NotAdmin`, `NotHere`, `RoleByProvider`, `LastAdmin`, `StoreError`.
    """
    async with admin.changing() as change:
        user, before = await _member(change, user_id)
        if before == role.value:
            return []
        if deciding := known_by(user.key).role_by:
            raise RoleByProvider(user.name, deciding)
        await _keep_an_admin(change, user, before)
        revoked = await put_role(change.session, user_id, change.workspace_id, role, now_ms=change.now_ms)
        of_member = (col(Session.user_id) == user_id, col(Session.workspace_id) == change.workspace_id)
        running = select(Session.id).where(*of_member, col(Session.ended_at).is_(None))
        found = list((await change.session.exec(running)).all())
        facts = {"from": before, "to": role.value}
        await change.record(Action.ROLE, user.name, **facts)
        await _record_revoked(change, revoked)
    return found


async def remove_member(admin: Administration, user_id: str) -> list[str]:
    """Take a member out, with their sessions and links here; gives the ids of those sessions. Invitations that they
    have made and nobody has used are revoked.

    Raises `NotAdmin`, `NotHere`, `LastAdmin`, `StoreError`.
    """
    async with admin.changing() as change:
        user, before = await _member(change, user_id)
        await _keep_an_admin(change, user, before)
        ended = await take_out(change.session, user_id, change.workspace_id, now_ms=change.now_ms)
        facts = {"from": before, "to": "none"}
        await change.record(Action.ROLE, user.name, **facts)
        if ended.sessions:
            await change.record(Action.SESSION_END, user.name, reason="removed", ended=len(ended.sessions))
        await _record_revoked(change, ended.revoked)
    return ended.sessions


async def end_session(admin: Administration, session_id: str) -> None:
    """End one session of this workspace; harmless, and not recorded, if it is over.

    Raises `NotAdmin`, `NotHere` for one of another workspace as for none, `StoreError`.
    """
    async with admin.changing() as change:
        here = (col(Session.id) == session_id, col(Session.workspace_id) == change.workspace_id)
        whose = select(Session.device, User.name).where(*here).join(User, col(User.id) == col(Session.user_id))
        found = (await change.session.exec(whose)).first()
        if found is None:
            raise NotHere("session")
        ended = await change.session.exec(
            update(Session).where(*here, col(Session.ended_at).is_(None)).values(ended_at=change.now_ms, id_token=None)
        )
        if ended.rowcount == 1:
            device, name = found
            await change.record(Action.SESSION_END, name, reason="by_admin", session=session_id, device=device)


async def make_member_link(admin: Administration, user_id: str, known_by: KnownBy) -> tuple[str, datetime]:
    """A token that signs a member in, once, and until when; for who comes by links, and belongs to no other workspace.

    Raises `NotAdmin`, `NotHere`, `NoLinkFor`, `StoreError`.
    """
    token = secrets.token_urlsafe(32)
    async with admin.changing() as change:
        user, role = await _member(change, user_id)
        if provider := known_by(user.key).by:
            raise NoLinkFor.by_provider(user.name, provider)
        await lock_user(change.session, user_id)
        belongs = select(func.count()).select_from(Membership).where(col(Membership.user_id) == user_id)
        if (await change.session.exec(belongs)).one() > 1:  # whoever has the link is that person, there as well
            raise NoLinkFor.elsewhere(user.name)
        await put_link(change.session, token, user_id, change.workspace_id, now=change.now)
        await change.record(Action.SIGN_IN_LINK, user.name, role=role)
    return token, change.now + LIFETIME


async def _member(change: Change, user_id: str) -> tuple[User, str]:
    """A member, and their role as it stays until the transaction is over. Raises `NotHere`."""
    role = await role_of(change.session, user_id, change.workspace_id)
    user = None if role is None else await change.session.get(User, user_id)
    if role is None or user is None:
        raise NotHere("member")
    return user, role


async def _record_revoked(change: Change, revoked: list[Revoked]) -> None:
    """The open invitations that went with the right to invite."""
    for one in revoked:
        await change.record(Action.INVITATION, one.name, reason="revoked", role=one.role)


async def _keep_an_admin(change: Change, user: User, before: str) -> None:
    """Raises `LastAdmin` for the one without whom the workspace has none."""
    if before != Role.ADMIN.value:
        return
    if await other_admins(change.session, user.id, change.workspace_id, now_ms=change.now_ms) == 0:
        raise LastAdmin(user.name)
