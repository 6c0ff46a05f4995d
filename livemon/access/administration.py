"""Changes that an Admin makes: each in one transaction with the proof that they are one at that moment, and its record.

The workspace's row is locked first, so that an Admin who is demoted at the same instant changes nothing, on any database.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Session

from .errors import NotAdmin, UnknownWorkspace
from .members import lock_workspace, role_of
from .person import Person
from .roles import RIGHTS, Right

_MANAGING = frozenset(role.value for role, rights in RIGHTS.items() if Right.MANAGE in rights)


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction under way; `now` is its moment. It has the workspace's row, and may do anything to it."""

    session: AsyncSession
    workspace_id: str
    now: datetime
    by: "Administration"

    @property
    def now_ms(self) -> int:
        return to_ms(self.now)

    async def record(self, action: Action, subject: str, **detail: str | int) -> None:
        """Write down what is done, in the same transaction. Raises `NotRecorded`."""
        person = self.by.person
        act = Act(
            action,
            Outcome.DONE,
            workspace=person.workspace,
            person_id=person.user_id,
            person=person.name,
            subject=subject,
            address=self.by.address,
            detail=detail,
        )
        await self.by.audit.add(self.session, act)


@dataclass(frozen=True, slots=True)
class Administration:
    """Somebody who means to change something in their workspace, and from which address."""

    store: Store
    audit: AuditLog
    person: Person
    address: str
    now: Now = utc_now

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[Change]:
        """The one way to change something: all of the block is done, or nothing.

        Raises `NotAdmin`, `StoreError`; what the block raises undoes it.
        """
        async with self.store.session() as session:
            try:
                workspace_id = await lock_workspace(session, self.person.workspace)
            except UnknownWorkspace as error:
                raise NotAdmin from error
            moment = self.now()
            if not await self._may_manage(session, workspace_id, to_ms(moment)):
                raise NotAdmin
            yield Change(session, workspace_id, moment, self)
            await session.commit()

    async def _may_manage(self, session: AsyncSession, workspace_id: str, now_ms: int) -> bool:
        """Whether the session still runs in this workspace, and its person's role there is one that manages."""
        running = (
            col(Session.id) == self.person.session_id,
            col(Session.user_id) == self.person.user_id,
            col(Session.workspace_id) == workspace_id,
            col(Session.ended_at).is_(None),
            col(Session.expires_at) > now_ms,
        )
        if (await session.exec(select(Session.id).where(*running))).first() is None:
            return False
        return await role_of(session, self.person.user_id, workspace_id) in _MANAGING
