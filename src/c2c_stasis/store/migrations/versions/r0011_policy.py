"""Accounts have a policy of their own, and a call knows the key with which it was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add two columns; no row is touched."""
    op.add_column("accounts", sa.Column("policy", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("calls", sa.Column("key_id", sa.String()))
