"""Whether the tables are the ones this version works with, and how they become so."""

import logging
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import SchemaNotCurrent
from c2c_stasis.store.tables import metadata

logging.getLogger("alembic").setLevel(logging.WARNING)  # at INFO it speaks each time a database is opened

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def upgrade(url: str) -> None:
    """Bring the tables to this version, from nothing or from an older one, in one transaction: all of it or nothing.

    Creates the database file when it is missing, but not its folder. Blocks; raises `DatabaseNotUsable`.
    """
    parsed = sqlite.parse_url(url)
    file = sqlite.database_file(parsed)
    sqlite.create_private(file)
    engine = sqlite.migration_engine(parsed)
    try:
        with engine.begin() as connection:
            _require_known(connection, file)
            command.upgrade(migration_config(connection), "head")
            if broken := connection.execute(text("PRAGMA foreign_key_check")).first():
                raise SchemaNotCurrent(f"{file}: after the migration, a row of {broken[0]} would refer to nothing")
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise sqlite.why_not_usable(file, error) from error
    finally:
        engine.dispose()


def head() -> str:
    """The revision of the tables that this version works with."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None  # there is a migration
    return newest


def revisions(connection: Connection, file: Path) -> tuple[str | None, str]:
    """The revision of the tables, None when there are none, and the one of this version.

    Raises `SchemaNotCurrent` for what a newer version, or something else, has made.
    """
    _require_known(connection, file)
    return MigrationContext.configure(connection).get_current_revision(), head()


def require_current(connection: Connection, file: Path) -> None:
    """Raise `SchemaNotCurrent` when the tables are missing, older, newer or incomplete; it names what to do."""
    _require_known(connection, file)
    script = ScriptDirectory.from_config(migration_config(connection))
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present:
        raise SchemaNotCurrent(f"{file}: has no tables yet; run `c2c-stasis init`")
    if present != set(script.get_heads()):
        raise SchemaNotCurrent(
            f"{file}: the tables are those of an older version; run `c2c-stasis migrate`, which makes a backup first"
        )
    if missing := metadata.tables.keys() - set(inspect(connection).get_table_names()):
        raise SchemaNotCurrent(f"{file}: tables are missing: {', '.join(sorted(missing))}; restore a backup")


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration, made in code: there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _require_known(connection: Connection, file: Path) -> None:
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
                f"{file}: was made by a newer c2c-stasis (revision {revision}); install that version"
            ) from error
