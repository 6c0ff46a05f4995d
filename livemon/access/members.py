"""Who belongs to a workspace, and in which role.

A change counts from the next look at it: at once for what is asked, within two seconds for what is open already
(`Sessions.hold`). It does not ask who makes the change: what an Admin may is in `member_changes`.

Changes of who belongs to a workspace go one after the other, on any database: each has first the workspace's row to itself.
"""

import secrets
import unicodedata
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Invitation, Membership, Session, SignInLink, User, Workspace
from livemon.store.upsert import insert

from .errors import BadName, UnknownUser, UnknownWorkspace
from .roles import RIGHTS, Right, Role

MAX_NAME = 100
BY_NAME = "name:"
"""How the key of somebody begins whom no provider knows."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """An open invitation that somebody left behind who may not invite any more: whom it was for, and its role."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What has ended with a membership: the ids of the sessions, and the invitations."""

    sessions: list[str]
    revoked: list[Revoked]


async def find_or_create(store: Store, name: str, *, email: str = "", now: Now = utc_now) -> str:
    """The id of the person called so, who is the same in any case and however the words are spaced.

    Raises `BadName`, `StoreError`.
    """
    async with store.session() as session:
        user_id = await user_named(session, name, email=email, now_ms=to_ms(now()))
        await session.commit()
    return user_id


async def set_role(store: Store, user_id: str, workspace: str, role: Role, *, now: Now = utc_now) -> None:
    """Make `user_id` a member of `workspace` (a slug) in this role, whatever they were there.

    Raises `UnknownWorkspace`, `UnknownUser`, `StoreError`.
    """
    async with store.session() as session:
        workspace_id = await lock_workspace(session, workspace)
        await put_role(session, user_id, workspace_id, role, now_ms=to_ms(now()))
        await session.commit()


async def remove(store: Store, user_id: str, workspace: str, *, now: Now = utc_now) -> None:
    """Take `user_id` out of `workspace`, and end their sessions and links there: coming back, they sign in anew.

    Harmless if they are no member. Raises `UnknownWorkspace`, `StoreError`.
    """
    async with store.session() as session:
        await take_out(session, user_id, await lock_workspace(session, workspace), now_ms=to_ms(now()))
        await session.commit()


def shown_name(name: str) -> str:
    """A person's name with single spaces. Raises `BadName`."""
    shown = " ".join(name.split())
    if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
        raise BadName(MAX_NAME)
    return shown


def as_seen(shown: str) -> str:
    """What two names have in common that look the same but for their case, their widths, or what nobody sees in them.

    Letters of other scripts that look like Latin ones are told apart all the same.
    """
    seen = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
    return " ".join("".join(one for one in seen if one not in _UNSEEN).split())


_UNSEEN = frozenset(
    chr(code)
    for first, last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180F), (0x115F, 0x1160), (0x17B4, 0x17B5))
    for code in (*range(first, last + 1), 0x034F, 0x3164, 0xFFA0)
)
"""Without a shape of their own though they count as letters or marks (Unicode, Default_Ignorable_Code_Point)."""


def name_key(shown: str) -> str:
    """`User.key` of somebody who is known by their name."""
    return f"{BY_NAME}{shown.casefold()}"


async def workspace_with(session: AsyncSession, slug: str) -> str:
    """The workspace's id. Raises `UnknownWorkspace`."""
    found = (await session.exec(select(Workspace.id).where(col(Workspace.slug) == slug))).first()
    if found is None:
        raise UnknownWorkspace(slug)
    return found


async def lock_workspace(session: AsyncSession, slug: str) -> str:
    """As `workspace_with`; until the transaction is over no other one changes who belongs to it, or what they are.

    The first thing in a transaction: what it reads from then on stays so. Raises `UnknownWorkspace`.
    """
    await session.exec(update(Workspace).where(col(Workspace.slug) == slug).values(name=Workspace.name))
    return await workspace_with(session, slug)


async def user_named(session: AsyncSession, name: str, *, email: str, now_ms: int) -> str:
    """As `find_or_create`, within a transaction; two who ask at once get the same person."""
    shown = shown_name(name)
    key = name_key(shown)
    person = {"id": secrets.token_hex(8), "key": key, "name": shown, "email": email, "created_at": now_ms}
    await session.exec(insert(session, User).values(person).on_conflict_do_nothing(index_elements=["key"]))
    return (await session.exec(select(User.id).where(col(User.key) == key))).one()


async def lock_user(session: AsyncSession, user_id: str) -> None:
    """Until the transaction is over, nobody makes this person a member of anything, nor a link or session for them.

    After `lock_workspace`, so that no two wait for each other.
    """
    await session.exec(select(User.id).where(col(User.id) == user_id).with_for_update())


async def role_of(session: AsyncSession, user_id: str, workspace_id: str) -> str | None:
    """What they are there; None for who is no member."""
    own = (col(Membership.user_id) == user_id, col(Membership.workspace_id) == workspace_id)
    return (await session.exec(select(Membership.role).where(*own))).first()


async def other_admins(session: AsyncSession, user_id: str, workspace_id: str, *, now_ms: int) -> int:
    """How many Admins the workspace has without them.

    Whoever a link was made for and who never came is none once that link is over: they cannot come in any more to be one.
    """
    has_come = select(Session.id).where(col(Session.user_id) == col(User.id)).exists()
    may_come = (
        select(SignInLink.id)
        .where(
            col(SignInLink.user_id) == col(User.id),
            col(SignInLink.workspace_id) == workspace_id,
            col(SignInLink.used_at).is_(None),
            col(SignInLink.expires_at) > now_ms,
        )
        .exists()
    )
    by_provider = ~col(User.key).startswith(BY_NAME, autoescape=True)
    others = (
        col(Membership.workspace_id) == workspace_id,
        col(Membership.role) == Role.ADMIN.value,
        col(Membership.user_id) != user_id,
        or_(has_come, may_come, by_provider),
    )
    query = select(func.count()).select_from(Membership).join(User, col(User.id) == col(Membership.user_id))
    return (await session.exec(query.where(*others))).one()


async def take_out(session: AsyncSession, user_id: str, workspace_id: str, *, now_ms: int) -> TakenOut:
    """As `remove`, within a transaction that has the workspace's row; gives what ends with it, for the record.

    What the invitations gave by which they came is forgotten: another one gives what it says. Those that they have made and
    nobody has used are revoked.
    """
    for table in (Membership, SignInLink):
        of_member = (col(table.user_id) == user_id, col(table.workspace_id) == workspace_id)
        await session.exec(delete(table).where(*of_member))
    came_by = (col(Invitation.used_by) == user_id, col(Invitation.workspace_id) == workspace_id)
    await session.exec(update(Invitation).where(*came_by).values(used_by=None))
    revoked = await _revoke_invitations_by(session, user_id, workspace_id, now_ms=now_ms)
    running = (
        col(Session.user_id) == user_id,
        col(Session.workspace_id) == workspace_id,
        col(Session.ended_at).is_(None),
    )
    ending = list((await session.exec(select(Session.id).where(*running))).all())
    await session.exec(update(Session).where(*running).values(ended_at=now_ms, id_token=None))
    return TakenOut(ending, revoked)


async def put_role(session: AsyncSession, user_id: str, workspace_id: str, role: Role, *, now_ms: int) -> list[Revoked]:
    """As `set_role`, within a transaction that has the workspace's row.

    Whoever may not invite any more leaves no way in: what they have made and nobody has used is revoked, and given, for the
    record.
    """
    member = {"user_id": user_id, "workspace_id": workspace_id, "role": role.value, "created_at": now_ms}
    put = insert(session, Membership).values(member)
    try:
        await session.exec(
            put.on_conflict_do_update(index_elements=["user_id", "workspace_id"], set_={"role": role.value})
        )
    except IntegrityError as error:
        raise UnknownUser(user_id) from error
    if Right.MANAGE in RIGHTS[role]:
        return []
    return await _revoke_invitations_by(session, user_id, workspace_id, now_ms=now_ms)


async def _revoke_invitations_by(
    session: AsyncSession, user_id: str, workspace_id: str, *, now_ms: int
) -> list[Revoked]:
    theirs = (col(Invitation.created_by) == user_id, col(Invitation.workspace_id) == workspace_id)
    unused = (col(Invitation.used_at).is_(None), col(Invitation.revoked_at).is_(None))
    still_good = (*theirs, *unused, col(Invitation.expires_at) > now_ms)
    oldest_first = (col(Invitation.created_at), col(Invitation.id))
    found = await session.exec(select(Invitation.name, Invitation.role).where(*still_good).order_by(*oldest_first))
    revoked = [Revoked(*each) for each in found]
    await session.exec(update(Invitation).where(*theirs, *unused).values(revoked_at=now_ms))
    return revoked
