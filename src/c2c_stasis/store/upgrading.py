"""Making the tables those of this version, with Alembic, which only this needs."""

import logging
import sqlite3

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from c2c_stasis.store import schema, sqlite
from c2c_stasis.store.errors import SchemaNotCurrent

logging.getLogger("alembic").setLevel(logging.WARNING)  # at INFO it speaks each time a database is opened


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
            schema.require_known(connection, file)
            command.upgrade(migration_config(connection), "head")
            if broken := connection.execute(text("PRAGMA foreign_key_check")).first():
                raise SchemaNotCurrent(f"{file}: after the migration, a row of {broken[0]} would refer to nothing")
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise sqlite.why_not_usable(file, error) from error
    finally:
        engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration, made in code: there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
