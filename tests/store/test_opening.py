"""Opening and closing: what cannot be used is refused in plain words, what was accepted is on the disk, no thread stays."""

# ruff: noqa: ASYNC240 - a test may touch its own small files

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import DatabaseNotUsable
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.upgrading import upgrade
from tests.store.samples import (
    Place,
    an_event,
    change,
    eventually,
    locked,
    rows,
    settle,
    store_threads,
    url_of,
    well_again,
)

NOBODY = 65_534


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder with a good database that this process may read and not write, also when it runs as root."""
    folder = Path(tempfile.mkdtemp())
    upgrade(url_of(folder / "c2c.db"))
    (folder / "c2c.db").chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def refusal(url: str, *, migrate: bool = False) -> str:
    """What opening this database says."""
    with pytest.raises(DatabaseNotUsable) as refused:
        await open_store(url, migrate=migrate)
    assert store_threads() == []
    return str(refused.value)


async def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    said = await refusal(url_of(tmp_path / "missing" / "c2c.db"), migrate=True)
    assert said == f"{tmp_path}/missing/c2c.db: the folder {tmp_path}/missing does not exist; create it"


async def test_a_database_that_is_missing_is_not_made(file: Path) -> None:
    assert await refusal(url_of(file)) == f"{file}: there is no database; run `c2c-stasis init`"
    assert not file.exists()


async def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert "is a folder" in await refusal(url_of(tmp_path))
    assert "is a folder" in await refusal(url_of(tmp_path), migrate=True)


@pytest.mark.parametrize("migrate", [False, True])
async def test_a_file_that_is_no_database(file: Path, migrate: bool) -> None:
    file.write_bytes(b"Dear diary, today I was mistaken for a database.\n" * 100)
    assert await refusal(url_of(file), migrate=migrate) == f"{file}: this file is not a database; name another one"


async def test_a_damaged_database(place: Place, file: Path) -> None:
    await asyncio.gather(*(place.store.accept(place.call(), []) for _ in range(200)))
    await place.store.close()
    content = bytearray(file.read_bytes())
    content[8 * 4096 : -4096] = b"\xa5" * (len(content) - 9 * 4096)
    file.write_bytes(content)
    said = await refusal(url_of(file))
    assert said.startswith(
        f"{file}: the database is damaged; stop the service, and restore a backup with `c2c-stasis restore"
    )


async def test_a_folder_that_cannot_be_written(read_only_folder: Path) -> None:
    file = read_only_folder / "c2c.db"
    assert "must be writable for the user of the service" in await refusal(url_of(file))
    assert "must be writable for the user of the service" in await refusal(url_of(file), migrate=True)
    said = await refusal(url_of(read_only_folder / "new.db"), migrate=True)
    assert said == f"{read_only_folder}/new.db: cannot be created: Permission denied"


async def test_a_database_that_another_process_holds(impatient: None, file: Path) -> None:
    upgrade(url_of(file))
    with locked(file):
        said = await refusal(url_of(file))
    assert said == f"{file}: is locked by another process; stop that process and start again"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("c2c.db", "cannot be read"),
        ("mysql://localhost/c2c", "SQLite only"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file::memory:?uri=true", "must name a file"),
    ],
)
async def test_a_url_that_names_no_file(url: str, said: str) -> None:
    assert said in await refusal(url, migrate=True)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"])
async def test_any_sqlite_url_opens_the_file(file: Path, driver: str) -> None:
    store = await open_store(f"{driver}:///{file}", migrate=True)
    await store.check()
    await store.close()


async def test_a_relative_path_stays_the_same_file_when_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = await open_store("sqlite:///c2c.db", migrate=True)
    monkeypatch.chdir("/")
    await store.check()
    await store.close()
    assert (tmp_path / "c2c.db").exists()


async def test_the_file_is_for_its_owner_only(place: Place, file: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in file.parent.glob("c2c.db*")} == {0o600}


async def test_the_writer_is_as_durable_and_patient_as_promised(place: Place) -> None:
    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        with connection.begin():
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    full, on = 2, 1
    assert await place.store._database.write(settings) == ["wal", full, on, 5_000]


async def test_an_error_tells_no_values_of_its_statement(place: Place) -> None:
    """They are numbers and names, and a traceback of the error goes into the log."""

    def insert(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:number)"), {"number": "5551234567"})

    def inserting(connection: Connection) -> None:
        with connection.begin():
            insert(connection)

    with pytest.raises(OperationalError) as written:
        await place.store._database.write(inserting)
    with pytest.raises(StoreUnavailable) as read:
        await place.store._database.read(insert)
    for error in (written.value, read.value.__cause__):
        assert "nowhere" in str(error)
        assert "5551234567" not in str(error)


async def test_who_reads_before_writing_waits_for_the_lock_first(place: Place, file: Path) -> None:
    """A transaction that begins without the lock fails at once if another process wrote after it had read."""
    read, written = threading.Event(), threading.Event()

    def change_after_reading(connection: Connection) -> None:
        with connection.begin():
            connection.execute(text("SELECT count(*) FROM counters")).all()
            read.set()
            written.wait(0.3)  # the other waits for us meanwhile
            connection.execute(text("UPDATE counters SET value = value + 1"))

    changing = asyncio.create_task(place.store._database.write(change_after_reading))
    await asyncio.to_thread(read.wait)
    other = asyncio.create_task(asyncio.to_thread(change, file, "UPDATE counters SET value = value + 1"))
    other.add_done_callback(lambda _: written.set())
    await asyncio.gather(changing, other)


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_was_deleted_takes_no_calls_until_it_is_back(
    impatient: None, file: Path, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    away = file.with_suffix(".away")
    file.rename(away)
    if replaced:
        shutil.copy(away, file)
    with pytest.raises(StoreUnavailable, match="replaced" if replaced else "gone"):
        await place.store.accept(place.call(), [])
    (alarm,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert alarm.message == "the database cannot be written"
    away.rename(file)
    await well_again(place.store)
    await place.store.accept(place.call(), [])
    await place.store.close()


async def test_closing_leaves_no_thread_and_no_side_file(place: Place, file: Path) -> None:
    await asyncio.gather(place.store.accept(place.call(), []), *(place.store.live_calls() for _ in range(10)))
    assert store_threads() != []
    await place.store.close()
    await place.store.close()
    await eventually(lambda: store_threads() == [])
    assert [path.name for path in file.parent.glob("c2c.db*")] == ["c2c.db"]


async def test_reading_goes_on_beside_writing_and_sees_whole_transactions(place: Place) -> None:
    async def write() -> None:
        for _ in range(20):
            call = place.call()
            await place.store.accept(call, [an_event(call, 1)])

    async def look() -> None:
        for _ in range(50):
            for call in await place.store.live_calls():
                assert len(await place.store.call_events(place.account.id, call.id)) == 1

    await asyncio.gather(write(), write(), look(), look())


async def test_too_many_questions_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2c_stasis.store.database.QUESTIONS_LIMIT", 3)
    results = await asyncio.gather(*(place.store.live_calls() for _ in range(5)), return_exceptions=True)
    assert [result if isinstance(result, list) else type(result) for result in results] == [[]] * 3 + [
        StoreUnavailable
    ] * 2


async def test_a_question_nobody_waits_for_harms_nothing(place: Place) -> None:
    for _ in range(20):
        asking = asyncio.create_task(place.store.live_calls())
        await asyncio.sleep(0)
        asking.cancel()
    assert await place.store.live_calls() == []


async def test_a_change_by_another_process_is_seen(place: Place, file: Path) -> None:
    change(file, "UPDATE counters SET value = value + 7 WHERE name = 'directory_revision'")
    other = await open_store(url_of(file))
    revision = await other.directory_revision()
    await other.set_do_not_disturb(place.account.id, place.user.id, True)
    assert await place.store.directory_revision() == revision + 1
    assert [user.do_not_disturb for user in (await place.store.directory()).users] == [True]
    await other.close()


ACCEPTING = """
    import asyncio, sys
    from c2c_stasis.store.sql_store import open_store
    from tests.store.samples import a_call, an_event

    async def caller(store, rows):
        while True:
            call = a_call(rows.platforms[0], rows.accounts[0], rows.users[0])
            await store.accept(call, [an_event(call, 1)])
            print(call.id, flush=True)

    async def main():
        store = await open_store(sys.argv[1])
        rows = await store.directory()
        await asyncio.gather(*(caller(store, rows) for _ in range(20)))

    asyncio.run(main())
"""


async def test_what_was_accepted_survives_a_kill(file: Path) -> None:
    store = await open_store(url_of(file), migrate=True)
    await settle(store)
    await store.close()
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else happens meanwhile
        [sys.executable, "-c", textwrap.dedent(ACCEPTING), url_of(file)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    accepted = [process.stdout.readline().strip() for _ in range(300)]
    process.kill()
    accepted += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    process.wait()
    store = await open_store(url_of(file))
    assert {call.id for call in await store.live_calls()} >= set(accepted)
    await store.close()
    numbers = [number for (number,) in rows(file, "SELECT account_sequence FROM events ORDER BY 1")]
    assert numbers == list(range(1, len(numbers) + 1))


FORGETTING = """
    import asyncio, sys
    from c2c_stasis.store.sql_store import open_store

    async def main():
        store = await open_store(sys.argv[1])
        await store.check()
        raise SystemExit(3)

    asyncio.run(main())
"""


def test_a_store_that_was_never_closed_does_not_keep_the_process_alive(file: Path) -> None:
    upgrade(url_of(file))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(FORGETTING), url_of(file)],
        timeout=10,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr  # and not a time-out


async def test_a_large_database_is_not_read_as_a_whole_at_the_start(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "QUICK_CHECK_BELOW", 1)
    monkeypatch.setattr(sqlite, "DAMAGED", "quick_check must not run")
    await place.store.close()
    await (await open_store(url_of(file))).close()
