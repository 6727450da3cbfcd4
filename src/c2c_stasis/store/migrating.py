"""Bringing the database to this version, with a copy of what it was. Blocks; it is for the command line."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError

from c2c_stasis.store import schema, sqlite
from c2c_stasis.store.backup import backup, free_name
from c2c_stasis.store.upgrading import upgrade


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done: `before` is None for a database that was made anew, and equal to `after` when nothing was to be done."""

    file: Path
    before: str | None
    after: str
    backup: Path | None


def migrate(url: str, *, with_backup: bool = True) -> Migrated:
    """Make the tables those of this version, in one transaction; first, copy what has to be changed.

    Raises `SchemaNotCurrent` for a database of a newer version, and `DatabaseInUse` when there is something to change and a
    service has it open: that service would meet tables it does not know.
    """
    file = sqlite.database_file(sqlite.parse_url(url))
    before, after = _revision(file), schema.head()
    if before == after:
        return Migrated(file, before, after, None)
    copied: Path | None = None
    if before is not None:
        with sqlite.alone_with(file):
            pass
        if with_backup:
            copied = free_name(file, f"before-migration-{before}")
            backup(url, copied)
    upgrade(url)
    return Migrated(file, before, after, copied)


def _revision(file: Path) -> str | None:
    """Which tables there are. Raises `DatabaseNotUsable`."""
    if not file.exists():
        return None
    engine = create_engine(URL.create("sqlite", database=str(file)))
    try:
        with engine.connect() as connection:
            return schema.revisions(connection, file)[0]
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise sqlite.why_not_usable(file, error) from error
    finally:
        engine.dispose()
