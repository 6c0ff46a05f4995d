"""Brings a database's tables to this version, whatever they were before, on a connection that holds the lock for it.

How that lock is taken is each database's own (`sqlite`, `postgres`): before the revision is read, and given back with the
last step. Of two processes that start at once the second waits, then finds nothing to do.
"""

import threading

from sqlalchemy import Connection, inspect

REVISION = "0004"
"""The newest step in `migrations/versions`."""

LOCK_TIMEOUT_S = 30.0
"""How long a process waits for another one's migrations."""

one_at_a_time = threading.Lock()
"""Within a process: Alembic keeps the migration that is running in module globals."""


def bring_up_to_date(connection: Connection, name: str) -> None:
    """Create what is missing, and change what is older, within the connection's transaction. Raises `NewerDatabase`."""
    if revision_of(connection) == REVISION:
        return
    from .upgrade import upgrade  # Alembic's 10 MB are for the few starts that have something to change

    upgrade(connection, name)


def revision_of(connection: Connection) -> str | None:
    """The newest step that the database has seen; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
