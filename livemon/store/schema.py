"""Brings a database's tables to this version, whatever they were before; blocking, so it is run in a thread.

SQLite's write lock is taken before the revision is read and given back with the last step: of two processes that start
at once on one file the second waits, then finds nothing to do, and a process that dies in a step leaves nothing of it.
"""

import os
import sqlite3
import threading
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool, PoolProxiedConnection

from .errors import NewerDatabase, StoreAway, UnusableDatabase

LOCK_TIMEOUT_S = 30.0
"""How long a process waits for another one's migrations."""
LOCK_RETRY_S = 0.02

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that is running in module globals."""


def make_file(path: Path) -> None:
    """The database's file, for its owner's eyes alone, in a folder that is made so too unless it is there already.

    Raises `UnusableDatabase`.
    """
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return  # not opened even to look: closing it would drop the locks that SQLite has on it in this process
    except OSError as error:
        raise _not_openable(path, error.strerror or str(error)) from error


def migrate(path: Path) -> None:
    """Create what is missing, and change what is older. Raises `NewerDatabase`, `StoreAway`, `UnusableDatabase`."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)), poolclass=NullPool, connect_args={"timeout": LOCK_TIMEOUT_S}
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _take_write_lock)
    try:
        with _one_at_a_time, engine.connect() as connection, connection.begin():
            _upgrade(connection, path)
    except DatabaseError as error:
        why = str(error.orig)
        if "unable to open" in why or "readonly" in why:
            raise _not_openable(path, why) from error
        if "not a database" in why:
            raise UnusableDatabase(
                f"The file {path} is not a SQLite database, so livemon does not start with it, and has not changed it. "
                "Move it away, or name another file in LIVEMON_DATABASE_URL."
            ) from error
        raise StoreAway(why) from error
    finally:
        engine.dispose()


def config() -> Config:
    """Alembic's settings, without a file: the steps stand beside this module, in the source tree and in the wheel."""
    settings = Config()
    settings.set_main_option("script_location", "livemon.store:migrations")
    settings.set_main_option("path_separator", "os")
    return settings


def _upgrade(connection: Connection, path: Path) -> None:
    settings = config()
    script = ScriptDirectory.from_config(settings)
    known = {step.revision for step in script.walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise NewerDatabase(str(path), revision, ", ".join(script.get_heads()))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def _not_openable(path: Path, why: str) -> UnusableDatabase:
    return UnusableDatabase(
        f"The database {path} cannot be opened ({why}), so livemon does not start. Make the file and its folder writable "
        "for the user who runs livemon, or name another file in LIVEMON_DATABASE_URL."
    )


def _leave_transactions_to_us(connection: PoolProxiedConnection, _record: object) -> None:
    """Python's driver would begin a transaction at the first change only, and none at all for a new table."""
    connection.isolation_level = None  # pyright: ignore[reportAttributeAccessIssue]
    cursor = connection.cursor()
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not _has_wal(cursor):
        if time.monotonic() > deadline:
            raise StoreAway("another process keeps it locked")
        time.sleep(LOCK_RETRY_S)
    cursor.close()


def _has_wal(cursor: DBAPICursor) -> bool:
    """Switch the file to WAL, in which readers and the writer do not wait for each other; False if others are at it.

    SQLite waits for the write lock by itself, but not for the two locks that the switch takes one after the other.
    """
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return False
    return True


def _take_write_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
