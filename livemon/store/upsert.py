"""`INSERT … ON CONFLICT …`, which SQLite and PostgreSQL both have, and SQLAlchemy has for each in a place of its own."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


def insert(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An insert into `table` with `on_conflict_do_nothing` and `on_conflict_do_update`, for the session's database."""
    return (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(table)
