"""What is kept in SQL: people, workspaces, who belongs where in which role, sessions, sign-in links, invitations and
sign-ins begun, API keys, the audit log.

Secrets are not in here: a session, a link and a key are known by the SHA-256 of what the browser or machine holds. Times
are whole milliseconds since 1970 in UTC. Every change of a table comes with a migration (`migrations/versions/`).
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, MetaData
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
    """A person. `key` says by what they are found again: `name:ada` for one who comes by a sign-in link, `oidc:<issuer>
    <sub>` for one whom an identity provider knows (never the e-mail address, which may pass on to somebody else)."""

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
    """One browser that is signed in; `cookie` is the hash of what it holds, and changes where `id` does not.

    `role` is the one for which that cookie was given; `former_cookie` goes on until `former_until`, for requests that were
    under way when it changed. Signed in by an identity provider it also has the provider's slug, the subject and session
    id there, and, while it lasts, the ID token, which the provider asks for when somebody signs out: encrypted with a key
    that the browser has (`livemon.access.oidc.hint`).
    """

    id: str = Field(primary_key=True)
    cookie: str | None = Field(default=None, unique=True, index=True)
    former_cookie: str | None = Field(default=None, index=True)
    former_until: int | None = _instant(default=None, nullable=True)
    role: str | None = None
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    device: str = ""
    address: str = ""
    created_at: int = _instant()
    last_seen_at: int = _instant()
    expires_at: int = _instant(index=True)
    ended_at: int | None = _instant(default=None, nullable=True)
    provider: str | None = None
    subject: str | None = Field(default=None, index=True)
    sid: str | None = Field(default=None, index=True)
    id_token: str | None = None


class SignInLink(Table, table=True):
    """A link that signs one person in, once; `id` is the hash of its token."""

    __tablename__ = "sign_in_link"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    created_at: int = _instant()
    expires_at: int = _instant(index=True)
    used_at: int | None = _instant(default=None, nullable=True)


class SignInAttempt(Table, table=True):
    """That a browser has gone to a provider to sign in. `id` is the hash of the state, `browser` that of its cookie."""

    __tablename__ = "sign_in_attempt"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    browser: str
    provider: str
    next: str = ""
    address: str = Field(default="", index=True)
    invitation: str | None = None
    """The invitation with which they come, by its id."""
    expires_at: int = _instant(index=True)


class UsedToken(Table, table=True):
    """That a provider's logout token was used; `id` is the hash of who issued it and its id there."""

    __tablename__ = "used_token"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    expires_at: int = _instant(index=True)


class ProviderLogout(Table, table=True):
    """When (`at`) a provider has signed somebody out, kept as long as a sign-in may be under way; 0: it has not.

    `id` is the hash of the provider and of whom it is about; its row is the lock between ending and opening a session.
    """

    __tablename__ = "provider_logout"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    at: int = _instant()
    expires_at: int = _instant(index=True)


class Invitation(Table, table=True):
    """A link by which somebody joins a workspace in a role, once; `id` is the hash of its token.

    `name` is what the Admin calls the invited; `created_by` and `used_by` are people's ids.
    """

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    role: str
    name: str = ""
    created_by: str | None = Field(default=None, foreign_key="user.id", ondelete="SET NULL", index=True)
    created_at: int = _instant()
    expires_at: int = _instant(index=True)
    used_at: int | None = _instant(default=None, nullable=True)
    used_by: str | None = Field(default=None, foreign_key="user.id", ondelete="SET NULL", index=True)
    revoked_at: int | None = _instant(default=None, nullable=True)


class ApiKey(Table, table=True):
    """What a machine asks with; `hash` is that of the key, `id` is no secret, `rights` has names with spaces between."""

    __tablename__ = "api_key"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", index=True)
    name: str
    rights: str
    created_by: str | None = Field(default=None, foreign_key="user.id", ondelete="SET NULL", index=True)
    created_at: int = _instant()
    expires_at: int = _instant(index=True)
    revoked_at: int | None = _instant(default=None, nullable=True)
    last_used_at: int | None = _instant(default=None, nullable=True)


class SignInFailures(Table, table=True):
    """How often nobody could be let in, by where it came from and the window of time (its beginning)."""

    __tablename__ = "sign_in_failures"  # pyright: ignore[reportAssignmentType]

    address: str = Field(primary_key=True)
    since: int = _instant(primary_key=True, index=True)
    count: int


class AuditEntry(Table, table=True):
    """One act (`livemon.store.audit.acts`), never changed; names and slugs as they were then, bound to no other table."""

    __tablename__ = "audit_entry"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_audit_entry_workspace", "workspace", "seq"),)

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: int = _instant(index=True)
    workspace: str
    action: str
    outcome: str
    person_id: str = Field(index=True)
    person: str
    subject: str
    call_id: str = Field(index=True)
    address: str
    detail: str
    """A JSON object, in the form in which it is hashed."""
    about: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    """The number of the entry that this one follows up."""
    previous: str
    hash: str
    seal: str


class AuditHead(Table, table=True):
    """Where the audit log ends, in one row, which is also the lock of whoever writes the next entry."""

    __tablename__ = "audit_head"  # pyright: ignore[reportAssignmentType]

    id: int = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    hash: str
    key_id: str
    seal: str


class AuditCheckpoint(Table, table=True):
    """Up to where entries were removed for their age, or up to where they were sealed with an earlier key.

    `seq` and `hash` are those of the last entry that it is about; all up to `gone` had been removed by then.
    """

    __tablename__ = "audit_checkpoint"  # pyright: ignore[reportAssignmentType]

    id: int = Field(primary_key=True)
    reason: str
    seq: int = Field(sa_type=BigInteger)
    hash: str
    gone: int = Field(sa_type=BigInteger)
    at: int = _instant()
    key_id: str
    seal: str
