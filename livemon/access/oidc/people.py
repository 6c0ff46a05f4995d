"""Whom a provider has signed in, in the store: found again by issuer and subject, with the role that the claims give.

Where the claims decide who is what, they do so at each sign-in: the role is renewed, and whoever may not come in any more
is a member no more, which also ends what they have open elsewhere. Who has joined by an invitation has its role where the
claims name none. One for another workspace than the provider's leads there, and in that the claims decide nothing.

Person, membership, role, session and the record of them are one transaction: of somebody whose coming cannot be written
down nothing stays.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.access import invitations
from livemon.access.errors import InvitationUsed
from livemon.access.invitations import Invited
from livemon.access.members import Revoked, lock_workspace, other_admins, put_role, role_of, take_out
from livemon.access.roles import RANK, Role
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Invitation, Membership, User, Workspace
from livemon.store.upsert import insert

from .errors import InvitationGone, NotAdmitted, Unmapped
from .identity import Claims, Identity, identity_of, key_of, who_of
from .provider_settings import ProviderSettings

_log = structlog.get_logger(__name__)
Recording = Callable[[AsyncSession, Act], Awaitable[None]]
"""Writes an act into the transaction that does it; what it raises undoes that."""


@dataclass(frozen=True, slots=True)
class LetIn:
    """Who comes in, and into which workspace (its slug); `changes`: what that makes of them, for the audit log."""

    user_id: str
    name: str
    workspace: str
    changes: tuple[Act, ...] = ()

    @property
    def acts(self) -> tuple[Act, ...]:
        """All that is to be written down, in its order."""
        return (*self.changes, Act(Action.SIGN_IN, Outcome.DONE, self.workspace, self.user_id, self.name))


@dataclass(frozen=True, slots=True)
class Entrance:
    """What else is done in the transaction that lets somebody in; what it raises undoes all of it.

    `looking` comes first; `opening` opens their session; `recording` is last, as whoever has the log's end waits for nobody.
    """

    looking: Callable[[AsyncSession], Awaitable[None]]
    opening: Callable[[AsyncSession, LetIn], Awaitable[None]]
    recording: Recording


async def let_in(
    store: Store,
    settings: ProviderSettings,
    claims: Claims,
    entrance: Entrance,
    *,
    invitation: str | None = None,
    now: Now = utc_now,
) -> LetIn:
    """The person, who is a member of that workspace from now on; `invitation` is the id of the one that they bring.

    Raises `NotAdmitted`, `ClaimsElsewhere`, `TokenRefused`, `InvitationGone`, `UnknownWorkspace`, `StoreError`, and whatever
    the entrance does.
    """
    coming = _Coming(settings, claims, entrance, to_ms(now()))
    try:
        return await coming.by(partial(coming.joins, invitation) if invitation else coming.enters, store)
    except NotAdmitted as error:
        if settings.maps_roles:
            await coming.shut_out(store)
        if not isinstance(error, Unmapped):
            raise
        return await coming.by(partial(coming.returns, error), store)


@dataclass(frozen=True, slots=True)
class _Place:
    workspace_id: str
    workspace: str


@dataclass(frozen=True, slots=True)
class _Coming:
    """One sign-in; each method is one transaction, or a part of one."""

    settings: ProviderSettings
    claims: Claims
    entrance: Entrance
    now_ms: int

    async def by(self, way: Callable[[AsyncSession], Awaitable[LetIn]], store: Store) -> LetIn:
        """In by one of `joins`, `enters`, `returns`."""
        async with store.session() as session:
            await self.entrance.looking(session)
            entered = await way(session)
            await self.entrance.opening(session, entered)
            for act in entered.acts:
                await self.entrance.recording(session, act)
            await session.commit()
        return entered

    async def joins(self, invitation_id: str, session: AsyncSession) -> LetIn:
        """By an invitation, which is used up."""
        try:
            invited = await invitations.use(session, invitation_id, now_ms=self.now_ms)
        except InvitationUsed as error:
            raise InvitationGone from error
        identity = who_of(self.settings, self.claims)
        user_id = await self._remembered(session, identity)
        before = await role_of(session, user_id, invited.workspace_id)
        await invitations.was_used_by(session, invited.id, user_id)
        role = await self._joining_as(session, user_id, invited, before)
        revoked = await put_role(session, user_id, invited.workspace_id, role, now_ms=self.now_ms)
        known = (invited.workspace, user_id, identity.name)
        used = {"reason": "used", "role": role.value}
        changes = [Act(Action.INVITATION, Outcome.DONE, *known, subject=invited.name, detail=used)]
        if before is not None and before != role.value:
            changes.extend(await self._changed(session, user_id, invited, identity.name, (before, role.value), revoked))
        return LetIn(user_id, identity.name, invited.workspace, tuple(changes))

    async def _joining_as(self, session: AsyncSession, user_id: str, invited: Invited, before: str | None) -> Role:
        """What the claims say, if they decide there and say it; else an invitation takes nothing away."""
        if invited.workspace == self.settings.workspace and self.settings.maps_roles:
            given = await invitations.role_given(session, user_id, invited.workspace_id) or invited.role
            return identity_of(self.settings, self.claims, invited=given).role or given
        return max(invited.role, Role(before), key=RANK.index) if before in RANK else invited.role

    async def enters(self, session: AsyncSession) -> LetIn:
        """Into the provider's own workspace."""
        slug = self.settings.workspace
        workspace_id = await lock_workspace(session, slug)
        key = key_of(self.claims)
        known = (await session.exec(select(User.id).where(col(User.key) == key))).first()
        before = await role_of(session, known, workspace_id) if known else None
        invited = await invitations.role_given(session, known, workspace_id) if known and before else None
        identity = identity_of(self.settings, self.claims, invited=invited)
        role = identity.role
        if role is None and before is None:
            if self.settings.unmapped == "refuse":
                raise Unmapped("they are no member yet, and who is new is refused")
            role = Role.MEMBER
        user_id, changes = await self._remembered(session, identity), list[Act]()
        if role is not None and role.value != before:
            revoked = await put_role(session, user_id, workspace_id, role, now_ms=self.now_ms)
            if before is not None:
                place = _Place(workspace_id, slug)
                changes.extend(
                    await self._changed(session, user_id, place, identity.name, (before, role.value), revoked)
                )
        return LetIn(user_id, identity.name, slug, tuple(changes))

    async def shut_out(self, store: Store) -> None:
        """Of the provider's workspace, whose member they may have been."""
        async with store.session() as session:
            workspace_id = await lock_workspace(session, self.settings.workspace)
            user = (await session.exec(select(User).where(col(User.key) == key_of(self.claims)))).first()
            before = await role_of(session, user.id, workspace_id) if user else None
            if user is not None and before is not None:
                taken = await take_out(session, user.id, workspace_id, now_ms=self.now_ms)
                place = _Place(workspace_id, self.settings.workspace)
                for act in await self._changed(session, user.id, place, user.name, (before, "none"), taken.revoked):
                    await self.entrance.recording(session, act)
            await session.commit()

    async def returns(self, refused: Unmapped, session: AsyncSession) -> LetIn:
        """Into the workspace that they have joined last by an invitation, and still belong to; `refused` if there is none."""
        query = (
            select(User.id, Workspace.slug)
            .join(Invitation, col(Invitation.used_by) == col(User.id))
            .join(
                Membership,
                (col(Membership.user_id) == col(User.id))
                & (col(Membership.workspace_id) == col(Invitation.workspace_id)),
            )
            .join(Workspace, col(Workspace.id) == col(Invitation.workspace_id))
            .where(col(User.key) == key_of(self.claims), col(Workspace.slug) != self.settings.workspace)
            .order_by(col(Invitation.used_at).desc())
            .limit(1)
        )
        found = (await session.exec(query)).first()
        if found is None:
            raise refused
        user_id, slug = found
        identity = who_of(self.settings, self.claims)
        await self._remembered(session, identity)
        return LetIn(user_id, identity.name, slug)

    async def _remembered(self, session: AsyncSession, identity: Identity) -> str:
        """The user's id; name and address are those of this sign-in."""
        shown = {"name": identity.name, "email": identity.email}
        user = {"id": secrets.token_hex(8), "key": identity.key, "created_at": self.now_ms, **shown}
        put = insert(session, User).values(user)
        await session.exec(put.on_conflict_do_update(index_elements=["key"], set_=shown))
        return (await session.exec(select(User.id).where(col(User.key) == identity.key))).one()

    async def _changed(
        self,
        session: AsyncSession,
        user_id: str,
        place: "_Place | Invited",
        name: str,
        roles: tuple[str, str],
        revoked: list[Revoked],
    ) -> list[Act]:
        """What the provider has made of somebody, `roles` before and after, and the invitations that went with it, to be
        recorded; says it if nobody is left who could let people in."""
        (before, after), now_ms = roles, self.now_ms
        was_admin = before == Role.ADMIN.value
        if was_admin and await other_admins(session, user_id, place.workspace_id, now_ms=now_ms) == 0:
            _log.warning(
                "A workspace has no Admin any more: its provider has made the last one something else. On the server, "
                "`livemon sign-in-link` makes another.",
                workspace=place.workspace,
                to=after,
            )
        known = (place.workspace, user_id, name)
        changed = Act(Action.ROLE, Outcome.DONE, *known, subject=name, detail={"from": before, "to": after})
        taken_back = ((one.name, {"reason": "revoked", "role": one.role}) for one in revoked)
        gone = (Act(Action.INVITATION, Outcome.DONE, *known, subject=whose, detail=why) for whose, why in taken_back)
        return [changed, *gone]
