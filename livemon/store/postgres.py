"""PostgreSQL: how it is reached and brought to this version, and what its errors mean for whoever runs livemon.

Migrations hold an advisory lock for as long as their one transaction lasts: of two nodes that start at once the second
waits, then finds nothing to do, and a node that dies in a step leaves nothing of it and no lock.
"""

import asyncio
import os
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from . import schema
from .address import ServerAddress
from .errors import StoreAway, StoreError, UnusableDatabase
from .pool import CALL_TIMEOUT_S, POOL

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
LOCK = int.from_bytes(b"livemon")
"""The advisory lock that migrations hold; such locks are each database's own."""
LOOK_AT = "the PostgreSQL server that LIVEMON_DATABASE_URL names"
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What `connect` may raise, and what asyncpg lets through unwrapped."""

_ISOLATION = "READ COMMITTED"
"""Whatever the server's own default is: whoever has waited for a lock must see what its holder did."""


class PostgresDatabase:
    """A database on a server."""

    look_at = LOOK_AT
    path = None
    errors = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    hangs_up = True
    """A connection whose answer nobody waits for any more is closed: rolling back would wait for the same server."""

    def __init__(self, address: ServerAddress) -> None:
        self._address = address

    def __str__(self) -> str:
        return str(self._address)

    def prepare(self) -> None:
        """Bring its tables to this version. Blocking; not for a thread with an event loop. Raises `StoreError`."""
        with schema.one_at_a_time:
            asyncio.run(self._migrate())

    def engine(self) -> AsyncEngine:
        """Its connections, each asked before use whether it still stands."""
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            isolation_level=_ISOLATION,
            pool_pre_ping=True,
            **POOL,
        )

    def why(self, error: Exception) -> str:
        """What happened, in few words."""
        return why(error)

    async def _connect(self) -> "Connection":
        try:
            return await connect(self._address)
        except LOST as error:
            raise StoreAway(why(error), look_at=LOOK_AT) from error

    async def _migrate(self) -> None:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self._address, command_timeout=None),
            isolation_level=_ISOLATION,
            poolclass=NullPool,
        )
        try:
            async with engine.connect() as connection, connection.begin():
                await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{schema.LOCK_TIMEOUT_S:.3f}s'")
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
                if unfit := looked(*(await connection.exec_driver_sql(LOOK)).one()).unfit:
                    raise UnusableDatabase(f"{self._no_start(unfit[0])} {unfit[1]}")
                await connection.run_sync(schema.bring_up_to_date, str(self))
        except (*LOST, DBAPIError) as error:
            raise self._unusable(error) from error
        finally:
            await engine.dispose()

    def _unusable(self, error: Exception) -> StoreError:
        if sqlstate(error) == asyncpg.LockNotAvailableError.sqlstate:
            return StoreAway("another process keeps it locked", look_at="the other livemon that is starting on it")
        return UnusableDatabase(f"{self._no_start(why(error))} {what_to_do(error)}")

    def _no_start(self, why: str) -> str:
        return f"The PostgreSQL database {self} cannot be used ({why}), so livemon does not start."


class Connection(asyncpg.Connection):
    """asyncpg's, whose closing has an end also while the server neither answers nor goes away."""

    async def close(self, *, timeout: float | None = None) -> None:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await super().close(timeout=timeout)


async def connect(address: ServerAddress, *, command_timeout: float | None = CALL_TIMEOUT_S) -> Connection:
    """One connection. Raises what stands in `LOST` (`TimeoutError` among the `OSError`s)."""
    asynchronously = cast("Any", asyncpg)  # asyncpg says of its own types what is not so
    return await asynchronously.connect(
        **address.arguments,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=command_timeout,
        connection_class=Connection,
        server_settings={"application_name": "livemon"},
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What a database is like, before anything is done to it."""

    version: str
    """For people: PostgreSQL's own."""
    has_tables: bool
    unfit: tuple[str, str] | None
    """Why livemon cannot use it, and what to do; None if it can."""


LOOK = """SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1), pg_is_in_recovery(),
current_setting('server_encoding'), current_schema(), to_regclass('alembic_version') IS NOT NULL,
coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"""


async def look(address: ServerAddress) -> Look:
    """Connect and look, and change nothing. Raises what stands in `LOST`."""
    connection = cast("Any", await connect(address))
    try:
        return looked(*await connection.fetchrow(LOOK))
    finally:
        await connection.close()


def looked(version: str, standby: bool, encoding: str, schema: str | None, has_tables: bool, may_make: bool) -> Look:
    """What `LOOK` has found."""
    unfit = None
    if standby:
        unfit = ("it is a standby, which takes no changes", "Name the primary in LIVEMON_DATABASE_URL.")
    elif encoding != "UTF8":
        unfit = (
            f"it keeps text as {encoding}, in which not every name can be written",
            "Make one in UTF-8 (createdb --encoding=UTF8 --template=template0 NAME), and name it in LIVEMON_DATABASE_URL.",
        )
    elif schema is None or not (may_make or has_tables):
        unfit = ("its user may not make tables in it", MAY_NOT)
    return Look(version, has_tables, unfit)


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's code for an error, through whatever SQLAlchemy has wrapped it in."""
    while error is not None:
        code = getattr(error, "sqlstate", None)
        if isinstance(code, str):
            return code
        error = getattr(error, "orig", None) or error.__cause__
    return None


def why(error: BaseException) -> str:
    """What happened, in few words that hold no password."""
    while isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if error.__cause__ is not None and sqlstate(error.__cause__):
        error = error.__cause__  # SQLAlchemy's repeats its own class in the text
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else error.strerror or str(error)
    text = str(error).partition("\n")[0].strip()
    return text.rstrip(".") or type(error).__name__


MAY_NOT = (
    "Give the user that livemon comes as the right to make its tables there: ALTER DATABASE … OWNER TO …, or GRANT USAGE,"
    " CREATE ON SCHEMA public TO …; tables that are there already must be the same user's."
)
_ADVICE = {
    "28": "See that user and password in LIVEMON_DATABASE_URL are right (in them / is written %2F, @ is %40, : is %3A), and"
    " that the server's pg_hba.conf lets that user in from this machine.",
    "3D": "Make the database (createdb --owner=USER NAME), or name another one in LIVEMON_DATABASE_URL.",
    "42501": MAY_NOT,
    "53300": "All of the server's connections are taken: raise max_connections (a livemon node uses up to 15), or end what"
    " takes them.",
    "57P03": "The server is starting or ending: start livemon again in a few seconds.",
    "53100": "Make room on the server's disk.",
}


def what_to_do(error: BaseException) -> str:
    """The advice for whoever starts livemon, by PostgreSQL's code or by the code's class."""
    code = sqlstate(error) or ""
    otherwise = (
        "See that the server runs, that this machine may reach it, and that LIVEMON_DATABASE_URL has the right address."
        if not code
        else "Look into the server's log, mend that, then start livemon again."
    )
    return _ADVICE.get(code) or _ADVICE.get(code[:2]) or otherwise
