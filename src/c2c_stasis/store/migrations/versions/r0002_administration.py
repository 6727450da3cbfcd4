"""What accounts and users have beside what a call needs, and how they are deleted while the call log stays."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns: SQLite does that without touching a row."""
    op.add_column("accounts", sa.Column("email", sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "accounts", sa.Column("primary_contact_name", sa.String(), server_default=sa.text("''"), nullable=False)
    )
    for table in ("accounts", "users"):
        op.add_column(table, sa.Column("kept", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
        op.add_column(table, sa.Column("deleted_at", sa.Float()))
