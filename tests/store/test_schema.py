"""Migrations lead from nothing to exactly the tables in code, from any number of processes, and never backwards."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from livemon.store import schema
from livemon.store.errors import NewerDatabase, StoreAway, UnusableDatabase
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


async def test_the_migrations_lead_to_the_tables_in_code(store, file):
    with create_engine(f"sqlite:///{file}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []
        assert context.get_current_heads() == tuple(ScriptDirectory.from_config(schema.config()).get_heads())


async def test_foreign_keys_and_unique_columns_are_in_the_file_as_in_code(store, file):
    """What Alembic's comparison leaves out."""
    fresh = create_engine("sqlite://")
    Table.metadata.create_all(fresh)
    there, wanted = inspect(create_engine(f"sqlite:///{file}")), inspect(fresh)
    for table in Table.metadata.tables:
        for constraints in ("get_foreign_keys", "get_unique_constraints", "get_pk_constraint", "get_indexes"):
            assert getattr(there, constraints)(table) == getattr(wanted, constraints)(table), (table, constraints)


async def test_the_way_back_leaves_nothing(store, file):
    with create_engine(f"sqlite:///{file}").begin() as connection:
        settings = schema.config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_the_steps_have_one_head():
    """Two would be two truths about what comes next."""
    assert len(ScriptDirectory.from_config(schema.config()).get_heads()) == 1


async def test_the_workspace_default_is_there_from_the_start(store):
    assert await store.workspaces() == ["default"]


async def test_the_file_and_its_folder_are_for_their_owner_alone(tmp_path):
    before = os.umask(0)  # the loosest that a machine may have
    try:
        store = Store(f"sqlite+aiosqlite:///{tmp_path}/data/more/livemon.db")
        await store.open()
        await store.workspaces()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    await store.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert modes.pop("more") == 0o700
    assert modes.keys() >= {"livemon.db", "livemon.db-wal"}
    assert set(modes.values()) == {0o600}, modes


async def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    store = Store(f"sqlite:///{folder}/livemon.db")
    await store.open()
    await store.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


async def test_opening_again_keeps_what_is_there(store, url, file):
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO workspace VALUES ('w2', 'second', 'Second', 0)")
    again = Store(url)
    await again.open()
    assert await again.workspaces() == ["default", "second"]
    await again.close()


async def test_stores_of_one_process_may_open_files_of_their_own_at_once(tmp_path):
    """Nothing but livemon itself keeps them apart here, and Alembic keeps what it is doing in globals."""
    stores = [Store(f"sqlite:///{tmp_path}/{n}.db") for n in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    assert [await store.workspaces() for store in stores] == [["default"]] * 8
    for store in stores:
        await store.close()


async def test_stores_of_one_process_may_open_one_new_file_at_once(url):
    stores = [Store(url) for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    assert [await store.workspaces() for store in stores] == [["default"]] * 8
    for store in stores:
        await store.close()


def test_processes_may_open_one_new_file_at_once(url):
    def start():
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", OPEN, url], stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    processes = [start() for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "['default']\n"), err


def test_a_new_file_is_switched_to_wal_by_several_at_once(tmp_path, monkeypatch):
    """SQLite answers «locked» at once when two switch together, whatever the timeout."""
    monkeypatch.setattr(schema, "_one_at_a_time", threading.Semaphore(100))  # as between processes
    monkeypatch.setattr(schema, "_upgrade", lambda connection, path: None)
    with ThreadPoolExecutor(4) as threads:
        for n in range(40):
            path = tmp_path / f"{n}.db"
            schema.make_file(path)
            together = threading.Barrier(4)

            def migrate(path=path, together=together):
                together.wait()
                schema.migrate(path)

            for done in [threads.submit(migrate) for _ in range(4)]:
                done.result(60)
            with sqlite3.connect(path) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_step_that_fails_leaves_nothing_of_it(url, file, monkeypatch):
    def half(settings, _revision):
        settings.attributes["connection"].exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise KeyError("the rest")

    with monkeypatch.context() as patch:
        patch.setattr(schema.command, "upgrade", half)
        with pytest.raises(KeyError):
            await Store(url).open()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    store = Store(url)
    await store.open()
    assert await store.workspaces() == ["default"]
    await store.close()


async def test_a_file_of_a_newer_version_is_refused_and_left_alone(store, url, file):
    await store.close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9042'")
    with pytest.raises(NewerDatabase, match="newer livemon") as refused:
        await Store(url).open()
    assert refused.value.revision == "9042"
    assert "Nothing was changed" in str(refused.value)
    assert "Install that newer version" in str(refused.value)
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9042",)]
        assert connection.execute("SELECT slug FROM workspace").fetchall() == [("default",)]


async def test_a_file_that_is_something_else_is_refused_and_left_alone(url, file):
    file.parent.mkdir()
    file.write_text("These are my notes, and no database. " * 100)
    with pytest.raises(UnusableDatabase, match="is not a SQLite database"):
        await Store(url).open()
    assert file.read_text().startswith("These are my notes")


async def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UnusableDatabase, match="LIVEMON_DATABASE_URL"):
        await Store(f"sqlite:///{tmp_path}/taken/livemon.db").open()


async def test_a_folder_in_place_of_the_file_is_said_with_what_to_do(tmp_path):
    (tmp_path / "livemon.db").mkdir()
    with pytest.raises(UnusableDatabase, match="cannot be opened"):
        await Store(f"sqlite:///{tmp_path}/livemon.db").open()


async def test_a_lock_that_another_process_keeps_is_not_waited_for_for_ever(store, url, file, monkeypatch):
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_S", 0.2)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked"):
        await Store(url).open()
    other.execute("ROLLBACK")
    other.close()
    again = Store(url)
    await again.open()
    await again.close()
