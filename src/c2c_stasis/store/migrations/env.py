"""What Alembic runs to migrate: on the connection, and inside the transaction, that `store.upgrading` gives it."""

from alembic import context

from c2c_stasis.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
)
with context.begin_transaction():
    context.run_migrations()
