"""Keys that expire and say when they were used, what sessions are signed with, and when they were revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and a table: SQLite does that without touching a row."""
    for column in ("expires_at", "last_used_at"):
        op.add_column("keys", sa.Column(column, sa.Float()))
    for table in ("accounts", "users"):
        op.add_column(table, sa.Column("sessions_revoked_at", sa.Float()))
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
    )
