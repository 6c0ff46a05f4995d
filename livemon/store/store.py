"""The database: opened once a process, and given out as sessions that have a deadline.

SQLite in one file. What stands in it is the business of whoever asks; each `session()` is one transaction at most, which
its user commits.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from . import schema
from .errors import StoreAway, StoreClosed, StoreError, UnusableDatabase
from .tables import Workspace

__all__ = ["Store", "StoreError"]

CALL_TIMEOUT_S = 10.0
"""For everything that is done within one `session()`, the wait for a connection included."""
PING_TIMEOUT_S = 2.0
BUSY_TIMEOUT_S = 3.0
"""How long SQLite waits for another writer. That cannot be cut short, and comes on top of what is under way in it."""
CONNECTIONS, MORE_CONNECTIONS = 5, 10


class Store:
    """`database_url` is `sqlite+aiosqlite:///relative/file.db` or `sqlite:////absolute/file.db`.

    Raises `UnusableDatabase` for anything else.
    """

    def __init__(self, database_url: str) -> None:
        self.path = _file_of(database_url)
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        """Create the file if there is none, bring its tables to this version, and be ready. Raises `StoreError`."""
        await asyncio.to_thread(self._prepare)
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self.path)),
            connect_args={"timeout": BUSY_TIMEOUT_S},
            pool_size=CONNECTIONS,
            max_overflow=MORE_CONNECTIONS,
            pool_timeout=CALL_TIMEOUT_S,
        )
        event.listen(engine.sync_engine, "connect", _set_up)
        self._engine = engine

    async def close(self) -> None:
        """Let go of every connection. Harmless if it is closed already."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def ping(self) -> None:
        """Whether the database answers. Raises `StoreError` if it does not."""
        async with self.session(timeout=PING_TIMEOUT_S) as session:
            await session.exec(select(1))

    async def workspaces(self) -> list[str]:
        """The slugs of all workspaces, `default` among them. Raises `StoreError`."""
        async with self.session() as session:
            return list((await session.exec(select(Workspace.slug).order_by(Workspace.slug))).all())

    @asynccontextmanager
    async def session(self, *, timeout: float = CALL_TIMEOUT_S) -> AsyncGenerator[AsyncSession, None]:
        """A session that has `timeout` seconds for everything; what is not committed within them is undone.

        Raises `StoreAway` if the database does not answer, `StoreClosed` if it is not open.
        """
        if self._engine is None:
            raise StoreClosed
        try:
            async with asyncio.timeout(timeout), AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session
        except (TimeoutError, PoolTimeout) as error:
            raise StoreAway(f"no answer within {timeout:g} s") from error
        except IntegrityError:
            raise
        except (DatabaseError, InterfaceError) as error:
            raise StoreAway(str(error.orig)) from error

    def _prepare(self) -> None:
        schema.make_file(self.path)
        schema.migrate(self.path)


def _file_of(database_url: str) -> Path:
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise UnusableDatabase(_not_usable("This text is not the address of a database")) from error
    if url.drivername not in ("sqlite", "sqlite+aiosqlite"):
        what = "PostgreSQL is" if url.get_backend_name() == "postgresql" else f"{url.drivername} databases are"
        raise UnusableDatabase(_not_usable(f"{what} not supported by this version of livemon"))
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UnusableDatabase(
            _not_usable("SQLite needs a file: in memory, everyone would be signed out at each start")
        )
    if url.query:
        raise UnusableDatabase(_not_usable("options after a question mark are not supported"))
    return Path(url.database).absolute()


def _not_usable(why: str) -> str:
    return (
        f"LIVEMON_DATABASE_URL cannot be used: {why}. livemon does not start. Leave it out to have SQLite in the data "
        "folder, or name a file of your own: sqlite+aiosqlite:////var/lib/livemon/livemon.db"
    )


def _set_up(connection: PoolProxiedConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")  # with WAL: at worst the last second is lost, and never the file
    cursor.close()
