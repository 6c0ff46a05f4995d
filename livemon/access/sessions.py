"""Sessions: who is behind a cookie, at this moment; and the word when somebody who is watched may not go on.

A session ends when its person signs out, after twelve hours without a request (an open page that nobody touches is none),
and after seven days whatever happens. Role and membership are read anew each time. Only a hash of the cookie is stored, and
the cookie changes with the role (`renewal`), while the session's id stays.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import false
from sqlmodel import col, delete, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.errors import StoreError
from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import Session

from .cookie import ABSOLUTE, MAX_COOKIE, hash_of, new_cookie
from .key_bearers import KeyBearers
from .leaving import Leaving, end_in
from .members import role_of, workspace_with
from .person import Person
from .recollection import Recollection
from .renewal import renew
from .roles import RIGHTS, Right, Rights, Role
from .session_reading import Found, has_cookie, read_sessions

SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last request is known; each later one costs a write."""
SEEN_TIMEOUT_S = 2.0
KEPT = timedelta(days=30)
"""How long a session that is over stays in the store."""
MAX_TEXT = 200
POLL_S = 1.0
POLL_TIMEOUT_S = 5.0
BLIND_S = 15.0
"""After so long without a look at the store nobody is taken to be allowed any more: everything that is held ends."""

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Held:
    """A session that somebody relies on; `ended` is set once it, or the right, is gone, or nobody can say.

    `role` and `rights`: nor may these be others (`rights`: all that the person had). `over`: the session itself is known
    to be over. `seen` is told who it is, each time that the session is found good.
    """

    right: Right | None
    role: Role | None = None
    rights: frozenset[Right] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    seen: Callable[[Person], None] | None = None

    def fits(self, person: Person) -> bool:
        """Whether somebody like that may go on."""
        as_before = self.role in (None, person.role) and self.rights in (None, person.rights)
        return as_before and (self.right is None or person.may(self.right))


@dataclass(frozen=True, slots=True)
class SignedInBy:
    """That an identity provider has signed somebody in: its slug here, and their subject and session id there.

    `id_token` is what the provider wants to see when they sign out, sealed (`livemon.access.oidc.hint`).
    """

    provider: str
    subject: str
    sid: str | None
    id_token: str | None = field(repr=False)


def session_id_of(cookie: str) -> str:
    """What a session is known by for good, from the cookie with which it was opened: a renewed one gives another."""
    return hash_of(cookie)


class Sessions:
    """All sessions of one node, and those who come by an API key. `run` has to be running for `hold` to notice what others
    do."""

    def __init__(
        self,
        store: Store,
        *,
        rights: Rights = RIGHTS,
        now: Now = utc_now,
        poll_s: float = POLL_S,
        blind_s: float = BLIND_S,
    ) -> None:
        self._store, self._rights, self._now = store, rights, now
        self._poll_s, self._blind_s = poll_s, blind_s
        self._held: dict[str, set[Held]] = {}
        self._any_held = asyncio.Event()
        self._blind_since: float | None = None
        self._over = False
        self._leaving = Leaving(store, now)
        self._recollection = Recollection()
        self.keys = KeyBearers(store, now=now)

    async def open(
        self,
        user_id: str,
        workspace: str,
        *,
        device: str,
        address: str,
        by: SignedInBy | None = None,
        opening: Callable[[AsyncSession], Awaitable[None]] | None = None,
    ) -> str:
        """Sign somebody in; gives the cookie, which only the browser may know.

        `workspace` is a slug; `device` and `address` are for people to recognise the session by; `by` is the provider,
        if there is one; `opening` comes first in the transaction, and nobody is signed in if it raises. Raises
        `UnknownWorkspace`, `StoreError`.
        """
        async with self._store.session() as session:
            if opening is not None:
                await opening(session)
            cookie = await self.put(session, user_id, workspace, device=device, address=address, by=by)
            await session.commit()
        return cookie

    async def put(
        self,
        session: AsyncSession,
        user_id: str,
        workspace: str,
        *,
        device: str,
        address: str,
        by: SignedInBy | None = None,
    ) -> str:
        """As `open`, within a transaction: the cookie is good once that is committed."""
        cookie, now = new_cookie(), self._now()
        workspace_id = await workspace_with(session, workspace)
        await session.exec(delete(Session).where(col(Session.expires_at) < to_ms(now - KEPT)))
        over = or_(col(Session.ended_at).is_not(None), col(Session.expires_at) <= to_ms(now))
        await session.exec(update(Session).where(over, col(Session.id_token).is_not(None)).values(id_token=None))
        session.add(
            Session(
                id=session_id_of(cookie),
                cookie=hash_of(cookie),
                role=await role_of(session, user_id, workspace_id),
                user_id=user_id,
                workspace_id=workspace_id,
                device=device[:MAX_TEXT],
                address=address[:MAX_TEXT],
                created_at=to_ms(now),
                last_seen_at=to_ms(now),
                expires_at=to_ms(now + ABSOLUTE),
                provider=by and by.provider,
                subject=by and by.subject,
                sid=by and by.sid,
                id_token=by and by.id_token,
            )
        )
        await session.flush()
        return cookie

    async def find(self, cookie: str | None) -> Person | None:
        """Who is behind the cookie; None if nobody, or nobody any more. It counts as use. Raises `StoreError`."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        now, hashed = self._now(), hash_of(cookie)
        async with self._store.session() as session:
            found = self._staying(await read_sessions(session, has_cookie(hashed, now), self._rights, now))
        if not found:
            self._recollection.drop(hashed)
        return await self._seen(next(iter(found.values()), None))

    async def person(self, session_id: str) -> Person | None:
        """As `find`, by the id that a `Person` carries: for a page that asks again over its open socket."""
        found = (await self._read([session_id])).get(session_id)
        if found is None:
            self._recollection.forget(session_id)
        return await self._seen(found)

    async def ids_of(self, cookies: Iterable[str]) -> list[str]:
        """The ids of all sessions that these cookies stand for, good or not, unless they have ended. Raises `StoreError`."""
        now = self._now()
        which = or_(false(), *(has_cookie(hash_of(cookie), now) for cookie in cookies))
        async with self._store.session() as session:
            return list((await session.exec(select(Session.id).where(which, col(Session.ended_at).is_(None)))).all())

    async def renew(self, session_id: str, cookies: list[str]) -> str | None:
        """A new cookie for a session whose present one is among `cookies`, else None (`renewal`). Raises `StoreError`."""
        cookie = await renew(self._store, session_id, cookies, now=self._now)
        if cookie is not None:
            await self.person(session_id)
        return cookie

    def recollect(self, cookie: str) -> Person | None:
        """Who was behind the cookie when the store was last asked, if that was not long ago.

        Only for what has to go on while the store is away: ending a call, and leaving one.
        """
        return self._recollection.of(hash_of(cookie))

    async def end(self, session_id: str) -> None:
        """End the session, and at once whatever holds it here. Harmless if it is over. Raises `StoreError`."""
        self._recollection.forget(session_id)
        await end_in(self._store, [session_id], at=to_ms(self._now()))
        self.let_go(session_id)

    def leave(self, session_id: str) -> None:
        """As `end`, for whoever wants out while the store is away: here it is over at once, there once it is back."""
        self._recollection.forget(session_id)
        self._leaving.add(session_id)
        self.let_go(session_id)

    async def signed_in_by(self, session_id: str) -> SignedInBy | None:
        """The provider that a running session came by; None if it came by a link, or runs no more. Raises `StoreError`."""
        running = (col(Session.id) == session_id, col(Session.ended_at).is_(None))
        async with self._store.session() as session:
            found = (await session.exec(select(Session).where(*running))).first()
        if found is None or found.provider is None or found.subject is None:
            return None
        return SignedInBy(found.provider, found.subject, found.sid, found.id_token)

    def let_go(self, *session_ids: str, over: bool = True) -> None:
        """Tell at once whoever relies on them here; for who has ended them in the store by other means."""
        for session_id in session_ids:
            if over:
                self._recollection.forget(session_id)
                self.keys.forget(session_id)
            for held in self._held.get(session_id, ()):
                held.over = over
                held.ended.set()

    async def look_at(self, session_ids: Iterable[str]) -> None:
        """Look at once whether those who rely on these sessions here may go on; for who has just changed what they may.

        While the store is away nobody is told before the next look of `run`; and nobody is recollected as what they were.
        """
        changed = list(session_ids)
        for session_id in changed:
            self._recollection.forget(session_id)
        watched = {session_id: list(self._held[session_id]) for session_id in changed if session_id in self._held}
        if watched:
            with suppress(StoreError):
                self._judge(watched, await self._read(watched, timeout=POLL_TIMEOUT_S))

    def hold(
        self,
        session_id: str,
        right: Right | None = Right.WATCH,
        *,
        role: Role | None = None,
        rights: frozenset[Right] | None = None,
        seen: Callable[[Person], None] | None = None,
    ) -> AbstractAsyncContextManager[Held]:
        """Rely on a session (and on a right, unless None) for as long as the block lasts, or until `ended` is set.

        With `role`, or `rights` (all that the person has), it is set, too, once the person has others, be it more or less:
        for what was made for just these.

        That is at once for what this process ends, within two seconds for what anybody else does, and when the store
        cannot be read for `BLIND_S`: who cannot be shown to be allowed is not. Leaving the block changes nothing.
        `seen` is told once a second who the session's person is by then; it must return at once and not raise.
        """
        return self._holding(session_id, Held(right, role, rights, seen=seen))

    def holders(self, session_id: str) -> int:
        """How many blocks in this process rely on the session at present."""
        return len(self._held.get(session_id, ()))

    async def run(self) -> None:
        """Watch everything that is held, with one query a second while there is something; for ever.

        What people have left while the store was away ends in it as well.
        """
        self._over = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._leaving.run(), name="sessions left")
                tasks.create_task(self._watch(), name="sessions held")
        finally:
            self._over = True  # nobody looks any more, until it is started again
            self.let_go(*list(self._held), over=False)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._any_held.wait()
            began = loop.time()
            await self._look(began)
            await asyncio.sleep(max(0.0, began + self._poll_s - loop.time()))

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

    async def _seen(self, found: Found | None) -> Person | None:
        """That somebody has asked."""
        if found is None:
            return None
        self._recollection.remember(found.person, found.cookies)
        if found.last_seen_at <= to_ms(self._now() - SEEN_EVERY):
            await self._saw(found.person.session_id)
        return found.person

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
        self._judge(watched, found)

    def _judge(self, watched: dict[str, list[Held]], found: dict[str, Found]) -> None:
        """Tell whoever may not go on, by what the store has said; who has come since is not among them."""
        for session_id, of_session in watched.items():
            person = found[session_id].person if session_id in found else None
            if person is None:
                self._recollection.forget(session_id)
                self.keys.forget(session_id)
            elif found[session_id].cookies:  # a key has none, and is remembered by `keys`
                self._recollection.remember(person, found[session_id].cookies)
            for held in of_session:
                if person is not None and held.seen is not None:
                    held.seen(person)
                if person is None or not held.fits(person):
                    held.over = person is None
                    held.ended.set()

    def _blind(self, now: float, why: str) -> None:
        if self._blind_since is None:
            _log.error("sessions cannot be checked", why=why, everyone_is_out_after_s=self._blind_s)
            self._blind_since = now
        if asyncio.get_running_loop().time() - self._blind_since >= self._blind_s:
            self.let_go(*list(self._held), over=False)

    async def _read(self, session_ids: Iterable[str], *, timeout: float | None = None) -> dict[str, Found]:
        """Those of the sessions and keys that are good now; a key was last seen now."""
        ids, now = list(session_ids), self._now()
        opening = self._store.session() if timeout is None else self._store.session(timeout=timeout)
        async with opening as session:
            found = self._staying(await read_sessions(session, col(Session.id).in_(ids), self._rights, now))
            by_key = await self.keys.read(session, ids)
        return found | {key: Found(person, to_ms(now), ()) for key, person in by_key.items()}

    def _staying(self, found: dict[str, Found]) -> dict[str, Found]:
        """Without those whose people have left."""
        return {session_id: one for session_id, one in found.items() if session_id not in self._leaving}

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
