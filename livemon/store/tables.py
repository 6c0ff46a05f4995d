"""What is kept in SQL: people, workspaces, who belongs where in which role, sessions and sign-in links.

Secrets are not in here: a session and a link are known by the SHA-256 of what the browser holds. Times are whole
milliseconds since 1970 in UTC. Every change of a table comes with a migration (`migrations/versions/`).
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, MetaData
from sqlmodel import Field, SQLModel

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Migrations address constraints by name, so that each has one."""


class Table(SQLModel):
    """What all tables share; `Table.metadata` describes the whole schema."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMES)  # pyright: ignore[reportIncompatibleVariableOverride]


def _instant(**options: Any) -> Any:
    """A column with milliseconds since 1970."""
    return Field(sa_type=BigInteger, **options)


class Workspace(Table, table=True):
    """A group of people and the calls that they watch; `slug` stands in addresses and in Redis's keys."""

    id: str = Field(primary_key=True)
    slug: str = Field(unique=True)
    name: str
    created_at: int = _instant()


class User(Table, table=True):
    """A person. `key` says by what they are found again: `name:ada` for one who comes by a sign-in link."""

    id: str = Field(primary_key=True)
    key: str = Field(unique=True)
    name: str
    email: str = ""
    created_at: int = _instant()


class Membership(Table, table=True):
    """That somebody belongs to a workspace, and what they are there (`livemon.access.roles.Role`)."""

    user_id: str = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id", ondelete="CASCADE", index=True)
    role: str
    created_at: int = _instant()


class Session(Table, table=True):
    """One browser that is signed in; `id` is the hash of its cookie."""

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    device: str = ""
    address: str = ""
    created_at: int = _instant()
    last_seen_at: int = _instant()
    expires_at: int = _instant(index=True)
    ended_at: int | None = _instant(default=None, nullable=True)


class SignInLink(Table, table=True):
    """A link that signs one person in, once; `id` is the hash of its token."""

    __tablename__ = "sign_in_link"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    created_at: int = _instant()
    expires_at: int = _instant(index=True)
    used_at: int | None = _instant(default=None, nullable=True)
