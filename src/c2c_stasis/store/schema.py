"""Whether the tables are the ones this version works with, and how they become so."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import DatabaseNotUsable, SchemaNotCurrent
from c2c_stasis.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


async def upgrade(url: str) -> None:
    """Bring the tables to this version, from nothing or from an older one, in one transaction: all of it or nothing.

    Creates the database file when it is missing, but not its folder. Raises `DatabaseNotUsable`.
    """
    parsed = sqlite.parse_url(url)
    file = sqlite.database_file(parsed)
    sqlite.create_private(file)
    engine = sqlite.migration_engine(parsed)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
            if broken := (await connection.execute(text("PRAGMA foreign_key_check"))).first():
                raise DatabaseNotUsable(f"{file}: after the migration, a row of {broken[0]} refers to nothing")
    except DatabaseNotUsable:
        raise
    except Exception as error:
        raise sqlite.why_not_usable(file, error) from error
    finally:
        await engine.dispose()


async def require_current(engine: AsyncEngine) -> None:
    """Raise `SchemaNotCurrent` when the tables are missing, older, newer or incomplete; it names what to do."""
    async with engine.connect() as connection:
        await connection.run_sync(_require_current)


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration, made in code: there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    _require_known(connection)
    command.upgrade(migration_config(connection), "head")


def _require_known(connection: Connection) -> None:
    """Refuse what a newer version, or something else, has made."""
    script = ScriptDirectory.from_config(migration_config(connection))
    present = MigrationContext.configure(connection).get_current_heads()
    tables = set(inspect(connection).get_table_names())
    if not present and tables - {VERSION_TABLE}:
        raise SchemaNotCurrent(
            "the database has tables that c2c-stasis did not complete, or did not make; name another file"
        )
    for revision in present:
        try:
            script.get_revision(revision)
        except CommandError as error:
            raise SchemaNotCurrent(
                f"the database was made by a newer c2c-stasis (revision {revision}); install that version"
            ) from error


def _require_current(connection: Connection) -> None:
    _require_known(connection)
    script = ScriptDirectory.from_config(migration_config(connection))
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present:
        raise SchemaNotCurrent("the database has no tables yet; run `c2c-stasis init`")
    if present != set(script.get_heads()):
        raise SchemaNotCurrent("the tables are those of an older version; make a backup and run `c2c-stasis migrate`")
    if missing := metadata.tables.keys() - set(inspect(connection).get_table_names()):
        raise SchemaNotCurrent(f"tables are missing: {', '.join(sorted(missing))}; restore a backup")
