"""The tables, as SQLAlchemy Core sees them; `migrations/` creates them, and a test holds the two together.

Ids are TypeIDs as text. Wall times are Unix seconds. Whatever belongs to an account refers to it together with the account's
id, so that the database itself refuses a device, an extension or a call that crosses accounts.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

platforms = Table(
    "platforms",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", Float, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("platform_id", ForeignKey("platforms.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("region", String, nullable=False),
    Column("extension_length", Integer, nullable=False),
    Column("timezone", String, nullable=False),
    Column("caller_number_id", String),  # no foreign key: it would close a circle; provisioning checks it
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("email", String, server_default=text("''"), nullable=False),
    Column("primary_contact_name", String, server_default=text("''"), nullable=False),
    Column("kept", Text, server_default=text("'{}'"), nullable=False),
    Column("deleted_at", Float),  # the row stays, without what is personal: the call log refers to it
    Column("sessions_revoked_at", Float),
    Column("cors_origins", Text),  # without any, those of the whole service count
    Column("policy", Text, server_default=text("'{}'"), nullable=False),
)

phone_numbers = Table(
    "phone_numbers",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("number", String, nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    Column("outbound_enabled", Boolean, nullable=False),
    Column("caller_id_name", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("kept", Text, server_default=text("'{}'"), nullable=False),
    Column("updated_at", Float),
    UniqueConstraint("account_id", "id"),
)

locations = Table(
    "locations",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("address", Text, nullable=False),
    Column("primary_number_id", String),
    Column("kept", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "primary_number_id"], ["phone_numbers.account_id", "phone_numbers.id"]),
)

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False),
    Column("do_not_disturb", Boolean, nullable=False),
    Column("caller_number_id", String),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("kept", Text, server_default=text("'{}'"), nullable=False),
    Column("deleted_at", Float),  # as with accounts
    Column("sessions_revoked_at", Float),
    # No foreign key, for which SQLite would have to write every row anew, and calls refer to them; provisioning checks it.
    Column("location_id", String),
    UniqueConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "caller_number_id"], ["phone_numbers.account_id", "phone_numbers.id"]),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("endpoint", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("location_id", String),  # as with users
    Column("ha1", String, server_default=text("''"), nullable=False),  # of a provisioned device; else empty
    Column("type", String, server_default=text("'sip'"), nullable=False),
    ForeignKeyConstraint(["account_id", "user_id"], ["users.account_id", "users.id"]),
    Index(None, "account_id", "user_id"),
)

# Of provisioned devices that were deleted. Asterisk may be away then, or bring them back later: after a crash, or with an older
# copy of its state. So they are removed at every connect.
removed_endpoints = Table(
    "removed_endpoints",
    metadata,
    Column("endpoint", String, primary_key=True),
    Column("removed_at", Float, nullable=False),
)

extensions = Table(
    "extensions",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("number", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float),
    ForeignKeyConstraint(["account_id", "user_id"], ["users.account_id", "users.id"]),
    Index(None, "account_id", "user_id"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("platform_id", ForeignKey("platforms.id"), nullable=False, index=True),
    Column("digest", String, nullable=False, unique=True),
    Column("hint", String, nullable=False),
    Column("livemode", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("expires_at", Float),
    Column("last_used_at", Float),
    Column("networks", Text, server_default=text("''"), nullable=False),  # empty: from everywhere
)

# A secret that is kept as it is: who can read it can make sessions.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("private_key", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

# The snapshot is the whole call and the truth; every other column of `calls` and `legs` repeats a part of it to search by.
# Legs have rows from the end of their call on.
# Devices may be deleted and the log stays: so `device_id` is no foreign key here.
calls = Table(
    "calls",
    metadata,
    Column("id", String, primary_key=True),
    Column("platform_id", ForeignKey("platforms.id"), nullable=False),
    Column("account_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("device_id", String),  # the device that won side A
    Column("state", String, nullable=False),
    Column("dial_string", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("destination_kind", String, nullable=False),
    Column("from_number", String, nullable=False),
    Column("from_name", String, nullable=False),
    Column("to_number", String, nullable=False),
    Column("to_name", String, nullable=False),
    Column("status", String),
    Column("outcome", String),
    Column("reason", String),
    Column("ended_by", String),
    Column("failed_leg", String),
    Column("cause", Integer),
    Column("sip_code", Integer),
    Column("started_at", Float, nullable=False),
    Column("initiated_at", Float),
    Column("answered_at", Float),
    Column("connected_at", Float),
    Column("ended_at", Float),
    Column("livemode", Boolean, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("did_id", String),  # the account's number that was shown; numbers may be deleted, and the log stays
    Column("key_id", String),  # the key with which the call was asked for
    ForeignKeyConstraint(["account_id", "user_id"], ["users.account_id", "users.id"]),
    # One index for each filter of the call log, in the order in which it is read. None holds what changes while a call lives:
    # the four records of a call would write it four times.
    Index(None, "account_id", "livemode", "started_at"),
    Index(None, "account_id", "livemode", "user_id", "started_at"),
    Index(None, "account_id", "livemode", "direction", "started_at"),
    Index(None, "account_id", "livemode", "from_number", "started_at"),
    Index(None, "account_id", "livemode", "to_number", "started_at"),
    *(
        Index(
            f"ix_calls_{name}",
            *("account_id", "livemode", name, "started_at"),
            sqlite_where=text(f"{name} IS NOT NULL"),
            postgresql_where=text(f"{name} IS NOT NULL"),
        )
        for name in ("did_id", "status", "outcome")
    ),
    Index("ix_calls_live", "id", sqlite_where=text("state <> 'ended'"), postgresql_where=text("state <> 'ended'")),
)

# Requests that have a name: `Idempotency-Key`. A call may be deleted before its row here is a day old, so it is no foreign key.
once = Table(
    "once",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("livemode", Boolean, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("call_id", String, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
)

legs = Table(
    "legs",
    metadata,
    Column("id", String, primary_key=True),
    Column("call_id", ForeignKey("calls.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("side", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("device_id", String),
    Column("device", String, nullable=False),
    Column("contact", String, nullable=False),
    Column("user_agent", String, nullable=False),
    Column("state", String, nullable=False),
    Column("outcome", String),
    Column("won", Boolean, nullable=False),
    Column("cause", Integer),
    Column("sip_code", Integer),
    Column("dialled_at", Float),
    Column("invited_at", Float),
    Column("ringing_at", Float),
    Column("answered_at", Float),
    Column("ended_at", Float),
)

events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("account_sequence", BigInteger, nullable=False),
    Column("call_id", ForeignKey("calls.id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("account_id", "account_sequence"),
    UniqueConstraint("call_id", "sequence"),
    CheckConstraint("sequence > 0", name="sequence_from_1"),
    Index(
        "uq_events_one_call_end",
        "call_id",
        unique=True,
        sqlite_where=text("type = 'call.end'"),
        postgresql_where=text("type = 'call.end'"),
    ),
)

# Beside the account and not in it: this row is locked by every transaction that writes an event of the account.
event_counters = Table(
    "event_counters",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
)

# The secrets are kept as they are, for they must sign: who can read them can make events that look like ours.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("url", String, nullable=False),
    Column("events", Text, nullable=False),
    Column("livemode", Boolean, nullable=False),
    Column("secret", String, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("previous_secret", String),
    Column("previous_until", Float),
    Column("failing_since", Float),
    Column("disabled_reason", String),
    Column("created_at", Float, nullable=False),
    Column("disabled_at", Float),  # the last time; what is older is not sent when the endpoint is enabled again
    Column("deleted_at", Float),  # the row stays until what was sent there is removed, little by little
    UniqueConstraint("account_id", "id"),
)

# The outbox: a row for each event and endpoint, written with the event. Of a call's events for one endpoint only the first
# that is pending has a time: the others follow, each when the one before is settled. `line` is the call they belong to; what
# has none waits for nothing. An event without a call has its `body` here. Events may be forgotten earlier: so there is no
# foreign key.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("endpoint_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("call_id", String, index=True),
    Column("line", String),
    Column("position", Integer, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Float),
    Column("settled_at", Float),
    Column("created_at", Float, nullable=False),
    Column("body", LargeBinary),
    ForeignKeyConstraint(["account_id", "endpoint_id"], ["webhook_endpoints.account_id", "webhook_endpoints.id"]),
    Index(None, "endpoint_id", "created_at", "id"),
    Index("ix_webhook_deliveries_settled", "settled_at"),
    Index(
        "ix_webhook_deliveries_due",
        *("endpoint_id", "urgent", "next_attempt_at", "id"),
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "ix_webhook_deliveries_line",
        *("endpoint_id", "line", "position"),
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", ForeignKey("webhook_deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

DIRECTORY_REVISION = "directory_revision"  # counts the changes of the directory
CHECKS = "checks"  # counts the proofs that the database can be written
