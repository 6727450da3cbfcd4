"""The pages that may act for an account, apart from those of the whole service."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a column: SQLite does that without touching a row."""
    op.add_column("accounts", sa.Column("cors_origins", sa.Text()))
