"""Going from one workspace to another: a new session there, and the end of the one that was, in one step."""

from collections.abc import Awaitable, Callable

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, Workspace

from .cookie import hash_of, new_cookie
from .errors import SessionOver, UnknownWorkspace
from .links import Entering, Recording
from .renewal import FORMER
from .roles import Role
from .sessions import MAX_TEXT, session_id_of

_ROLES = [role.value for role in Role]


async def switch(
    store: Store,
    session_id: str,
    workspace: str,
    *,
    name: str,
    device: str,
    address: str,
    recording: Recording,
    arriving: Callable[[AsyncSession], Awaitable[None]] | None = None,
    now: Now = utc_now,
) -> tuple[str, Role]:
    """The new session's cookie, and the role there; the old session is over once this returns, and the new one lasts no
    longer than it would have.

    The former cookie stands for the new session for a few seconds more (`renewal`): the browser's other pages load anew at
    once, and may do so before the answer with the new cookie is there.

    `workspace` is a slug; `recording` writes into the transaction, for the person called `name`; `arriving` comes first in
    it, and may make them belong there. Whoever calls tells `Sessions.let_go`. Raises `UnknownWorkspace` if the person does
    not belong to it, `SessionOver`, `StoreError`, and whatever the two do; then nothing has changed.
    """
    cookie, start = new_cookie(), now()
    moment = to_ms(start)
    running = (col(Session.id) == session_id, col(Session.ended_at).is_(None), col(Session.expires_at) > moment)
    async with store.session() as session:
        if arriving is not None:
            await arriving(session)
        ended = await session.exec(update(Session).where(*running).values(ended_at=moment))
        if ended.rowcount != 1:
            raise SessionOver
        former = (await session.exec(select(Session).where(col(Session.id) == session_id))).one()
        belongs = (
            select(Workspace.id, Membership.role)
            .join(Membership, col(Membership.workspace_id) == col(Workspace.id))
            .where(
                col(Workspace.slug) == workspace,
                col(Membership.user_id) == former.user_id,
                col(Membership.role).in_(_ROLES),
            )
        )
        found = (await session.exec(belongs)).first()
        if found is None:
            raise UnknownWorkspace(workspace)
        workspace_id, role = found
        session.add(
            Session(
                id=session_id_of(cookie),
                cookie=hash_of(cookie),
                former_cookie=former.cookie,
                former_until=to_ms(start + FORMER),
                role=role,
                user_id=former.user_id,
                workspace_id=workspace_id,
                device=device[:MAX_TEXT],
                address=address[:MAX_TEXT],
                created_at=moment,
                last_seen_at=moment,
                expires_at=former.expires_at,
                provider=former.provider,
                subject=former.subject,
                sid=former.sid,
                id_token=former.id_token,
            )
        )
        former.id_token = None
        await recording(session, Entering(former.user_id, name, workspace))
        await session.commit()
    return cookie, Role(role)
