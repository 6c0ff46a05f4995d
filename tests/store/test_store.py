"""Sessions of the store have a deadline, are undone unless committed, and fail with words, on either database."""

import asyncio

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import col, delete, select

from livemon.store.errors import StoreAway, StoreClosed
from livemon.store.store import Store
from livemon.store.tables import Membership, User
from livemon.store.upsert import insert


def a_user(user_id: str) -> User:
    return User(id=user_id, key=f"name:{user_id}", name=user_id, created_at=0)


async def add(store: Store, user_id: str) -> None:
    async with store.session() as session:
        session.add(a_user(user_id))
        await session.commit()


async def keys(store: Store) -> list[str]:
    async with store.session() as session:
        return list((await session.exec(select(User.key))).all())


async def test_what_is_committed_is_there_for_everyone(store, url):
    await add(store, "ada")
    other = Store(url)
    await other.open()
    assert await keys(other) == ["name:ada"]
    await other.close()


async def test_what_is_not_committed_is_undone(store):
    async with store.session() as session:
        session.add(a_user("ada"))
        await session.flush()
    assert await keys(store) == []


async def test_a_row_that_belongs_to_nobody_is_refused(store):
    """SQLite checks foreign keys only when told to, on each connection."""
    async with store.session() as session:
        session.add(Membership(user_id="nobody", workspace_id="default", role="admin", created_at=0))
        with pytest.raises(IntegrityError):
            await session.commit()


async def test_with_a_user_go_the_memberships(store):
    async with store.session() as session:
        session.add(a_user("ada"))
        await session.flush()
        session.add(Membership(user_id="ada", workspace_id="default", role="admin", created_at=0))
        await session.commit()
    async with store.session() as session:
        await session.delete(await session.get(User, "ada"))
        await session.commit()
        assert (await session.exec(select(Membership))).all() == []


async def test_a_session_that_takes_too_long_ends_with_words(store):
    async def dawdle() -> None:
        async with store.session(timeout=0.05) as session:
            session.add(a_user("ada"))
            await session.flush()
            await asyncio.Event().wait()

    with pytest.raises(StoreAway, match=r"no answer within 0\.05 s.*Nothing was changed.*Try again") as away:
        await dawdle()
    assert not away.value.committing
    assert await keys(store) == []


async def test_readers_do_not_wait_for_a_writer(store, url):
    other = Store(url)
    await other.open()
    async with other.session() as writer:
        writer.add(a_user("ada"))
        await writer.flush()
        assert await keys(store) == []
        await writer.commit()
    await other.close()
    assert await keys(store) == ["name:ada"]


async def test_time_that_is_up_while_the_database_waits_for_a_lock_is_said_and_costs_one_connection(store, url):
    async def write() -> None:
        async with store.session(timeout=0.05) as session:
            session.add(a_user("ada"))
            await session.commit()

    other = Store(url)
    await other.open()
    async with other.session() as writer:
        writer.add(a_user("ada"))
        await writer.flush()
        with pytest.raises(StoreAway, match="no answer within"):
            await asyncio.wait_for(write(), 60)
    await other.close()
    await add(store, "bob")
    assert await keys(store) == ["name:bob"]


async def test_a_task_that_is_cancelled_leaves_nothing_behind(store):
    waits = asyncio.Event()

    async def dawdle() -> None:
        async with store.session() as session:
            session.add(a_user("ada"))
            await session.flush()
            waits.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(dawdle())
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await add(store, "ada")
    assert await keys(store) == ["name:ada"]


async def test_that_it_went_away_while_it_kept_a_change_is_said_as_it_is(store):
    """Nobody knows then whether the change is there."""

    def vanish(_connection: object) -> None:
        raise OperationalError("COMMIT", None, ConnectionError("the cable"))

    async with store.session() as session:
        await session.exec(select(User))  # with a connection
    event.listen(store._engine.sync_engine, "commit", vanish)
    with pytest.raises(StoreAway, match="not known") as away:
        await add(store, "ada")
    assert away.value.committing
    event.remove(store._engine.sync_engine, "commit", vanish)


async def test_an_insert_may_give_way_to_what_is_there_or_change_it(store):
    for name in ("Ada", "Ada Lovelace"):
        person = {"id": name, "key": "name:ada", "name": name, "email": "", "created_at": 0}
        async with store.session() as session:
            await session.exec(insert(session, User).values(person).on_conflict_do_nothing(index_elements=["key"]))
            await session.commit()
            assert (await session.exec(select(User.name))).all() == ["Ada"]
    async with store.session() as session:
        put = insert(session, User).values(person)
        await session.exec(put.on_conflict_do_update(index_elements=["key"], set_={"name": "Countess"}))
        await session.commit()
        assert (await session.exec(select(User.id, User.name))).all() == [("Ada", "Countess")]
        await session.exec(delete(User).where(col(User.key) == "name:ada"))


async def test_more_sessions_than_connections_wait_for_each_other(store):
    await asyncio.gather(*(add(store, f"user-{n}") for n in range(60)))
    assert len(await keys(store)) == 60


async def test_a_store_that_is_not_open_says_so(url):
    store = Store(url)
    with pytest.raises(StoreClosed, match="not open"):
        await store.workspaces()
    await store.open()
    await store.ping()
    await store.close()
    await store.close()
    with pytest.raises(StoreClosed):
        await store.ping()


async def test_a_store_may_be_opened_again(url):
    store = Store(url)
    for _ in range(2):
        await store.open()
        assert await store.workspaces() == ["default"]
        await store.close()
