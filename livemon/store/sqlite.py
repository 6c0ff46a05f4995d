"""SQLite in one file: how it is made, opened and brought to this version.

SQLite's write lock is taken before the revision is read: of two processes that start at once on one file the second
waits, and a process that dies in a step leaves nothing of it.
"""

import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, PoolProxiedConnection

from . import schema
from .errors import StoreAway, UnusableDatabase
from .pool import POOL

BUSY_TIMEOUT_S = 3.0
"""How long SQLite waits for another writer. That cannot be cut short, and comes on top of what is under way in it."""
LOCK_RETRY_S = 0.02


class SqliteDatabase:
    """The database in `path`, which need not be there yet."""

    look_at = "the disk that holds livemon's data folder"
    errors = ()
    hangs_up = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def prepare(self) -> None:
        """Make the file if there is none, and bring its tables to this version. Blocking. Raises `StoreError`."""
        make_file(self.path)
        migrate(self.path)

    def engine(self) -> AsyncEngine:
        """Its connections, all with foreign keys."""
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self.path)), connect_args={"timeout": BUSY_TIMEOUT_S}, **POOL
        )
        event.listen(engine.sync_engine, "connect", _set_up)
        return engine

    def why(self, error: Exception) -> str:
        """What SQLite said."""
        return str(error.orig if isinstance(error, DBAPIError) else error)


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
    """Bring the file's tables to this version. Raises `NewerDatabase`, `StoreAway`, `UnusableDatabase`."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)), poolclass=NullPool, connect_args={"timeout": schema.LOCK_TIMEOUT_S}
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _take_write_lock)
    try:
        with schema.one_at_a_time, engine.connect() as connection, connection.begin():
            schema.bring_up_to_date(connection, str(path))
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


def _not_openable(path: Path, why: str) -> UnusableDatabase:
    return UnusableDatabase(
        f"The database {path} cannot be opened ({why}), so livemon does not start. Make the file and its folder writable "
        "for the user who runs livemon, or name another file in LIVEMON_DATABASE_URL."
    )


def _set_up(connection: PoolProxiedConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")  # with WAL: at worst the last second is lost, and never the file
    cursor.close()


def _leave_transactions_to_us(connection: PoolProxiedConnection, _record: object) -> None:
    """Python's driver would begin a transaction at the first change only, and none at all for a new table."""
    connection.isolation_level = None  # pyright: ignore[reportAttributeAccessIssue]
    cursor = connection.cursor()
    deadline = time.monotonic() + schema.LOCK_TIMEOUT_S
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
