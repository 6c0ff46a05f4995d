"""A cookie stands for a person until its session ends, grows old, or the membership is gone."""

from hashlib import sha256

import pytest
from sqlalchemy import event
from sqlmodel import select

from livemon.access import members
from livemon.access.errors import UnknownWorkspace
from livemon.access.roles import Role
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.errors import StoreAway
from livemon.store.tables import Session


async def rows(store):
    async with store.session() as session:
        return (await session.exec(select(Session))).all()


async def test_a_cookie_stands_for_its_person(sessions, sign_in):
    person = await sessions.find(await sign_in("Ada", Role.DEVELOPER))
    assert (person.name, person.email, person.role) == ("Ada", "ada@example.org", Role.DEVELOPER)
    assert person.workspace == "default"


async def test_the_person_is_found_again_by_the_sessions_id(sessions, sign_in):
    cookie = await sign_in()
    person = await sessions.find(cookie)
    assert person.session_id == session_id_of(cookie)
    assert await sessions.person(person.session_id) == person


async def test_two_browsers_of_one_person_have_two_sessions(sessions, sign_in):
    first, second = await sign_in(), await sign_in()
    assert first != second
    await sessions.end(session_id_of(first))
    assert await sessions.find(first) is None
    assert (await sessions.find(second)).name == "Ada"


@pytest.mark.parametrize("cookie", [None, "", "nothing", "x" * 129, "\ud800", "ä" * 43, "' OR 1=1 --"])
async def test_what_is_no_cookie_of_ours_stands_for_nobody(sessions, sign_in, cookie):
    await sign_in()
    assert await sessions.find(cookie) is None


async def test_the_store_knows_no_cookie_and_the_id_is_none(store, sessions, sign_in):
    cookie = await sign_in()
    (row,) = await rows(store)
    assert row.id == sha256(cookie.encode()).hexdigest()
    assert len(cookie) >= 43  # 256 bits
    assert cookie not in repr(row)
    assert await sessions.find(row.id) is None


async def test_device_and_address_are_kept_and_never_endless(store, sessions):
    ada = await members.find_or_create(store, "Ada")
    await sessions.open(ada, "default", device="Firefox " * 1_000, address="192.0.2.7")
    (row,) = await rows(store)
    assert (row.device[:8], len(row.device), row.address) == ("Firefox ", 200, "192.0.2.7")


async def test_an_ended_session_is_over_for_every_node(sessions, sign_in, other_store, clock):
    cookie = await sign_in()
    await Sessions(other_store, now=clock).end(session_id_of(cookie))
    assert await sessions.find(cookie) is None
    await sessions.end(session_id_of(cookie))
    await sessions.end("no such session")


async def test_a_session_outlives_the_server(sessions, sign_in, other_store, clock):
    cookie = await sign_in()
    assert (await Sessions(other_store, now=clock).find(cookie)).name == "Ada"


async def test_a_role_counts_from_the_next_look(store, sessions, sign_in):
    cookie = await sign_in("Ada", Role.ADMIN)
    person = await sessions.find(cookie)
    await members.set_role(store, person.user_id, "default", Role.MEMBER)
    assert (await sessions.find(cookie)).role is Role.MEMBER
    await members.remove(store, person.user_id, "default")
    assert await sessions.find(cookie) is None


async def test_who_was_removed_and_comes_back_has_to_sign_in_anew(store, sessions, sign_in):
    cookie = await sign_in("Ada")
    person = await sessions.find(cookie)
    await members.remove(store, person.user_id, "default")
    again = await sign_in("Ada")
    assert await sessions.find(cookie) is None
    assert (await sessions.find(again)).user_id == person.user_id


async def test_who_is_no_member_has_no_session(sessions, sign_in):
    assert await sessions.find(await sign_in("Bob", role=None)) is None


async def test_a_role_that_only_a_newer_version_knows_lets_nobody_in(store, sessions, sign_in):
    cookie = await sign_in()
    async with store.session() as session:
        await (await session.connection()).exec_driver_sql("UPDATE membership SET role = 'owner'")
        await session.commit()
    assert await sessions.find(cookie) is None


async def test_a_session_that_nobody_uses_ends_after_twelve_hours(sessions, sign_in, clock):
    cookie = await sign_in()
    clock.forward(hours=11, minutes=59)
    assert await sessions.find(cookie)
    clock.forward(hours=11, minutes=59)
    assert await sessions.find(cookie)
    clock.forward(hours=12)
    assert await sessions.find(cookie) is None


async def test_a_session_ends_after_seven_days_of_use(sessions, sign_in, clock):
    cookie = await sign_in()
    for _ in range(7 * 24 - 1):
        clock.forward(hours=1)
        assert await sessions.find(cookie)
    clock.forward(hours=1)
    assert await sessions.find(cookie) is None


async def test_use_is_noted_once_a_minute(store, sessions, sign_in, clock):
    cookie = await sign_in()
    writes = []
    event.listen(
        store._engine.sync_engine,
        "before_cursor_execute",
        lambda _c, _cursor, sql, *_: writes.append(sql) if sql.startswith("UPDATE") else None,
    )
    for _ in range(121):
        await sessions.find(cookie)
        clock.forward(seconds=1)
    assert len(writes) == 2
    (row,) = await rows(store)
    assert row.last_seen_at - row.created_at == 120_000


async def test_that_use_cannot_be_noted_turns_nobody_away(sessions, sign_in, clock, other_store, monkeypatch):
    monkeypatch.setattr("livemon.access.sessions.SEEN_TIMEOUT_S", 0.1)
    cookie = await sign_in()
    clock.forward(hours=1)
    async with other_store.session() as writer:
        await (await writer.connection()).exec_driver_sql("UPDATE session SET device = device")
        assert (await sessions.find(cookie)).name == "Ada"


async def test_a_database_that_does_not_answer_is_said_and_is_not_nobody(store, sessions, sign_in):
    cookie = await sign_in()
    async with store.session() as session:
        await (await session.connection()).exec_driver_sql("DROP TABLE membership")
        await session.commit()
    with pytest.raises(StoreAway):
        await sessions.find(cookie)


async def test_nobody_is_signed_in_to_a_workspace_that_is_not_there(store, sessions):
    ada = await members.find_or_create(store, "Ada")
    with pytest.raises(UnknownWorkspace):
        await sessions.open(ada, "sales", device="", address="")


async def test_sessions_long_over_are_forgotten(store, sign_in, clock):
    await sign_in()
    clock.forward(days=38)
    await sign_in()
    assert len(await rows(store)) == 1
