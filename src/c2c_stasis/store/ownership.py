"""Whose database it is: one running service's, so that no second one takes over the calls that the first one steers."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import DatabaseNotUsable, DatabaseServed

LOCK = ".lock"  # added to the name of the database; the file stays for ever: one that is removed can be locked by two


@contextmanager
def served(url: str) -> Iterator[None]:
    """Be the one service of this database. Raises `DatabaseServed` while another process is, and `DatabaseNotUsable`.

    The kernel gives the lock back when the process ends, in whatever way. Commands that only read or write the database
    (backup, provisioning) do not ask for it.
    """
    file = sqlite.database_file(sqlite.parse_url(url)).resolve()  # one file, by whatever name
    if not file.exists():
        raise DatabaseNotUsable(f"{file}: there is no database; run `c2c-stasis init`")
    try:
        descriptor = _open(file)
    except OSError as error:
        raise DatabaseNotUsable(f"{file}{LOCK}: cannot be opened: {error.strerror}") from error
    try:
        _lock(descriptor, file)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def served_by_nobody(file: Path) -> Iterator[None]:
    """A time in which no service runs with this database, which itself may be lost. Raises `DatabaseServed`."""
    file = file.resolve()
    try:
        descriptor = os.open(f"{file}{LOCK}", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # no service ever ran with it
        yield
        return
    except OSError as error:
        raise DatabaseNotUsable(f"{file}{LOCK}: cannot be opened: {error.strerror}") from error
    try:
        _lock(descriptor, file)
        yield
    finally:
        os.close(descriptor)


def is_served(url: str) -> bool | None:
    """Whether a service runs with this database; None when this user may not see it."""
    try:
        with served_by_nobody(sqlite.database_file(sqlite.parse_url(url))):
            return False
    except DatabaseServed:
        return True
    except DatabaseNotUsable:
        return None


def _lock(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DatabaseServed(file) from error


def _open(file: Path) -> int:
    """The file beside the database, made when it is missing; it belongs to whom the database belongs, also if root makes it."""
    descriptor = os.open(f"{file}{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = file.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor
