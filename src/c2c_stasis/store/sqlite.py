"""What SQLite needs of us: settings of each connection, who may begin which transaction, and proofs that the file is sound."""

import fcntl
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from c2c_stasis.store.errors import DatabaseInUse, DatabaseNotUsable, FileLost, sqlite_name

BUSY_TIMEOUT = 5.0  # seconds to wait for a lock that another process holds
QUICK_CHECK_BELOW = 32_768  # pages of 4 kB: below this, looking at every page at start-up takes well under a second
PENDING_BYTE, LOCKED_BYTES = 0x40000000, 512  # where SQLite locks: pending, reserved, and 510 shared bytes
EXAMPLE = "sqlite+aiosqlite:///c2c.db"
DAMAGED = (
    "the database is damaged; stop the service, and restore a backup with `c2c-stasis restore BACKUP`, which keeps this file,"
    " or save what can be read with `sqlite3 FILE .recover`"
)

# FULL flushes the log at every commit: what was answered with 202 survives a loss of power, which NORMAL does not promise.
WRITER_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
READER_PRAGMAS = ("query_only = ON",)
MIGRATION_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = OFF")  # tables may be rebuilt


def writer_engine(url: URL) -> Engine:
    """One connection that takes the write lock as it begins.

    A transaction that reads first and locks later fails at once when another one wrote in between, whatever the busy timeout
    (SQLITE_BUSY_SNAPSHOT).
    """
    return _prepared(create_engine(url, **_options(1)), "BEGIN IMMEDIATE", WRITER_PRAGMAS)


def reader_engine(url: URL, connections: int) -> AsyncEngine:
    """A few connections that see one state of the database from the first statement of a transaction to its last."""
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), **_options(connections))
    _prepared(engine.sync_engine, "BEGIN", READER_PRAGMAS)
    return engine


def migration_engine(url: URL) -> Engine:
    """One connection for changes of the tables."""
    return _prepared(create_engine(url, **_options(1)), "BEGIN IMMEDIATE", MIGRATION_PRAGMAS)


def _options(connections: int) -> dict[str, Any]:
    return {
        "pool_size": connections,
        "max_overflow": 0,
        "hide_parameters": True,  # else an error tells the values of its statement: numbers and names
        "connect_args": {"timeout": BUSY_TIMEOUT, "isolation_level": None},
    }


def _prepared(engine: Engine, begin: str, pragmas: Sequence[str]) -> Engine:
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin_ourselves(connection: Connection) -> None:
        # The driver would begin only before INSERT, UPDATE and DELETE, and never with the lock.
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin_ourselves)
    return engine


def wait_for_locks(connection: Connection, seconds: float) -> None:
    """Let this connection wait so long for a lock that another process holds; begins no transaction."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA busy_timeout = {math.ceil(seconds * 1000)}")


def parse_url(url: str) -> URL:
    """The URL with the driver we use, whichever SQLite driver it names. Raises `DatabaseNotUsable` when it is no SQLite URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseNotUsable(f"the database URL cannot be read; it looks like {EXAMPLE}") from error
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseNotUsable(f"{parsed.drivername}: this version works with SQLite only, as in {EXAMPLE}")
    path = parsed.database
    absolute = str(Path(path).absolute()) if path and not _in_memory(path) else path
    return parsed.set(drivername="sqlite", database=absolute)


def database_file(url: URL) -> Path:
    """The file the URL names. Raises `DatabaseNotUsable` when it names none, or one that cannot be: its folder is missing."""
    if not url.database or _in_memory(url.database):
        raise DatabaseNotUsable(f"{url.render_as_string()}: the URL must name a file, such as {EXAMPLE}")
    file = Path(url.database)
    if file.is_dir():
        raise DatabaseNotUsable(f"{file}: is a folder; name a file in it")
    if not file.parent.is_dir():
        raise DatabaseNotUsable(f"{file}: the folder {file.parent} does not exist; create it")
    return file


def _in_memory(database: str) -> bool:
    return database == ":memory:" or database.startswith("file:")


def create_private(file: Path) -> None:
    """Create the file, empty and readable for its owner only: it holds names and numbers. SQLite's side files follow it."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseNotUsable(f"{file}: cannot be created: {error.strerror}") from error


def same_file_guard(file: Path) -> Callable[[], None]:
    """A check that the file is still the one it is now: writes to a deleted file would succeed and be lost.

    Raises `DatabaseNotUsable` when there is no file: SQLite would make an empty one.
    """
    if not file.exists():
        raise DatabaseNotUsable(f"{file}: there is no database; run `c2c-stasis init`")

    def identity() -> tuple[int, int]:
        status = file.stat()
        return status.st_dev, status.st_ino

    opened = identity()

    def guard() -> None:
        try:
            same = identity() == opened
        except OSError as error:
            raise FileLost(f"{file}: the database file is gone") from error
        if not same:
            raise FileLost(f"{file}: the database file was replaced while it was in use")

    return guard


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Hold the file so that no SQLite connection reads or writes it. Raises `DatabaseInUse` when one has it open.

    These are SQLite's own locks, taken without SQLite, for it could not lock a file that is damaged: a connection in WAL mode
    keeps the shared range locked for as long as it lives (sqlite.org/lockingv3.html, "os_unix.c"). Not for a process that has
    the same file open itself: POSIX locks of a process go with the first descriptor of the file that it closes.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKED_BYTES, PENDING_BYTE)
        except (BlockingIOError, PermissionError) as error:
            raise DatabaseInUse(file) from error
        yield
    finally:
        os.close(descriptor)


def require_sound(connection: Connection, file: Path) -> None:
    """Raise `DatabaseNotUsable` when pages of the file are damaged; a large file is not read as a whole."""
    if connection.execute(text("PRAGMA page_count")).scalar_one() > QUICK_CHECK_BELOW:
        return
    verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if verdict != "ok":
        raise DatabaseNotUsable(f"{file}: {DAMAGED} ({verdict})")


def why_not_usable(file: Path, error: BaseException) -> DatabaseNotUsable:
    """What an error while opening means, in words; the caller raises it `from` the original."""
    name = sqlite_name(error)
    reasons = {
        "SQLITE_NOTADB": "this file is not a database; name another one",
        "SQLITE_CORRUPT": DAMAGED,
        "SQLITE_CANTOPEN": "cannot be opened; the file and its folder must be writable for the user of the service",
        "SQLITE_READONLY": "is read-only; the file and its folder must be writable for the user of the service",
        "SQLITE_BUSY": "is locked by another process; stop that process and start again",
        "SQLITE_FULL": "the disk is full",
    }
    for prefix, reason in reasons.items():
        if name.startswith(prefix):
            return DatabaseNotUsable(f"{file}: {reason}")
    driver = getattr(error, "orig", None) or error
    return DatabaseNotUsable(f"{file}: {driver}")
