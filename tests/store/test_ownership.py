"""One database belongs to one running service, and everybody else may still read and write it."""

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from c2c_stasis.store.backup import backup, restore
from c2c_stasis.store.errors import DatabaseNotUsable, DatabaseServed
from c2c_stasis.store.ownership import served
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.upgrading import upgrade
from tests.store.samples import settle, url_of

SERVING = """
    import sys
    from c2c_stasis.store.ownership import served

    with served(sys.argv[1]):
        print("served", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def database(file: Path) -> Path:
    """A database that nobody has open."""
    upgrade(url_of(file))
    return file


def another(file: Path) -> subprocess.Popen[str]:
    """Another process that serves this database."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVING), url_of(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "served\n"
    return process


def test_a_second_service_is_refused_until_the_first_has_ended_in_whatever_way(database: Path) -> None:
    with another(database) as first:
        with pytest.raises(DatabaseServed) as refused, served(url_of(database)):
            pass
        assert str(refused.value) == (
            f"{database}: a running service has this database; stop that service, or use a database of its own"
            " ([database] url)"
        )
        first.kill()
    with served(url_of(database)):
        pass


def test_another_name_of_the_same_file_is_the_same_database(database: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "other.db"
    link.symlink_to(database)
    with served(url_of(database)), pytest.raises(DatabaseServed), served(url_of(link)):
        pass


def test_the_lock_stays_and_is_for_its_owner_only(database: Path) -> None:
    lock = database.with_name("c2c.db.lock")
    for _ in range(2):
        with served(url_of(database)):
            found = lock.stat()
        assert lock.stat().st_ino == found.st_ino
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == database.stat().st_uid


def test_a_lock_that_root_makes_is_given_to_the_owner_of_the_database(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: given.append((user, group)))
    with served(url_of(database)):
        pass
    assert given == [(database.stat().st_uid, database.stat().st_gid)]


def test_where_there_is_no_database_none_is_made(file: Path) -> None:
    with pytest.raises(DatabaseNotUsable, match="there is no database"), served(url_of(file)):
        pass
    assert list(file.parent.iterdir()) == []


async def test_everybody_else_still_uses_the_database_of_a_service(database: Path, tmp_path: Path) -> None:
    with another(database) as service:
        store = await open_store(url_of(database))
        await settle(store)
        await store.close()
        assert backup(url_of(database), tmp_path / "copy.db").current
        service.kill()
    restore(tmp_path / "copy.db", url_of(database))
    with served(url_of(database)):
        pass
