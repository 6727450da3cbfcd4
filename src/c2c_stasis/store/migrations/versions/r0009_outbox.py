"""What is due is found without sorting, and what belongs to a call without searching; when an endpoint was disabled is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    """Add a column, and write two indexes anew; no row is touched."""
    op.add_column("webhook_endpoints", sa.Column("disabled_at", sa.Float()))
    op.drop_index("ix_webhook_deliveries_due", "webhook_deliveries")
    due = ["endpoint_id", "urgent", "next_attempt_at", "id"]
    op.create_index(
        "ix_webhook_deliveries_due", "webhook_deliveries", due, sqlite_where=PENDING, postgresql_where=PENDING
    )
    op.create_index("ix_webhook_deliveries_call_id", "webhook_deliveries", ["call_id"])
