"""Sessions of the store have a deadline, are undone unless committed, and fail with words."""

import asyncio
import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from livemon.store import store as store_module
from livemon.store.errors import StoreAway, StoreClosed, UnusableDatabase
from livemon.store.store import Store
from livemon.store.tables import Membership, User, Workspace


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


async def test_readers_do_not_wait_for_a_writer(store, file):
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO user VALUES ('ada', 'name:ada', 'Ada', '', 0)")
    assert await keys(store) == []
    writer.execute("COMMIT")
    writer.close()
    assert await keys(store) == ["name:ada"]


async def test_a_session_that_takes_too_long_ends_with_words(store):
    async def dawdle() -> None:
        async with store.session(timeout=0.05) as session:
            session.add(a_user("ada"))
            await session.flush()
            await asyncio.Event().wait()

    with pytest.raises(StoreAway, match=r"no answer within 0\.05 s.*Nothing was changed.*Try again"):
        await dawdle()
    assert await keys(store) == []


async def test_a_writer_that_never_ends_makes_others_fail_with_words(store, file, url, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_S", 0.1)
    hasty = Store(url)
    await hasty.open()
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked"):
        await add(hasty, "ada")
    writer.execute("ROLLBACK")
    writer.close()
    await add(hasty, "ada")
    assert await keys(hasty) == ["name:ada"]
    await hasty.close()


async def test_time_that_is_up_while_the_database_waits_for_a_lock_is_said_and_costs_one_connection(store, file):
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with store.session(timeout=0.05) as session:
            session.add(a_user("ada"))
            await session.commit()

    with pytest.raises(StoreAway, match="no answer within"):
        await asyncio.wait_for(write(), 60)
    writer.execute("ROLLBACK")
    writer.close()
    await add(store, "bob")
    assert await keys(store) == ["name:bob"]


async def test_more_sessions_than_connections_wait_for_each_other(store):
    await asyncio.gather(*(add(store, f"user-{n}") for n in range(60)))
    assert len(await keys(store)) == 60


async def test_a_file_that_breaks_while_open_is_said_with_words(store, file):
    async with store.session() as session:
        await session.exec(select(Workspace))
    with file.open("r+b") as broken:
        broken.write(b"\xff" * file.stat().st_size)
    file.with_name("livemon.db-wal").unlink(missing_ok=True)
    with pytest.raises(StoreAway, match="Try again"):
        await keys(store)


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


@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite+aiosqlite:///{}"])
async def test_both_forms_of_an_address_name_the_same_file(form, tmp_path):
    store = Store(form.format(tmp_path / "with space % and ö.db"))
    await store.open()
    await store.close()
    assert (tmp_path / "with space % and ö.db").exists()


def test_a_relative_file_is_beneath_the_folder_of_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///mine.db")
    monkeypatch.chdir("/")
    assert store.path == tmp_path / "mine.db"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql+asyncpg://ada:secret@db/livemon", "PostgreSQL is not supported by this version"),
        ("mysql://ada:secret@db/livemon", "mysql databases are not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite+aiosqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x.db", "needs a file"),
        ("sqlite:///x.db?mode=ro", "after a question mark"),
        ("sqlite+pysqlcipher:///x.db", "not supported"),
        ("livemon.db", "not the address of a database"),
        ("", "not the address of a database"),
    ],
)
def test_another_address_is_refused_with_what_to_do(address, why):
    with pytest.raises(UnusableDatabase, match=why) as refused:
        Store(address)
    assert "sqlite+aiosqlite:////var/lib/livemon/livemon.db" in str(refused.value)
    assert "secret" not in str(refused.value)
