"""The audit log: entries, where it ends, and the checkpoints that removed entries leave; in SQLite, kept append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXTS = ("workspace", "action", "outcome", "person_id", "person", "subject", "call_id", "address", "detail")
_GUARDS = (
    ("audit_entry_is_never_changed", "UPDATE ON audit_entry", ""),
    # Entries go only once a checkpoint says that they do: it is written first, in the same transaction.
    (
        "audit_entry_is_not_removed",
        "DELETE ON audit_entry",
        "WHEN OLD.seq > (SELECT coalesce(max(gone), 0) FROM audit_checkpoint)",
    ),
    ("audit_checkpoint_is_never_changed", "UPDATE ON audit_checkpoint", ""),
    ("audit_checkpoint_is_not_removed", "DELETE ON audit_checkpoint", ""),
    ("audit_head_only_grows", "UPDATE ON audit_head", "WHEN NEW.seq < OLD.seq"),
    ("audit_head_is_not_removed", "DELETE ON audit_head", ""),
)
"""Against slips; whoever means it can drop them, and is found by the hashes and the seals."""


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _TEXTS),
        sa.Column("about", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("previous", "hash", "seal")),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_entry"),
    )
    for column in ("at", "call_id", "person_id"):
        op.create_index(f"ix_audit_entry_{column}", "audit_entry", [column])
    op.create_index("ix_audit_entry_workspace", "audit_entry", ["workspace", "seq"])
    _head()
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_checkpoint"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, event, when in _GUARDS:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} {when} BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )


def downgrade() -> None:
    for table in ("audit_checkpoint", "audit_head", "audit_entry"):
        op.drop_table(table)


def _head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    words = [sa.column(name, sa.String()) for name in ("hash", "key_id", "seal")]
    head = sa.table("audit_head", sa.column("id", sa.Integer()), sa.column("seq", sa.BigInteger()), *words)
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64, "key_id": "", "seal": ""}])
