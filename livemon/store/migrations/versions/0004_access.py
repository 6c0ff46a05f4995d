"""Sessions whose cookie changes, invitations, API keys, how often sign-ins have failed, and whom a provider has signed out.

In PostgreSQL the audit log is kept append-only from here on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FUNCTIONS = {
    "audit_is_append_only": """
        BEGIN
            RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END""",
    # Entries go only once a checkpoint says that they do: it is written first, in the same transaction.
    "audit_entries_go_by_checkpoint": """
        BEGIN
            IF EXISTS (SELECT FROM gone WHERE seq > (SELECT coalesce(max(c.gone), 0) FROM audit_checkpoint c)) THEN
                RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NULL;
        END""",
}
_NEVER = "EXECUTE FUNCTION audit_is_append_only()"
_NO_ROW = f"FOR EACH ROW {_NEVER}"
_GUARDS = (
    ("audit_entry_is_never_changed", "BEFORE UPDATE", "audit_entry", _NO_ROW),
    (
        "audit_entry_is_not_removed",
        "AFTER DELETE",
        "audit_entry",
        "REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_go_by_checkpoint()",
    ),
    ("audit_checkpoint_is_never_changed", "BEFORE UPDATE", "audit_checkpoint", _NO_ROW),
    ("audit_checkpoint_is_not_removed", "BEFORE DELETE", "audit_checkpoint", _NO_ROW),
    ("audit_head_only_grows", "BEFORE UPDATE", "audit_head", f"FOR EACH ROW WHEN (NEW.seq < OLD.seq) {_NEVER}"),
    ("audit_head_is_not_removed", "BEFORE DELETE", "audit_head", _NO_ROW),
    *(
        (f"{table}_is_not_emptied", "BEFORE TRUNCATE", table, f"FOR EACH STATEMENT {_NEVER}")
        for table in ("audit_entry", "audit_checkpoint", "audit_head")
    ),
)
"""Against slips; whoever means it can drop them, and is found by the hashes and the seals."""


def upgrade() -> None:
    _cookies()
    op.add_column("sign_in_attempt", sa.Column("invitation", sa.String(), nullable=True))
    _invitations()
    _keys()
    op.create_table(
        "sign_in_failures",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address", "since", name="pk_sign_in_failures"),
    )
    op.create_index("ix_sign_in_failures_since", "sign_in_failures", ["since"])
    _departures()
    if op.get_bind().dialect.name == "postgresql":
        _append_only()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, _, table, _ in _GUARDS:
            op.execute(f"DROP TRIGGER {name} ON {table}")
        for name in _FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}")
    for table in ("provider_logout", "sign_in_failures", "api_key", "invitation"):
        op.drop_table(table)
    op.drop_column("sign_in_attempt", "invitation")
    for column in ("cookie", "former_cookie"):
        op.drop_index(f"ix_session_{column}", "session")
    for column in ("cookie", "former_cookie", "former_until", "role"):
        op.drop_column("session", column)


def _append_only() -> None:
    """The audit log's guards, as SQLite has had them since 0003; TRUNCATE goes past those of a row."""
    for name, body in _FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    for name, event, table, then in _GUARDS:
        op.execute(f"CREATE TRIGGER {name} {event} ON {table} {then}")


def _departures() -> None:
    op.create_table(
        "provider_logout",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider_logout"),
    )
    op.create_index("ix_provider_logout_expires_at", "provider_logout", ["expires_at"])
    op.execute("UPDATE session SET id_token = NULL")  # it stood there in plain


def _cookies() -> None:
    for column in ("cookie", "former_cookie", "role"):
        op.add_column("session", sa.Column(column, sa.String(), nullable=True))
    op.add_column("session", sa.Column("former_until", sa.BigInteger(), nullable=True))
    op.execute("UPDATE session SET cookie = id")
    op.create_index("ix_session_cookie", "session", ["cookie"], unique=True)
    op.create_index("ix_session_former_cookie", "session", ["former_cookie"])


def _invitations() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(), nullable=False),
        *_of_workspace("invitation"),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        *_person("invitation", "created_by"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        *_person("invitation", "used_by"),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
    )
    for column in ("workspace_id", "created_by", "expires_at", "used_by"):
        op.create_index(f"ix_invitation_{column}", "invitation", [column])


def _keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        *_of_workspace("api_key"),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rights", sa.String(), nullable=False),
        *_person("api_key", "created_by"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("hash", name="uq_api_key_hash"),
    )
    for column in ("workspace_id", "created_by", "expires_at"):
        op.create_index(f"ix_api_key_{column}", "api_key", [column])


def _of_workspace(table: str) -> list[sa.Column[str] | sa.ForeignKeyConstraint]:
    """The column that says which workspace's a row is; it goes with it."""
    name = f"fk_{table}_workspace_id_workspace"
    return [
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=name, ondelete="CASCADE"),
    ]


def _person(table: str, column: str) -> list[sa.Column[str] | sa.ForeignKeyConstraint]:
    """A column that names a person, as long as there is one."""
    name = f"fk_{table}_{column}_user"
    return [
        sa.Column(column, sa.String(), nullable=True),
        sa.ForeignKeyConstraint([column], ["user.id"], name=name, ondelete="SET NULL"),
    ]
