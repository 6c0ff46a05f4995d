"""Sessions: who is behind a cookie, at this moment; and the word when somebody who is watched may not go on.

A session ends when its person signs out, after twelve hours without a request (an open page that nobody touches is none),
and after seven days whatever happens. Role and membership are read anew each time. Only a hash of the cookie is stored.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

import structlog
from sqlmodel import col, delete, select, update

from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Membership, Session, User, Workspace

from .members import workspace_with
from .person import Person
from .roles import Right, Role

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last request is known; each later one costs a write."""
SEEN_TIMEOUT_S = 2.0
KEPT = timedelta(days=30)
"""How long a session that is over stays in the store."""
MAX_COOKIE = 128
MAX_TEXT = 200
POLL_S = 1.0
POLL_TIMEOUT_S = 5.0
BLIND_S = 15.0
"""After so long without a look at the store nobody is taken to be allowed any more: everything that is held ends."""

_ROLES = frozenset(role.value for role in Role)
_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Held:
    """A session that somebody relies on; `ended` is set once it, or the right, is gone."""

    right: Right | None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def session_id_of(cookie: str) -> str:
    """What the session behind a cookie is known by."""
    return sha256(cookie.encode("utf-8", "replace")).hexdigest()


class Sessions:
    """All sessions of one node. `run` has to be running for `hold` to notice what others do."""

    def __init__(self, store: Store, *, now: Now = utc_now, poll_s: float = POLL_S, blind_s: float = BLIND_S) -> None:
        self._store, self._now = store, now
        self._poll_s, self._blind_s = poll_s, blind_s
        self._held: dict[str, set[Held]] = {}
        self._any_held = asyncio.Event()
        self._blind_since: float | None = None
        self._over = False

    async def open(self, user_id: str, workspace: str, *, device: str, address: str) -> str:
        """Sign somebody in; gives the cookie, which only the browser may know.

        `workspace` is a slug; `device` and `address` are for people to recognise the session by. Raises
        `UnknownWorkspace`, `StoreError`.
        """
        cookie = secrets.token_urlsafe(32)
        now = self._now()
        async with self._store.session() as session:
            workspace_id = await workspace_with(session, workspace)
            await session.exec(delete(Session).where(col(Session.expires_at) < to_ms(now - KEPT)))
            session.add(
                Session(
                    id=session_id_of(cookie),
                    user_id=user_id,
                    workspace_id=workspace_id,
                    device=device[:MAX_TEXT],
                    address=address[:MAX_TEXT],
                    created_at=to_ms(now),
                    last_seen_at=to_ms(now),
                    expires_at=to_ms(now + ABSOLUTE),
                )
            )
            await session.commit()
        return cookie

    async def find(self, cookie: str | None) -> Person | None:
        """Who is behind the cookie; None if nobody, or nobody any more. It counts as use. Raises `StoreError`."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        return await self.person(session_id_of(cookie))

    async def person(self, session_id: str) -> Person | None:
        """As `find`, by the id that a `Person` carries: for a page that asks again over its open socket."""
        found = (await self._read([session_id])).get(session_id)
        if found is None:
            return None
        person, last_seen_at = found
        if last_seen_at <= to_ms(self._now() - SEEN_EVERY):
            await self._saw(session_id)
        return person

    async def end(self, session_id: str) -> None:
        """End the session, and at once whatever holds it here. Harmless if it is over. Raises `StoreError`."""
        running = (col(Session.id) == session_id, col(Session.ended_at).is_(None))
        async with self._store.session() as session:
            await session.exec(update(Session).where(*running).values(ended_at=to_ms(self._now())))
            await session.commit()
        self._let_go(session_id)

    def hold(self, session_id: str, right: Right | None = Right.WATCH) -> AbstractAsyncContextManager[Held]:
        """Rely on a session (and on a right, unless None) for as long as the block lasts, or until `ended` is set.

        That is at once for what this process ends, within two seconds for what anybody else does, and when the store
        cannot be read for `BLIND_S`: who cannot be shown to be allowed is not. Leaving the block changes nothing.
        """
        return self._holding(session_id, Held(right))

    async def run(self) -> None:
        """Watch everything that is held, with one query a second while there is something; for ever."""
        loop = asyncio.get_running_loop()
        self._over = False
        try:
            while True:
                await self._any_held.wait()
                began = loop.time()
                await self._look(began)
                await asyncio.sleep(max(0.0, began + self._poll_s - loop.time()))
        finally:
            self._over = True  # nobody looks any more, until it is started again
            self._let_go(*list(self._held))

    @asynccontextmanager
    async def _holding(self, session_id: str, held: Held) -> AsyncGenerator[Held, None]:
        self._held.setdefault(session_id, set()).add(held)
        self._any_held.set()
        if self._over:
            held.ended.set()
        try:
            yield held
        finally:
            of_session = self._held[session_id]
            of_session.discard(held)
            if not of_session:
                del self._held[session_id]
            if not self._held:
                self._any_held.clear()

    async def _look(self, now: float) -> None:
        watched = {session_id: list(of_session) for session_id, of_session in self._held.items()}
        try:
            found = await self._read(watched, timeout=POLL_TIMEOUT_S)
        except StoreError as error:
            self._blind(now, str(error))
            return
        if self._blind_since is not None:
            _log.info("sessions can be checked again")
            self._blind_since = None
        for session_id, of_session in watched.items():
            person = found[session_id][0] if session_id in found else None
            for held in of_session:
                if person is None or not (held.right is None or person.may(held.right)):
                    held.ended.set()

    def _blind(self, now: float, why: str) -> None:
        if self._blind_since is None:
            _log.error("sessions cannot be checked", why=why, everyone_is_out_after_s=self._blind_s)
            self._blind_since = now
        if asyncio.get_running_loop().time() - self._blind_since >= self._blind_s:
            self._let_go(*list(self._held))

    def _let_go(self, *session_ids: str) -> None:
        for session_id in session_ids:
            for held in self._held.get(session_id, ()):
                held.ended.set()

    async def _read(self, session_ids: Iterable[str], *, timeout: float | None = None) -> dict[str, tuple[Person, int]]:
        """Those of the sessions that are good now: the person, and when they were last seen."""
        now = self._now()
        query = (
            select(Session, User, Workspace.slug, Membership.role)
            .where(
                col(Session.id).in_(list(session_ids)),
                col(Session.ended_at).is_(None),
                col(Session.expires_at) > to_ms(now),
                col(Session.last_seen_at) > to_ms(now - IDLE),
            )
            .join(User, col(User.id) == col(Session.user_id))
            .join(Workspace, col(Workspace.id) == col(Session.workspace_id))
            .join(
                Membership,
                (col(Membership.user_id) == col(Session.user_id))
                & (col(Membership.workspace_id) == col(Session.workspace_id)),
            )
        )
        opening = self._store.session() if timeout is None else self._store.session(timeout=timeout)
        async with opening as session:
            rows = (await session.exec(query)).all()
        return {
            found.id: (Person(user.id, user.name, user.email, Role(role), slug, found.id), found.last_seen_at)
            for found, user, slug, role in rows
            if role in _ROLES  # one that only a newer version knows lets nobody in
        }

    async def _saw(self, session_id: str) -> None:
        """Note the request; that it cannot be noted is no reason to turn the person away."""
        now = self._now()
        stale = (col(Session.id) == session_id, col(Session.last_seen_at) <= to_ms(now - SEEN_EVERY))
        try:
            async with self._store.session(timeout=SEEN_TIMEOUT_S) as session:
                await session.exec(update(Session).where(*stale).values(last_seen_at=to_ms(now)))
                await session.commit()
        except StoreError as error:
            _log.warning("a session's last use was not noted", why=str(error))
