"""Who asks with an API key: a `Person` whose ids say `key:…`, with the key's own rights. Read anew each time, as sessions are."""

import re
from collections.abc import Iterable
from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection

from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.audit.log import AuditLog
from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms
from livemon.store.store import Store
from livemon.store.tables import ApiKey, Workspace

from . import sign_in_limits
from .api_keys import PREFIX, hash_of, id_in, rights_in
from .errors import KeyRefused
from .person import OF_KEY, Person
from .recollection import Recollection
from .roles import Role

SUBPROTOCOL = "bearer"
"""The one that is answered: a key must not be sent back."""
USED_EVERY = timedelta(minutes=1)
"""How exactly the last use is known; each later one costs a write."""
USED_TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


def key_of(connection: HTTPConnection) -> str | None:
    """The API key that comes with a request, whatever it is worth; None if there is none. Of two neither is one."""
    sent = [header.partition(" ") for header in connection.headers.getlist("authorization")]
    keys = [rest.strip() for scheme, _, rest in sent if scheme.lower() == "bearer" and rest.strip().startswith(PREFIX)]
    if not keys:
        return None
    return keys[0] if len(sent) == 1 else ""


def key_in_subprotocols(connection: HTTPConnection) -> str | None:
    """The API key of a program whose WebSocket client can send no header of its own, as in Node and in browsers: the second
    of two subprotocols, of which the first is `bearer`. As secret as the header, and in no address."""
    offered: list[str] = connection.scope.get("subprotocols", []) if connection.scope["type"] == "websocket" else []
    return offered[1] if len(offered) == 2 and offered[0] == SUBPROTOCOL else None


def refused_elsewhere(person: Person, path: str, address: str) -> Act:
    """That a key was used where keys are good for nothing; of the path what may be written down: `/members` of `/members/x`."""
    first = re.match(r"/[a-z_-]{1,32}(?=/|$)", path)
    who = (person.workspace, person.user_id, person.name)
    return Act(Action.ACCESS, Outcome.REFUSED, *who, subject=first[0] if first else "", address=address)


class KeyBearers:
    """The keys of one node; `Sessions` has them, and holds whoever comes by one."""

    def __init__(self, store: Store, *, now: Now) -> None:
        self._store, self._now = store, now
        self._recollection = Recollection()

    async def admit(self, key: str, address: str, audit: AuditLog | None) -> Person:
        """Who asks with the key, from there. Raises `KeyRefused`, which is noted and counted; `TooManyFailures`, `StoreError`.

        A key that was good a little while ago is looked at however much else has failed from its address.
        """
        if self.recollect(key) is None:
            await sign_in_limits.check(self._store, address, now=self._now)
        try:
            return await self._find(key, address)
        except KeyRefused as refused:
            await sign_in_limits.refused(self._store, audit, refused.act, now=self._now)
            raise

    def recollect(self, key: str) -> Person | None:
        """Who came with the key when the store was last asked, if that was not long ago."""
        return self._recollection.of(hash_of(key))

    def forget(self, session_id: str) -> None:
        """That a key is good no more."""
        self._recollection.forget(session_id)

    async def read(self, session: AsyncSession, session_ids: Iterable[str]) -> dict[str, Person]:
        """Those of the ids that are of keys which are good now. With none of a key it asks nothing."""
        ids = [each.removeprefix(OF_KEY) for each in session_ids if each.startswith(OF_KEY)]
        if not ids:
            return {}
        now_ms = to_ms(self._now())
        found = await _keys(session, col(ApiKey.id).in_(ids))
        good = [_person(key, slug) for key, slug in found if _why_over(key, now_ms) is None]
        return {person.session_id: person for person in good}

    async def _find(self, key: str, address: str) -> Person:
        now_ms = to_ms(self._now())
        if id_in(key) is None:
            raise KeyRefused(_refused("key_unknown", address))
        async with self._store.session() as session:
            found = await _keys(session, col(ApiKey.hash) == hash_of(key))
        if not found:
            raise KeyRefused(_refused("key_unknown", address))
        row, slug = found[0]
        person = _person(row, slug)
        if (why := _why_over(row, now_ms)) is not None:
            self.forget(person.session_id)
            raise KeyRefused(_refused(why, address, person))
        self._recollection.remember(person, [row.hash])
        if row.last_used_at is None or row.last_used_at <= now_ms - _ms(USED_EVERY):
            await self._used(row.id, now_ms)
        return person

    async def _used(self, key_id: str, now_ms: int) -> None:
        """Note the use; that it cannot be noted is no reason to turn the machine away."""
        stale = or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) <= now_ms - _ms(USED_EVERY))
        try:
            async with self._store.session(timeout=USED_TIMEOUT_S) as session:
                await session.exec(update(ApiKey).where(col(ApiKey.id) == key_id, stale).values(last_used_at=now_ms))
                await session.commit()
        except StoreError as error:
            _log.warning("an API key's last use was not noted", why=str(error))


async def _keys(session: AsyncSession, which: ColumnElement[bool]) -> list[tuple[ApiKey, str]]:
    """With the slugs of their workspaces."""
    query = select(ApiKey, Workspace.slug).join(Workspace, col(Workspace.id) == col(ApiKey.workspace_id)).where(which)
    return [(key, slug) for key, slug in (await session.exec(query)).all()]


def _why_over(key: ApiKey, now_ms: int) -> str | None:
    """Why a key is good no more; None if it is."""
    if key.revoked_at is not None:
        return "key_revoked"
    return "key_expired" if key.expires_at <= now_ms else None


def _person(key: ApiKey, slug: str) -> Person:
    """The least of roles: what it may do stands in its rights alone."""
    known_as = f"{OF_KEY}{key.id}"
    return Person(known_as, key.name, "", Role.MEMBER, slug, known_as, rights_in(key.rights))


def _refused(why: str, address: str, person: Person | None = None) -> Act:
    known = (person.workspace, person.user_id, person.name) if person else ("", "", "")
    return Act(Action.API_KEY, Outcome.REFUSED, *known, address=address, detail={"reason": why})


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
