"""PostgreSQL: one node migrates at a time, an outage is said and passes, and what is wrong is said with what to do."""

import asyncio
import logging
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from livemon.store import schema
from livemon.store.errors import StoreAway, UnusableDatabase
from livemon.store.postgres import LOCK
from livemon.store.store import Store
from tests.store.test_store import add, keys

PASSWORD = "a secret with @ / : and % in it"
GENEROUS_S = 60


@pytest.fixture
def url(postgres, new_database) -> str:
    """Of an empty database."""
    return postgres.url(new_database())


async def opened(url: str) -> Store:
    store = Store(url)
    await store.open()
    return store


def engine_of(url: str):
    return create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))


async def waits_for_the_lock(connection) -> None:
    """Until somebody else waits for the lock that this connection holds."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not (await connection.exec_driver_sql(waiting)).scalar_one():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("default", ["read committed", "repeatable read"])
async def test_a_second_node_waits_until_the_first_has_migrated_and_finds_nothing_to_do(postgres, url, default):
    postgres.sql(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_isolation = '{default}'")
    engine = engine_of(url)
    async with engine.connect() as first, asyncio.timeout(GENEROUS_S):
        await first.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        second = asyncio.create_task(opened(url))
        waits = asyncio.create_task(waits_for_the_lock(first))
        await asyncio.wait([second, waits], return_when=asyncio.FIRST_COMPLETED)
        assert not second.done()
        await first.run_sync(schema.bring_up_to_date, "it")
        await first.commit()
        store = await second
    assert await store.workspaces() == ["default"]
    await store.close()
    await engine.dispose()


async def test_a_lock_that_another_node_keeps_is_not_waited_for_for_ever(url, monkeypatch):
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_S", 0.2)
    engine = engine_of(url)
    async with engine.connect() as other:
        await other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        with pytest.raises(StoreAway, match=r"locked.*other livemon"):
            await Store(url).open()
    await engine.dispose()
    await (await opened(url)).close()


# ---- outages


async def test_a_server_that_is_stopped_and_started_is_there_again_by_itself(own_postgres):
    store = await opened(own_postgres.url())
    await asyncio.gather(*(add(store, f"user-{n}") for n in range(5)))  # several connections, all of which will die
    own_postgres.stop()
    for _ in range(7):
        with pytest.raises(StoreAway, match=r"Connection refused.*Try again.*PostgreSQL server"):
            await keys(store)
    own_postgres.start()
    assert len(await keys(store)) == 5
    await store.close()


async def test_a_server_that_was_restarted_unnoticed_is_as_good_as_ever(own_postgres):
    store = await opened(own_postgres.url())
    await asyncio.gather(*(add(store, f"user-{n}") for n in range(5)))
    own_postgres.stop()
    own_postgres.start()
    for _ in range(7):
        assert len(await keys(store)) == 5
    await store.close()


async def test_a_connection_that_dies_in_mid_session_is_said_and_nothing_is_kept(postgres, url):
    store = await opened(url)

    async def change() -> None:
        async with store.session() as session:
            await (await session.connection()).exec_driver_sql("INSERT INTO workspace VALUES ('w', 'w', 'W', 0)")
            postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            await session.commit()

    name = url.rpartition("/")[2]
    with pytest.raises(StoreAway):
        await change()
    assert await store.workspaces() == ["default"]
    await store.close()


async def test_a_server_that_answers_nothing_is_not_waited_for(own_postgres):
    store = await opened(own_postgres.url())
    await store.ping()
    own_postgres.freeze()
    for _ in range(2):
        with pytest.raises(StoreAway, match=r"no answer within 0\.3 s"):
            async with asyncio.timeout(GENEROUS_S), store.session(timeout=0.3) as session:
                await (await session.connection()).exec_driver_sql("SELECT 1")
    async with asyncio.timeout(GENEROUS_S):
        await store.close()  # has an end too
    own_postgres.thaw()
    again = await opened(own_postgres.url())
    assert await again.workspaces() == ["default"]
    await again.close()


async def test_a_server_that_freezes_in_mid_session_is_not_waited_for_either(own_postgres):
    store = await opened(own_postgres.url())

    async def change() -> None:
        async with store.session(timeout=0.3) as session:
            await (await session.connection()).exec_driver_sql("INSERT INTO workspace VALUES ('w', 'w', 'W', 0)")
            own_postgres.freeze()
            await session.commit()

    with pytest.raises(StoreAway, match="is not known") as away:
        async with asyncio.timeout(GENEROUS_S):
            await change()
    assert away.value.committing
    own_postgres.thaw()
    assert "default" in await store.workspaces()
    await store.close()


async def test_what_takes_too_long_is_stopped_in_the_server_too(postgres, url):
    store = await opened(url)
    with pytest.raises(StoreAway, match="no answer within"):
        async with store.session(timeout=0.3) as session:
            await (await session.connection()).exec_driver_sql("SELECT pg_sleep(3600)")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)' AND state = 'active'"
    async with asyncio.timeout(GENEROUS_S):
        while postgres.sql(running).strip() != "0":
            await asyncio.sleep(0.05)
    await store.close()


# ---- what is wrong at the start, and what to do


async def refused(url: str) -> str:
    with pytest.raises(UnusableDatabase, match="so livemon does not start") as error:
        await Store(url).open()
    return str(error.value)


async def test_a_server_that_is_not_there_is_said_at_the_start(own_postgres):
    own_postgres.stop()
    words = await refused(own_postgres.url(password="secret"))
    assert "Connection refused" in words
    assert f"postgres at 127.0.0.1:{own_postgres.port}" in words
    assert "See that the server runs" in words
    assert "secret" not in words


async def test_a_name_that_nobody_knows_is_said():
    assert "See that the server runs" in await refused("postgresql://ada:secret@nobody.invalid/livemon")


async def test_a_wrong_password_is_said_and_never_repeated(postgres, caplog):
    caplog.set_level(logging.DEBUG)
    postgres.sql("DROP DATABASE IF EXISTS guarded", "DROP ROLE IF EXISTS guarded")
    postgres.sql(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE guarded OWNER guarded")
    right, wrong = quote(PASSWORD, safe=""), quote(f"{PASSWORD}, wrongly", safe="")
    words = await refused(postgres.url("guarded", "guarded", wrong))
    assert "password authentication failed" in words
    assert "user and password" in words
    store = await opened(postgres.url("guarded", "guarded", right))
    await store.close()
    for form in (PASSWORD, right):
        assert form not in words + caplog.text


async def test_a_database_that_is_not_there_is_said(postgres):
    assert "createdb" in await refused(postgres.url("no_such_database"))


async def test_who_may_make_no_tables_is_told_which_right_is_missing(postgres, new_database):
    name = new_database()
    postgres.sql("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    words = await refused(postgres.url(name, "poor"))
    assert "may not make tables" in words
    assert "GRANT USAGE, CREATE ON SCHEMA public" in words


async def test_tables_that_are_somebody_elses_are_said(postgres, url):
    await (await opened(url)).close()
    postgres.sql("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres.sql("GRANT CREATE ON SCHEMA public TO poor", database=url.rpartition("/")[2])
    words = await refused(url.replace("postgres@", "poor@"))
    assert "permission denied for table alembic_version" in words
    assert "same user's" in words


async def test_a_database_that_cannot_hold_every_name_is_refused(postgres, new_database):
    name = new_database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    assert "--encoding=UTF8" in await refused(postgres.url(name))


async def test_a_server_without_tls_is_not_used_where_tls_is_asked_for(postgres, url):
    assert "SSL" in await refused(f"{url}?ssl=require")
