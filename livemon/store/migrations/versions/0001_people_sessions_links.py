"""People, workspaces, memberships, sessions and sign-in links; and the workspace that everyone starts with."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _sessions()
    _links()
    now = int(time.time() * 1000)
    words = [sa.column(name, sa.String()) for name in ("id", "slug", "name")]
    workspace = sa.table("workspace", *words, sa.column("created_at", sa.BigInteger()))
    op.bulk_insert(workspace, [{"id": "default", "slug": "default", "name": "Default", "created_at": now}])


def downgrade() -> None:
    for table in ("sign_in_link", "session", "membership", "workspace", "user"):
        op.drop_table(table)


def _people() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("key", name="uq_user_key"),
    )
    op.create_table(
        "workspace",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("slug", name="uq_workspace_slug"),
    )
    op.create_table(
        "membership",
        *_whose("membership"),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "workspace_id", name="pk_membership"),
    )
    op.create_index("ix_membership_workspace_id", "membership", ["workspace_id"])


def _sessions() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.String(), nullable=False),
        *_whose("session"),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
    )
    for column in ("expires_at", "user_id", "workspace_id"):
        op.create_index(f"ix_session_{column}", "session", [column])


def _links() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("id", sa.String(), nullable=False),
        *_whose("sign_in_link"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_link"),
    )
    for column in ("expires_at", "user_id", "workspace_id"):
        op.create_index(f"ix_sign_in_link_{column}", "sign_in_link", [column])


def _whose(table: str) -> list[sa.Column[str] | sa.ForeignKeyConstraint]:
    """The columns that say whose a row is, and in which workspace; it goes with either."""
    return [
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=f"fk_{table}_user_id_user", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=f"fk_{table}_workspace_id_workspace", ondelete="CASCADE"
        ),
    ]
