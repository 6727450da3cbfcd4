"""Devices whose endpoint the service makes in Asterisk, and the endpoints of those that were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0006"


def upgrade() -> None:
    """Every device that there is was attached by its name."""
    op.add_column("devices", sa.Column("ha1", sa.String(), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "removed_endpoints",
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("removed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="pk_removed_endpoints"),
    )
