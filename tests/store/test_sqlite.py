"""SQLite: its file is for its owner alone, several may open it at once, and what is wrong with it is said with words."""

import os
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import select

from livemon.store import schema, sqlite
from livemon.store.errors import StoreAway, UnusableDatabase
from livemon.store.store import Store
from livemon.store.tables import Workspace
from tests.store.test_store import add, keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "livemon.db"


@pytest.fixture
def database_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


async def test_a_writer_that_never_ends_makes_others_fail_with_words(store, file, url, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
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


async def test_a_file_that_breaks_while_open_is_said_with_words(store, file):
    async with store.session() as session:
        await session.exec(select(Workspace))
    with file.open("r+b") as broken:
        broken.write(b"\xff" * file.stat().st_size)
    file.with_name("livemon.db-wal").unlink(missing_ok=True)
    with pytest.raises(StoreAway, match="Try again"):
        await keys(store)


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


def test_a_new_file_is_switched_to_wal_by_several_at_once(tmp_path, monkeypatch):
    """SQLite answers «locked» at once when two switch together, whatever the timeout."""
    monkeypatch.setattr(schema, "one_at_a_time", threading.Semaphore(100))  # as between processes
    monkeypatch.setattr(schema, "bring_up_to_date", lambda connection, name: None)
    with ThreadPoolExecutor(4) as threads:
        for n in range(40):
            path = tmp_path / f"{n}.db"
            sqlite.make_file(path)
            together = threading.Barrier(4)

            def migrate(path=path, together=together):
                together.wait()
                sqlite.migrate(path)

            for done in [threads.submit(migrate) for _ in range(4)]:
                done.result(60)
            with sqlite3.connect(path) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


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
