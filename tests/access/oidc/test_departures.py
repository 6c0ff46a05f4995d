"""Whom a provider signs out while they are signing in gets no session, in whatever order the two reach the database."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from livemon.access import members
from livemon.access.oidc import back_channel, departures
from livemon.access.oidc.errors import SignedOutMeanwhile
from livemon.access.oidc.tokens import Logout
from livemon.access.sessions import SignedInBy
from livemon.store.instants import to_ms
from livemon.store.tables import ProviderLogout, Session

GENEROUS_S = 30.0


class SigningIn:
    """Ada on her way back from a provider; `since` is when she set out."""

    def __init__(self, store, sessions, clock, user_id):
        self.store, self.sessions, self.clock, self.user_id = store, sessions, clock, user_id
        self.since = to_ms(clock())
        self.looked: Callable[[], Awaitable[Any]] | None = None
        """What happens between the look and the end of the transaction."""

    async def finish(self, sid: str | None = "s1", subject: str = "ada", slug: str = "own") -> str:
        async def opening(session):
            await departures.look(session, slug, subject, sid, since=self.since, at=to_ms(self.clock()))
            if self.looked is not None:
                await self.looked()

        by = SignedInBy(slug, subject, sid, None)
        return await self.sessions.open(self.user_id, "default", device="", address="", by=by, opening=opening)


@pytest.fixture
async def ada(store, sessions, clock):
    user_id = await members.find_or_create(store, "Ada")
    await members.set_role(store, user_id, "default", members.Role.ADMIN)
    made = SigningIn(store, sessions, clock, user_id)
    clock.forward(seconds=1)
    return made


async def says_out(store, sessions, clock, subject: str | None = "ada", sid: str | None = "s1", jti: str = "1") -> int:
    """The provider `own` says so, at this node."""
    logout = Logout(jti, subject, sid, clock().timestamp() + 300)

    async def read_logout(_token):
        return logout

    provider: Any = SimpleNamespace(slug="own", read_logout=read_logout)
    return sum(each.sessions for each in await back_channel.end_sessions(store, sessions, provider, "", now=clock))


async def waits_for_a_lock(store) -> None:
    """Until somebody in PostgreSQL does; in SQLite whoever writes waits for whoever writes already, and nobody can tell."""
    look = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(GENEROUS_S), store.session() as session:
        connection = await session.connection()
        while connection.dialect.name == "postgresql" and not (await connection.execute(text(look))).scalar_one():
            await asyncio.sleep(0.01)


async def running(store) -> int:
    async with store.session() as session:
        return len([row for row in (await session.exec(select(Session))).all() if row.ended_at is None])


WHOSE = [("ada", "s1", True), ("ada", None, True), (None, "s1", True), ("ada", "s2", False), ("bob", "s1", False)]
OTHERS = [("bob", None, False), (None, "s2", False)]


@pytest.mark.parametrize(("subject", "sid", "out"), WHOSE + OTHERS)
async def test_a_word_that_came_before_the_session_keeps_it_from_being_opened(
    store, sessions, clock, ada, subject, sid, out
):
    await says_out(store, sessions, clock, subject, sid)
    clock.forward(seconds=1)
    if out:
        with pytest.raises(SignedOutMeanwhile):
            await ada.finish()
    else:
        await ada.finish()
    assert await running(store) == int(not out)


@pytest.mark.parametrize(("subject", "sid", "out"), [("ada", "s9", True), ("ada", None, True), (None, "s9", False)])
async def test_a_session_whose_id_there_is_not_known_may_be_the_one(store, sessions, clock, ada, subject, sid, out):
    await says_out(store, sessions, clock, subject, sid)
    if out:
        with pytest.raises(SignedOutMeanwhile):
            await ada.finish(sid=None)
    else:
        await ada.finish(sid=None)


async def test_the_word_of_another_provider_and_one_that_came_before_the_sign_in_was_begun_keep_nobody_out(
    store, sessions, clock, ada
):
    await says_out(store, sessions, clock)
    await ada.finish(slug="second")
    clock.forward(milliseconds=1)
    ada.since = to_ms(clock())
    await ada.finish()
    assert await running(store) == 2


async def test_two_ids_put_together_are_not_taken_for_two_others(store, sessions, clock, ada):
    await says_out(store, sessions, clock, "ada\n2 s1", None)
    await says_out(store, sessions, clock, "ada", "s1\n2 x", jti="2")
    await ada.finish()


async def test_a_word_that_comes_while_the_session_is_being_opened_waits_and_ends_it(
    store, other_store, sessions, clock, ada
):
    """Another node gets it, after this one has looked and before it has committed."""
    told: list[asyncio.Task[int]] = []

    async def looked():
        told.append(asyncio.create_task(says_out(other_store, sessions, clock)))
        await asyncio.sleep(0)
        await waits_for_a_lock(store)

    ada.looked = looked
    cookie = await ada.finish()
    async with asyncio.timeout(GENEROUS_S):
        assert await told[0] == 1
    assert await sessions.find(cookie) is None


async def test_a_session_that_is_opened_while_the_word_is_being_taken_waits_and_is_not(
    store, other_store, sessions, clock, ada
):
    async with other_store.session() as session:
        await departures.note(session, "own", "ada", "s1", at=to_ms(clock()))
        late = asyncio.create_task(ada.finish())
        await asyncio.sleep(0)
        await waits_for_a_lock(store)
        await session.commit()
    async with asyncio.timeout(GENEROUS_S):
        with pytest.raises(SignedOutMeanwhile):
            await late
    assert await running(store) == 0


async def test_it_is_known_for_longer_than_a_sign_in_may_take_and_then_forgotten(store, sessions, clock, ada):
    await says_out(store, sessions, clock)
    clock.forward(minutes=11)
    with pytest.raises(SignedOutMeanwhile):
        await ada.finish()
    clock.forward(minutes=5)
    await says_out(store, sessions, clock, "bob", None, jti="2")
    async with store.session() as session:
        assert len((await session.exec(select(ProviderLogout))).all()) == 1


async def test_many_who_come_and_go_at_once_hold_nobody_up(store, other_store, sessions, clock, ada):
    """Each pair is locked in the same order."""
    coming = (ada.finish(sid=f"s{n % 3}") for n in range(20))
    going = (says_out(other_store, sessions, clock, "ada", f"s{n % 3}", jti=f"{n}") for n in range(20))
    async with asyncio.timeout(GENEROUS_S * 2):
        done = await asyncio.gather(*coming, *going, return_exceptions=True)
    assert {type(one) for one in done} <= {str, int, SignedOutMeanwhile}
    await says_out(store, sessions, clock, "ada", None, jti="last")
    assert await running(store) == 0
