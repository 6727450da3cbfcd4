"""What can be wrong with the database, told in words an operator can act on.

ClickToCallError
├── DatabaseNotUsable        start-up refuses: missing, damaged, not writable, not a database
│   ├── SchemaNotCurrent     the tables are missing, older, newer or incomplete
│   ├── DatabaseInUse        a service, or another program, has it open
│   └── DatabaseServed       another running service has it: one database belongs to one service
├── FileInTheWay             a backup does not overwrite a file unless it is told to
└── StoreUnavailable         (errors.py) the database did not take the record
    ├── FileLost             its file is gone, or another one is in its place
    └── RecordRefused        this one record breaks a rule of the tables; repeating it will not help
"""

import sqlite3
from pathlib import Path

from sqlalchemy import exc as sa

from c2c_stasis.errors import ClickToCallError, StoreUnavailable

UNCONFIRMED = {"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"}  # the disk did not say whether it kept what was written


class DatabaseNotUsable(ClickToCallError):
    """The database cannot be used as it is; the message names it, says why, and what to do."""


class SchemaNotCurrent(DatabaseNotUsable):
    """The tables are not the ones this version works with."""


class DatabaseInUse(DatabaseNotUsable):
    """Somebody has the database open, and what was asked for would pull it away."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file}: is used by a running service or another program; stop that first")


class DatabaseServed(DatabaseNotUsable):
    """A second service shall run on the database of one that runs: it would take over, and end, that one's live calls."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file}: a running service has this database; stop that service, or use a database of its own"
            " ([database] url)"
        )


class FileInTheWay(ClickToCallError):
    """The file that was to be written is there already."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file}: is there already")


class FileLost(StoreUnavailable):
    """The file that we opened has no name any more: what is written to it would be gone with us."""


class RecordRefused(StoreUnavailable):
    """One record breaks a rule of the tables, such as an unknown account or a second `call.end`; nothing of it is recorded."""


def sqlite_name(error: BaseException) -> str:
    """SQLite's own name for what happened, such as `SQLITE_BUSY`; empty when the error is not SQLite's."""
    driver = error.orig if isinstance(error, sa.DBAPIError) else error
    return str(getattr(driver, "sqlite_errorname", "")) if isinstance(driver, sqlite3.Error) else ""


def is_outage(error: BaseException) -> bool:
    """Whether the database as a whole failed, and not one record that it was given."""
    match error:
        case StoreUnavailable():
            return not isinstance(error, RecordRefused)
        case sa.IntegrityError() | sa.DataError() | sa.NotSupportedError():
            return False
        case sa.ProgrammingError() | sa.InterfaceError():  # a value of a wrong type, unless the connection is gone
            return error.connection_invalidated or "closed" in str(error.orig)
        case sa.DBAPIError() | sa.TimeoutError() | sa.ResourceClosedError() | sqlite3.Error() | OSError():
            return True
        case _:
            return False


def lasting(error: BaseException) -> bool:
    """Whether this does not pass by itself: the file is lost or damaged, and somebody must put a good one in its place."""
    return isinstance(error, FileLost) or sqlite_name(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def reason_of(error: BaseException) -> str:
    """What the driver says, without the statement and its values: they hold numbers and names."""
    driver = error.orig if isinstance(error, sa.DBAPIError) else error
    return str(driver) or type(driver).__name__
