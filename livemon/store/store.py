"""The database: opened once a process, and given out as sessions that have a deadline.

SQLite in one file, or PostgreSQL. What stands in it is the business of whoever asks; each `session()` is one transaction
at a time, which its user commits.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from .address import ServerAddress, read_address
from .errors import StoreAway, StoreClosed, StoreError
from .pool import CALL_TIMEOUT_S
from .sqlite import SqliteDatabase
from .tables import Workspace

__all__ = ["Store", "StoreError"]

PING_TIMEOUT_S = 2.0


class _Database(Protocol):
    """What SQLite and PostgreSQL each do in a way of their own. `str()` of it names it to people, without a password."""

    @property
    def path(self) -> Path | None: ...
    @property
    def look_at(self) -> str: ...
    @property
    def errors(self) -> tuple[type[Exception], ...]: ...
    @property
    def hangs_up(self) -> bool: ...
    def prepare(self) -> None: ...
    def engine(self) -> AsyncEngine: ...
    def why(self, error: Exception) -> str: ...


class _Session(AsyncSession):
    """Knows whether it is just being told to keep its changes."""

    committing = False

    async def commit(self) -> None:
        await self.flush()
        self.committing = True
        await super().commit()
        self.committing = False


class Store:
    """`database_url` is `sqlite+aiosqlite:///relative/file.db`, or `postgresql://user:password@host/database`.

    `livemon.store.address` says what else it may be. Raises `UnusableDatabase` for anything else.
    """

    def __init__(self, database_url: str) -> None:
        self._database = _database(read_address(database_url))
        self._engine: AsyncEngine | None = None

    def __str__(self) -> str:
        return str(self._database)

    @property
    def path(self) -> Path | None:
        """SQLite's file; None if the database is a server's."""
        return self._database.path

    async def open(self) -> None:
        """Create what is missing, bring the tables to this version, and be ready. Raises `StoreError`."""
        await asyncio.to_thread(self._database.prepare)
        self._engine = self._database.engine()

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
        session = _Session(self._engine, expire_on_commit=False)
        try:
            async with session, asyncio.timeout(timeout):
                try:
                    yield session
                except asyncio.CancelledError:
                    if self._database.hangs_up:
                        await session.invalidate()
                    raise
        except (TimeoutError, PoolTimeout) as error:
            raise self._away(session, f"no answer within {timeout:g} s") from error
        except IntegrityError:
            raise
        except (DBAPIError, *self._database.errors) as error:
            raise self._away(session, self._database.why(error)) from error

    def _away(self, session: _Session, why: str) -> StoreAway:
        return StoreAway(why, committing=session.committing, look_at=self._database.look_at)

    @asynccontextmanager
    async def snapshot(self, *, timeout: float = CALL_TIMEOUT_S) -> AsyncGenerator[AsyncSession, None]:
        """As `session`, for reading alone: everything as it was at one moment, whatever others write meanwhile."""
        async with self.session(timeout=timeout) as session:
            connection = await session.connection()
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN")  # Python's driver begins none for what only reads
            else:
                await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield session


def _database(address: Path | ServerAddress) -> _Database:
    if isinstance(address, Path):
        return SqliteDatabase(address)
    from .postgres import PostgresDatabase  # asyncpg is for those who have a server

    return PostgresDatabase(address)
