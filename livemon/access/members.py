"""Who belongs to a workspace, and in which role.

A change counts from the next look at it: at once for what is asked, within two seconds for what is open already
(`Sessions.hold`). It does not ask who makes the change; that is for whoever calls.
"""

import secrets

from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, SignInLink, User, Workspace

from .errors import BadName, UnknownUser, UnknownWorkspace
from .roles import Role

MAX_NAME = 100


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
        workspace_id = await workspace_with(session, workspace)
        await put_role(session, user_id, workspace_id, role, now_ms=to_ms(now()))
        await session.commit()


async def remove(store: Store, user_id: str, workspace: str, *, now: Now = utc_now) -> None:
    """Take `user_id` out of `workspace`, and end their sessions and links there: coming back, they sign in anew.

    Harmless if they are no member. Raises `UnknownWorkspace`, `StoreError`.
    """
    async with store.session() as session:
        workspace_id = await workspace_with(session, workspace)
        for table in (Membership, SignInLink):
            of_member = (col(table.user_id) == user_id, col(table.workspace_id) == workspace_id)
            await session.exec(delete(table).where(*of_member))
        running = (
            col(Session.user_id) == user_id,
            col(Session.workspace_id) == workspace_id,
            col(Session.ended_at).is_(None),
        )
        await session.exec(update(Session).where(*running).values(ended_at=to_ms(now())))
        await session.commit()


async def workspace_with(session: AsyncSession, slug: str) -> str:
    """The workspace's id. Raises `UnknownWorkspace`."""
    found = (await session.exec(select(Workspace.id).where(col(Workspace.slug) == slug))).first()
    if found is None:
        raise UnknownWorkspace(slug)
    return found


async def user_named(session: AsyncSession, name: str, *, email: str, now_ms: int) -> str:
    """As `find_or_create`, within a transaction; two who ask at once get the same person."""
    shown = " ".join(name.split())
    if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
        raise BadName(MAX_NAME)
    key = f"name:{shown.casefold()}"
    person = {"id": secrets.token_hex(8), "key": key, "name": shown, "email": email, "created_at": now_ms}
    await session.exec(insert(User).values(person).on_conflict_do_nothing(index_elements=["key"]))
    return (await session.exec(select(User.id).where(col(User.key) == key))).one()


async def put_role(session: AsyncSession, user_id: str, workspace_id: str, role: Role, *, now_ms: int) -> None:
    """As `set_role`, within a transaction."""
    member = {"user_id": user_id, "workspace_id": workspace_id, "role": role.value, "created_at": now_ms}
    put = insert(Membership).values(member)
    try:
        await session.exec(
            put.on_conflict_do_update(index_elements=["user_id", "workspace_id"], set_={"role": role.value})
        )
    except IntegrityError as error:
        raise UnknownUser(user_id) from error
