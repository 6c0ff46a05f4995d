"""Whoever relies on a session is told within two seconds that it, or the right, is gone; in doubt, it is gone.

Each of these moments is awaited with a generous timeout, and what it took is printed.
"""

import asyncio
import contextlib
import time

import pytest
from sqlalchemy import event

from livemon.access import members
from livemon.access.roles import Right, Role
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.errors import StoreAway

GENEROUS_S = 60.0


@contextlib.asynccontextmanager
async def running(sessions):
    """As the node runs it, and cancels it at its end."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(sessions.run())
        await asyncio.sleep(0)  # it has begun
        yield task
        task.cancel()


@pytest.fixture
async def person(sessions, sign_in):
    """Ada, an Admin, whose session is watched."""
    cookie = await sign_in()
    async with running(sessions):
        yield await sessions.find(cookie)


async def told(held, what: str) -> None:
    began = time.monotonic()
    async with asyncio.timeout(GENEROUS_S):
        await held.ended.wait()
    print(f"told {time.monotonic() - began:.3f} s after {what} (contract: 2 s)")


async def looked(store, sessions) -> None:
    """Wait until the watch has looked at the store after this moment: begun after it, and ended."""
    seen = asyncio.Queue()
    original = sessions._read

    async def read(session_ids, **options):
        found = await original(session_ids, **options)
        seen.put_nowait(found)
        return found

    sessions._read = read
    async with asyncio.timeout(GENEROUS_S):
        for _ in range(2):
            await seen.get()
    sessions._read = original
    await asyncio.sleep(0)  # what was read is judged before anything else is awaited


async def test_what_is_ended_here_is_told_at_once(sessions, person):
    async with sessions.hold(person.session_id) as held:
        await sessions.end(person.session_id)
        assert held.ended.is_set()


async def test_what_another_node_ends_is_told(sessions, person, other_store, clock):
    async with sessions.hold(person.session_id) as held:
        await Sessions(other_store, now=clock).end(person.session_id)
        await told(held, "the end at another node")


async def test_a_role_taken_away_is_told(sessions, person, other_store):
    async with sessions.hold(person.session_id) as held:
        await members.set_role(other_store, person.user_id, "default", Role.MEMBER)
        await told(held, "the role was taken away")


async def test_a_member_removed_is_told(sessions, person, other_store):
    async with sessions.hold(person.session_id, right=None) as held:
        await members.remove(other_store, person.user_id, "default")
        await told(held, "the membership was taken away")


async def test_a_session_grown_old_is_told(sessions, person, clock):
    async with sessions.hold(person.session_id) as held:
        clock.forward(days=7)
        await told(held, "its seven days were over")


async def test_a_session_that_nobody_uses_is_told(sessions, person, clock):
    async with sessions.hold(person.session_id) as held:
        clock.forward(hours=12)
        await told(held, "its twelve idle hours were over")


async def test_a_session_that_is_over_already_is_told(sessions, person):
    await sessions.end(person.session_id)
    async with sessions.hold(person.session_id) as held:
        await told(held, "it was held, long over")
    async with sessions.hold("no such session") as held:
        await told(held, "it was held, and never was")


async def test_what_was_drawn_for_a_role_is_told_of_more_as_of_less(sessions, sign_in, other_store):
    session_id = session_id_of(await sign_in("Bob", Role.MEMBER))
    async with (
        running(sessions),
        sessions.hold(session_id, None, role=Role.MEMBER) as page,
        sessions.hold(session_id, None) as stays,
    ):
        bob = await sessions.person(session_id)
        await members.set_role(other_store, bob.user_id, "default", Role.DEVELOPER)
        await told(page, "a Member became a Developer")
        assert not stays.ended.is_set()
        assert not page.over


@pytest.mark.parametrize("poll_s", [0.05])
async def test_while_everything_is_well_nobody_is_told_anything(store, sessions, person, sign_in):
    other = session_id_of(await sign_in("Bob", Role.DEVELOPER))
    async with sessions.hold(person.session_id) as held, sessions.hold(other) as others:
        await looked(store, sessions)
        assert not held.ended.is_set()
        assert not others.ended.is_set()
        await sessions.end(other)
        assert others.ended.is_set()
        assert not held.ended.is_set()


async def test_each_holder_is_told_of_the_right_that_it_needs(store, sessions, person, other_store):
    async with (
        sessions.hold(person.session_id, Right.MANAGE) as manages,
        sessions.hold(person.session_id, Right.WATCH) as watches,
        sessions.hold(person.session_id, None) as stays,
    ):
        await members.set_role(other_store, person.user_id, "default", Role.DEVELOPER)
        await told(manages, "an Admin became a Developer")
        assert not watches.ended.is_set()
        await members.set_role(other_store, person.user_id, "default", Role.MEMBER)
        await told(watches, "a Developer became a Member")
        await looked(store, sessions)
        assert not stays.ended.is_set()


async def test_who_relies_on_all_rights_is_told_of_any_change_of_them(store, sessions, person, other_store):
    async with (
        sessions.hold(person.session_id, Right.WATCH, rights=person.rights) as exact,
        sessions.hold(person.session_id, None, rights=person.rights) as none_needed,
        sessions.hold(person.session_id, Right.WATCH) as watches,
    ):
        await looked(store, sessions)
        assert not exact.ended.is_set()
        await members.set_role(other_store, person.user_id, "default", Role.DEVELOPER)
        await told(exact, "an Admin became a Developer")
        assert none_needed.ended.is_set()
        assert not watches.ended.is_set()
        assert not exact.over
    developer = await sessions.person(person.session_id)
    async with sessions.hold(person.session_id, Right.WATCH, rights=developer.rights) as exact:
        await members.set_role(other_store, person.user_id, "default", Role.ADMIN)
        await told(exact, "a Developer became an Admin")


async def test_who_it_is_by_then_is_told_at_each_look(sessions, person, other_store):
    """So that whoever relies on the session alone still sees a right go and come back."""
    may = asyncio.Queue()
    async with sessions.hold(
        person.session_id, None, seen=lambda one: may.put_nowait(one.may(Right.TAKE_OVER))
    ) as held:
        for role, wanted in ((Role.MEMBER, False), (Role.DEVELOPER, True), (Role.MEMBER, False)):
            await members.set_role(other_store, person.user_id, "default", role)
            async with asyncio.timeout(GENEROUS_S):
                while await may.get() is not wanted:
                    pass
        assert not held.ended.is_set()


async def test_everyone_who_holds_a_session_is_told(sessions, person):
    async with contextlib.AsyncExitStack() as stack:
        holders = [await stack.enter_async_context(sessions.hold(person.session_id)) for _ in range(50)]
        await sessions.end(person.session_id)
        assert all(held.ended.is_set() for held in holders)


@pytest.mark.parametrize("poll_s", [0.05])
async def test_all_that_is_held_costs_one_query_a_look_and_nothing_costs_none(store, sessions, person, sign_in):
    queries = []
    async with contextlib.AsyncExitStack() as stack:
        for n in range(20):
            await stack.enter_async_context(sessions.hold(session_id_of(await sign_in(f"Person {n}"))))
        await looked(store, sessions)
        event.listen(store._engine.sync_engine, "before_cursor_execute", lambda *query: queries.append(query[2]))
        await looked(store, sessions)
    assert 2 <= len(queries) <= 3  # the two looks that were awaited, and perhaps one under way
    assert sessions._held == {}
    assert not sessions._any_held.is_set()


async def test_leaving_the_block_ends_nothing(sessions, person):
    async with sessions.hold(person.session_id) as held:
        pass
    assert not held.ended.is_set()
    assert await sessions.person(person.session_id) == person


@pytest.mark.parametrize("poll_s", [0.05])
async def test_a_store_that_fails_for_a_moment_ends_nothing(store, sessions, person, monkeypatch):
    failed = asyncio.Event()
    original = sessions._read

    async def fail(session_ids, **options):
        failed.set()
        raise StoreAway("the disk is gone")

    async with sessions.hold(person.session_id) as held:
        monkeypatch.setattr(sessions, "_read", fail)
        async with asyncio.timeout(GENEROUS_S):
            await failed.wait()
        monkeypatch.setattr(sessions, "_read", original)
        await looked(store, sessions)
        assert not held.ended.is_set()
        await members.set_role(store, person.user_id, "default", Role.MEMBER)
        await told(held, "the role was taken away, the store back")


async def test_a_store_that_stays_away_ends_everything(store, clock, sign_in):
    """Who cannot be shown to be allowed is not."""
    sessions = Sessions(store, now=clock, poll_s=0.05, blind_s=0.5)
    session_id = session_id_of(await sign_in())
    async with running(sessions), sessions.hold(session_id) as held:
        await looked(store, sessions)
        assert not held.ended.is_set()
        async with store.session() as session:
            await (await session.connection()).exec_driver_sql("ALTER TABLE membership RENAME TO gone")
            await session.commit()
        await told(held, "the store could not be read any more (0.5 s of patience)")


@pytest.mark.parametrize("poll_s", [0.05])
async def test_with_the_watch_ends_everything_that_relied_on_it(store, sessions, sign_in):
    session_id = session_id_of(await sign_in())
    async with running(sessions) as watch:
        async with sessions.hold(session_id) as held:
            await looked(store, sessions)
            watch.cancel()
            await asyncio.wait([watch])
            assert held.ended.is_set()
        async with sessions.hold(session_id) as later:
            assert later.ended.is_set()


@pytest.mark.parametrize("poll_s", [0.05])
async def test_a_watch_that_is_started_again_watches_again(store, sessions, sign_in):
    session_id = session_id_of(await sign_in())
    async with running(sessions), sessions.hold(session_id) as held:
        await looked(store, sessions)
    async with running(sessions), sessions.hold(session_id) as held:
        await looked(store, sessions)
        assert not held.ended.is_set()
        await sessions.end(session_id)
        assert held.ended.is_set()
