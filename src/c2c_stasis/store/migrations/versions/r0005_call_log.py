"""The call log: an index for each filter, the number that was shown, and requests that are carried out once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

FILTERED = ("user_id", "direction", "from_number", "to_number")
PARTLY = ("did_id", "status", "outcome")  # null until it is known


def upgrade() -> None:
    """Add a column, a table and indexes; two indexes that others replace are dropped."""
    op.add_column("calls", sa.Column("did_id", sa.String()))
    op.create_table(
        "once",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_once_account_id"),
        sa.PrimaryKeyConstraint("account_id", "livemode", "key", name="pk_once"),
    )
    op.create_index("ix_once_created_at", "once", ["created_at"])
    op.drop_index("ix_calls_account_id_started_at_id", "calls")
    op.drop_index("ix_calls_account_id_user_id_started_at", "calls")
    op.create_index("ix_calls_account_id_livemode_started_at", "calls", ["account_id", "livemode", "started_at"])
    for name in FILTERED:
        columns = ["account_id", "livemode", name, "started_at"]
        op.create_index(f"ix_calls_{'_'.join(columns)}", "calls", columns)
    for name in PARTLY:
        columns = ["account_id", "livemode", name, "started_at"]
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_calls_{name}", "calls", columns, sqlite_where=known, postgresql_where=known)
