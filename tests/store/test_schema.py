"""Migrations lead from nothing to exactly the tables in code, from any number of processes, and never backwards."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from livemon.store import schema, upgrade
from livemon.store.errors import NewerDatabase
from livemon.store.store import Store
from livemon.store.tables import Table

OPEN = """
import asyncio, sys
from livemon.store.store import Store

async def open_and_read():
    store = Store(sys.argv[1])
    sys.stdin.readline()  # all start at once
    await store.open()
    print(await store.workspaces())
    await store.close()

print("ready", flush=True)
asyncio.run(open_and_read())
"""

T = TypeVar("T")


async def within(url: str, do: Callable[[Connection], T]) -> T:
    """What `do` gives for a plain connection to the database, in a transaction of its own."""
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(do)
    finally:
        await engine.dispose()


async def tell(url: str, command: str) -> None:
    await within(url, lambda connection: connection.exec_driver_sql(command))


async def ask(url: str, question: str) -> list[tuple]:
    return await within(url, lambda connection: [tuple(row) for row in connection.exec_driver_sql(question)])


async def test_the_migrations_lead_to_the_tables_in_code(store, url):
    def compare(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []
        assert context.get_current_heads() == tuple(ScriptDirectory.from_config(upgrade.config()).get_heads())

    await within(url, compare)


async def test_foreign_keys_and_unique_columns_are_in_the_database_as_in_code(empty_url):
    """What Alembic's comparison leaves out."""

    def constraints(connection: Connection) -> dict[tuple[str, str], list]:
        found = inspect(connection)
        kinds = ("get_foreign_keys", "get_unique_constraints", "get_pk_constraint", "get_indexes")
        return {
            (table, kind): sorted(str(each) for each in _listed(getattr(found, kind)(table)))
            for table in Table.metadata.tables
            for kind in kinds
        }

    await within(empty_url, Table.metadata.create_all)
    wanted = await within(empty_url, constraints)
    await within(empty_url, Table.metadata.drop_all)
    store = Store(empty_url)
    await store.open()
    await store.close()
    assert await within(empty_url, constraints) == wanted


def _listed(found: object) -> list:
    return found if isinstance(found, list) else [found]


def downgrade(connection: Connection, revision: str = "base") -> list[str]:
    settings = upgrade.config()
    settings.attributes["connection"] = connection
    command.downgrade(settings, revision)
    return inspect(connection).get_table_names()


async def test_the_way_back_leaves_nothing(store, url):
    assert await within(url, downgrade) == ["alembic_version"]


async def test_id_tokens_that_stood_there_in_plain_are_gone_and_their_sessions_go_on(store, url):
    await store.close()
    await within(url, lambda connection: downgrade(connection, "0003"))
    await tell(url, "INSERT INTO \"user\" VALUES ('u', 'name:ada', 'Ada', '', 0)")
    columns = "id, user_id, workspace_id, device, address, created_at, last_seen_at, expires_at, id_token"
    values = "'s', 'u', workspace.id, '', '', 0, 0, 1, 'in plain'"
    await tell(url, f"INSERT INTO session ({columns}) SELECT {values} FROM workspace")
    again = Store(url)
    await again.open()
    await again.close()
    assert await ask(url, "SELECT id, cookie, ended_at, id_token FROM session") == [("s", "s", None, None)]


def test_the_steps_have_one_head():
    """Two would be two truths about what comes next; and the code's own, by which a start sees that nothing is to do."""
    assert ScriptDirectory.from_config(upgrade.config()).get_heads() == [schema.REVISION]


def test_a_start_with_nothing_to_change_does_without_alembic(empty_url):
    """Its import costs each start memory and time."""
    look = f"{OPEN}\nprint('alembic' in sys.modules)"
    for needed in (True, False):
        run = subprocess.run(
            [sys.executable, "-c", look, empty_url], input="\n", capture_output=True, text=True, timeout=180, check=True
        )
        assert run.stdout.split("\n")[1:] == ["['default']", str(needed), ""]


async def test_the_workspace_default_is_there_from_the_start(store):
    assert await store.workspaces() == ["default"]


async def test_opening_again_keeps_what_is_there(store, url):
    await tell(url, "INSERT INTO workspace VALUES ('w2', 'second', 'Second', 0)")
    again = Store(url)
    await again.open()
    assert await again.workspaces() == ["default", "second"]
    await again.close()


async def test_stores_of_one_process_may_open_databases_of_their_own_at_once(tmp_path, postgres, new_database):
    """Nothing but livemon itself keeps them apart here, and Alembic keeps what it is doing in globals."""
    urls = [f"sqlite:///{tmp_path}/{n}.db" for n in range(6)] + [postgres.url(new_database()) for _ in range(2)]
    stores = [Store(url) for url in urls]
    await asyncio.gather(*(store.open() for store in stores))
    assert [await store.workspaces() for store in stores] == [["default"]] * 8
    for store in stores:
        await store.close()


async def test_stores_of_one_process_may_open_one_new_database_at_once(empty_url):
    stores = [Store(empty_url) for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    assert [await store.workspaces() for store in stores] == [["default"]] * 8
    for store in stores:
        await store.close()


def test_processes_may_open_one_new_database_at_once(empty_url):
    def start():
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", OPEN, empty_url], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    processes = [start() for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=180)
        assert (process.returncode, out) == (0, "['default']\n"), err


async def test_a_step_that_fails_leaves_nothing_of_it(empty_url, monkeypatch):
    def half(settings, _revision):
        settings.attributes["connection"].exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise KeyError("the rest")

    with monkeypatch.context() as patch:
        patch.setattr(upgrade.command, "upgrade", half)
        with pytest.raises(KeyError):
            await Store(empty_url).open()
    assert await within(empty_url, lambda connection: inspect(connection).get_table_names()) == []
    store = Store(empty_url)
    await store.open()
    assert await store.workspaces() == ["default"]
    await store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(store, url):
    await store.close()
    await tell(url, "UPDATE alembic_version SET version_num = '9042'")
    with pytest.raises(NewerDatabase, match="newer livemon") as refused:
        await Store(url).open()
    assert refused.value.revision == "9042"
    assert "Nothing was changed" in str(refused.value)
    assert "Install that newer version" in str(refused.value)
    assert await ask(url, "SELECT version_num FROM alembic_version") == [("9042",)]
    assert await ask(url, "SELECT slug FROM workspace") == [("default",)]
