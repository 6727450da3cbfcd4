"""Where users and devices are, and what clients send with numbers and extensions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"


def upgrade() -> None:
    """Add a table and columns: SQLite does that without touching a row."""
    op.create_table(
        "locations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("primary_number_id", sa.String()),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_locations"),
        sa.UniqueConstraint("account_id", "id", name="uq_locations_account_id_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_locations_account_id"),
        sa.ForeignKeyConstraint(
            ["account_id", "primary_number_id"],
            ["phone_numbers.account_id", "phone_numbers.id"],
            name="fk_locations_account_id_primary_number_id",
        ),
    )
    for table in ("users", "devices"):
        op.add_column(table, sa.Column("location_id", sa.String()))
    op.add_column("phone_numbers", sa.Column("kept", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    for table in ("phone_numbers", "extensions"):
        op.add_column(table, sa.Column("updated_at", sa.Float()))
