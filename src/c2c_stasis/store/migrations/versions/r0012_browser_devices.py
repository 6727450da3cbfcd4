"""A device may be a browser."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add a column; no row is touched."""
    op.add_column("devices", sa.Column("type", sa.String(), server_default=sa.text("'sip'"), nullable=False))
