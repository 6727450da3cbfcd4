"""Copies of the database: one that is consistent although the service writes, and one put in the place of another.

All of it blocks; it is for the command line. A copy is written beside its place, checked, flushed and then renamed, so that
there is never half a file, and it is one file: nothing of it is left in a `-wal` beside it.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError

from c2c_stasis.store import schema, sqlite
from c2c_stasis.store.errors import DatabaseNotUsable, FileInTheWay, SchemaNotCurrent
from c2c_stasis.store.ownership import served_by_nobody

_SIDE_FILES = ("-wal", "-shm", "-journal")
_OCCASION = "before-restore"
_NEVER_REACHED = 1_000_000  # more events than an account has between a backup and its use


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds, as it was counted in the copy. `current` is false for one that has to be migrated."""

    calls: int
    live_calls: int
    events: int
    size: int  # bytes
    current: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` did; `kept` is the file that was in the place before."""

    contents: Contents
    kept: Path | None


def backup(url: str, target: Path, *, force: bool = False) -> Contents:
    """Copy the database as it is committed at one moment, whoever writes it meanwhile.

    Whatever was committed before is in it. The file belongs to its owner alone. Raises `FileInTheWay` unless told to overwrite,
    and `DatabaseNotUsable`.
    """
    source = sqlite.database_file(sqlite.parse_url(url))
    if not source.exists():
        raise DatabaseNotUsable(f"{source}: there is no database")
    if target.exists():
        if target.samefile(source):
            raise DatabaseNotUsable(f"{target}: is the database itself; name another file")
        if not force:
            raise FileInTheWay(target)
    if any(side.exists() for side in _side_files(target)):  # SQLite would take them for part of the new file
        raise DatabaseNotUsable(f"{target}: has a -wal or -journal beside it, so it is no backup; name another file")
    with _checked_copy(source, target) as (copy, contents):
        if force:
            copy.replace(target)
        else:
            try:
                os.link(copy, target)
            except FileExistsError as error:
                raise FileInTheWay(target) from error
        _flush_folder(target.parent)
    return contents


def restore(source: Path, url: str) -> Restored:
    """Put a copy of this backup in the place of the database, and keep what was there.

    What was there may also be lost, and only its log be left. Raises `DatabaseInUse` while anybody has the database open,
    `DatabaseServed` while a service runs with it, also one whose file was moved away, and `DatabaseNotUsable` for a backup that
    is damaged, is no database of ours, or was made by a newer version; then nothing is changed.
    """
    file = sqlite.database_file(sqlite.parse_url(url))
    if not source.is_file():
        raise DatabaseNotUsable(f"{source}: there is no such backup")
    if file.exists() and source.samefile(file):
        raise DatabaseNotUsable(f"{source}: is the database itself; name a backup of it")
    if file.exists():
        with sqlite.alone_with(file):
            pass  # else a large copy would be made for nothing
    with served_by_nobody(file), _checked_copy(source, file) as (copy, contents):
        _leave_out_numbers(copy)
        if not file.exists():
            with suppress(PermissionError):
                _give(copy, file.parent.stat())
            _set_side_files_aside(file, free_name(file, _OCCASION))
            os.link(copy, file)
            _flush_folder(file.parent)
            return Restored(contents, None)
        with sqlite.alone_with(file):
            with suppress(PermissionError):
                _give(copy, file.stat())
            return Restored(contents, _exchange(copy, file))


def free_name(file: Path, occasion: str) -> Path:
    """A name beside the file that nothing has: `c2c.db.before-restore-20261123-101500`."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = file.with_name(f"{file.name}.{occasion}-{stamp}")
    number = 1
    while any(taken.exists() for taken in (name, *_side_files(name))):
        number += 1
        name = file.with_name(f"{file.name}.{occasion}-{stamp}-{number}")
    return name


@contextmanager
def _checked_copy(source: Path, target: Path) -> Iterator[tuple[Path, Contents]]:
    """A sound copy of a database, beside where it shall be; what of it is still there at the end is removed."""
    if not target.absolute().parent.is_dir():
        raise DatabaseNotUsable(f"{target}: the folder {target.absolute().parent} does not exist; create it")
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.absolute().parent)  # mode 0600
    os.close(number)
    copy = Path(name)
    try:
        _copy(source, copy)
        contents = _contents(copy, source)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        yield copy, contents
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise sqlite.why_not_usable(source, error) from error
    finally:
        for leftover in (copy, *_side_files(copy)):
            leftover.unlink(missing_ok=True)


def _copy(source: Path, copy: Path) -> None:
    # Not "ro": a reader of a database that nobody has open could not clear away the -wal that it makes.
    here = f"file:{quote(str(source.absolute()))}?mode=rw"
    with (
        closing(sqlite3.connect(here, uri=True, timeout=sqlite.BUSY_TIMEOUT)) as reading,
        closing(sqlite3.connect(copy)) as writing,
    ):
        # In one go: one read transaction, which sees one state and holds up no writer. In parts, the copy would begin
        # again whenever another process writes in between.
        reading.backup(writing, pages=-1)
        writing.execute("PRAGMA journal_mode = DELETE")


def _contents(copy: Path, source: Path) -> Contents:
    """Prove that the copy is sound and ours, and count what it holds. Raises `DatabaseNotUsable`, which names the source."""
    with closing(sqlite3.connect(copy)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise DatabaseNotUsable(f"{source}: {sqlite.DAMAGED} ({verdict})")
        if broken := connection.execute("PRAGMA foreign_key_check").fetchone():
            raise DatabaseNotUsable(f"{source}: a row of {broken[0]} refers to nothing; this is not a whole database")
    current = _is_current(copy, source)
    with closing(sqlite3.connect(copy)) as connection:
        calls, live = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE state <> 'ended') FROM calls"
        ).fetchone()
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    return Contents(calls, live, events, copy.stat().st_size, current)


def _is_current(copy: Path, source: Path) -> bool:
    engine = create_engine(URL.create("sqlite", database=str(copy)))
    try:
        with engine.connect() as connection:
            present, head = schema.revisions(connection, source)
            if present is None:
                raise SchemaNotCurrent(f"{source}: holds none of our tables")
            if present == head:
                schema.require_current(connection, source)
            return present == head
    finally:
        engine.dispose()


def _leave_out_numbers(copy: Path) -> None:
    """Number the events that come next far from those that were told since the backup: else whoever follows them would take new
    ones for ones that it has."""
    with closing(sqlite3.connect(copy)) as connection, connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event_counters'").fetchone():
            connection.execute("UPDATE event_counters SET last_sequence = last_sequence + ?", (_NEVER_REACHED,))
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def _exchange(copy: Path, file: Path) -> Path:
    """Put the copy in the place of a file that nobody has open, and give the name under which that is kept."""
    kept = free_name(file, _OCCASION)
    os.link(file, kept)
    _set_side_files_aside(file, kept)
    copy.replace(file)
    _flush_folder(file.parent)
    return kept


def _set_side_files_aside(file: Path, kept: Path) -> None:
    """Before a new file is there, even if the old one is lost: SQLite would take the old one's log for part of the new."""
    for side, beside in zip(_side_files(file), _side_files(kept), strict=True):
        with suppress(FileNotFoundError):
            side.rename(beside)


def _give(copy: Path, owner: os.stat_result) -> None:
    """Let the file belong to whoever the service runs as, when root restores it."""
    os.chown(copy, owner.st_uid, owner.st_gid)


def _side_files(file: Path) -> list[Path]:
    return [file.with_name(file.name + ending) for ending in _SIDE_FILES]


def _flush_folder(folder: Path) -> None:
    """Without this a name may be lost with the power, although its file was flushed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
