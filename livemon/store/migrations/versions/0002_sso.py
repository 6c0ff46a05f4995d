"""Single sign-on: which provider a session came by, the sign-ins that are under way, and the logout tokens used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OF_A_SESSION = ("provider", "subject", "sid", "id_token")


def upgrade() -> None:
    for name in _OF_A_SESSION:
        op.add_column("session", sa.Column(name, sa.String(), nullable=True))
    for name in ("subject", "sid"):
        op.create_index(f"ix_session_{name}", "session", [name])
    texts = [sa.Column(name, sa.String(), nullable=False) for name in ("browser", "provider", "next", "address")]
    _short_lived("sign_in_attempt", *texts)
    op.create_index("ix_sign_in_attempt_address", "sign_in_attempt", ["address"])
    _short_lived("used_token")


def downgrade() -> None:
    op.drop_table("used_token")
    op.drop_table("sign_in_attempt")
    for name in ("subject", "sid"):
        op.drop_index(f"ix_session_{name}", "session")
    for name in _OF_A_SESSION:
        op.drop_column("session", name)


def _short_lived(table: str, *columns: sa.Column[str]) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.String(), nullable=False),
        *columns,
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
