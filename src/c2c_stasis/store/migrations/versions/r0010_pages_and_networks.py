"""The pages that may act for an account, apart from those of the whole service; from where a key may be used."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns: SQLite does that without touching a row."""
    op.add_column("accounts", sa.Column("cors_origins", sa.Text()))
    op.add_column("keys", sa.Column("networks", sa.Text(), server_default=sa.text("''"), nullable=False))
