"""Whoever relies on an API key is told within two seconds that it is revoked or has expired, whoever did that where."""

import contextlib

import pytest
from sqlalchemy import event
from sqlmodel import update

from livemon.access.administration import Administration
from livemon.access.api_keys import revoke_key
from livemon.access.roles import Right
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.tables import ApiKey
from tests.access.test_holding import looked, running, told


@pytest.fixture
async def key(sessions, make):
    """Ada's, which is watched."""
    made = await make(days=1)
    async with running(sessions):
        yield made


async def test_what_is_revoked_at_another_node_is_told(sessions, key, sign_in, audit, other_store, clock):
    ada = await sessions.find(await sign_in())
    async with sessions.hold(f"key:{key.id}") as held:
        await revoke_key(Administration(other_store, audit, ada, "", clock), key.id)
        await told(held, "the key was revoked at another node")
        assert held.over


async def test_a_key_that_expires_is_told(sessions, key, clock):
    async with sessions.hold(f"key:{key.id}") as held:
        clock.forward(days=1)
        await told(held, "the key's last day was over")


async def test_a_right_that_a_key_has_not_is_told_and_one_that_it_has_is_not(sessions, key, store):
    async with (
        sessions.hold(f"key:{key.id}", Right.LISTEN) as listens,
        sessions.hold(f"key:{key.id}", Right.END) as ends,
    ):
        await told(listens, "it was held without the right")
        await looked(store, sessions)
        assert not ends.ended.is_set()
        async with store.session() as session:
            await session.exec(update(ApiKey).values(rights="watch"))
            await session.commit()
        await told(ends, "the right was taken out of the row")
        assert not ends.over


async def test_a_key_that_never_was_is_told(sessions, key):
    for name in ("key:0123456789abcdef", "key:", f"key:{key.key}"):
        async with sessions.hold(name) as held:
            await told(held, "it was held, and never was")


@pytest.mark.parametrize("poll_s", [0.05])
async def test_sessions_and_keys_together_cost_two_queries_a_look(store, sessions, make, sign_in):
    queries = []
    async with running(sessions), contextlib.AsyncExitStack() as stack:
        for n in range(10):
            await stack.enter_async_context(sessions.hold(session_id_of(await sign_in(f"Person {n}"))))
            await stack.enter_async_context(sessions.hold(f"key:{(await make(f'Key {n}')).id}"))
        await looked(store, sessions)
        event.listen(store._engine.sync_engine, "before_cursor_execute", lambda *query: queries.append(query[2]))
        await looked(store, sessions)
    assert 4 <= len(queries) <= 6  # the two looks that were awaited, and perhaps one under way


async def test_what_was_known_of_a_key_is_forgotten_by_whoever_holds_it(
    sessions, key, sign_in, audit, other_store, clock
):
    ada = await sessions.find(await sign_in())
    await sessions.keys.admit(key.key, "192.0.2.7", audit)
    assert sessions.keys.recollect(key.key) is not None
    async with sessions.hold(f"key:{key.id}") as held:
        await revoke_key(Administration(other_store, audit, ada, "", clock), key.id)
        await told(held, "the key was revoked at another node")
    assert sessions.keys.recollect(key.key) is None


async def test_nobody_is_recollected_as_what_they_were_once_that_was_changed_here(sessions, key, sign_in, audit):
    """Also who holds nothing here at that moment: with the store away they would go on as before."""
    cookie = await sign_in()
    await sessions.find(cookie)
    await sessions.keys.admit(key.key, "192.0.2.7", audit)
    await sessions.look_at([session_id_of(cookie)])
    sessions.let_go(f"key:{key.id}")
    assert (sessions.recollect(cookie), sessions.keys.recollect(key.key)) == (None, None)


async def test_no_cookie_is_a_key_and_no_key_a_cookie(store, clock, sessions, key):
    assert await sessions.find(f"key:{key.id}") is None
    assert await sessions.find(key.key) is None
    assert (await Sessions(store, now=clock).person(f"key:{key.id}")).name == "Wallboard"
