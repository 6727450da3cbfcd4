"""Copies of the database: whole, of one moment, checked, and never in the way of those who write."""

import asyncio
import json
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from c2c_stasis.call.model import Call
from c2c_stasis.cli import main
from c2c_stasis.ports import EventFilter
from c2c_stasis.store.backup import backup, restore
from c2c_stasis.store.errors import DatabaseNotUsable, DatabaseServed
from c2c_stasis.store.ownership import served
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.upgrading import upgrade
from tests.store.samples import Place, an_event, change, ended, eventually, rows, url_of

USAGE, UNAVAILABLE = 2, 69
EARLIER = 2_000  # calls that are there before the load begins, so that a copy takes a while
WRITERS = 20
EVENTS = 6  # of one call


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def command(*arguments: str | Path) -> tuple[int, str]:
    """The same in a process of its own, beside a store that is open in this one."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "c2c_stasis", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- under load ---


class Load:
    """Calls that are accepted and go on to their end, by many writers at once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.acknowledged: list[str] = []

    async def one_call(self) -> None:
        call = replace(self.place.call(), events=1)
        await self.place.store.accept(call, [an_event(call, 1, "leg.created")])
        self.acknowledged.append(call.id)
        for sequence in range(2, EVENTS):
            call = replace(call, events=sequence)
            await self.place.store.record(call, [an_event(call, sequence)])
        call = replace(ended(call), events=EVENTS)
        await self.place.store.record(call, [an_event(call, EVENTS, "call.end")])

    async def _forever(self) -> None:
        while True:
            await self.one_call()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._forever()) for _ in range(WRITERS)]
        yield
        assert not any(task.done() for task in tasks), "no writer was refused anything"
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def more(self, calls: int) -> None:
        """Wait until so many more calls were accepted."""
        wanted = len(self.acknowledged) + calls
        await eventually(lambda: len(self.acknowledged) >= wanted, within=20.0)


def prove_whole(file: Path, acknowledged: set[str]) -> None:
    """The database of one moment: every call that was acknowledged is there, and its row agrees with its events."""
    snapshots = {
        call_id: msgspec.json.decode(text, type=Call) for call_id, text in rows(file, "SELECT id, snapshot FROM calls")
    }
    assert acknowledged <= set(snapshots)
    sequences: dict[str, list[int]] = {}
    for call_id, sequence in rows(file, "SELECT call_id, sequence FROM events ORDER BY call_id, sequence"):
        sequences.setdefault(call_id, []).append(sequence)
    assert set(sequences) == set(snapshots)
    for call_id, call in snapshots.items():
        assert sequences[call_id] == list(range(1, call.events + 1)), call_id
        assert (call.events == EVENTS) == (not call.live)
    ended = sum(not call.live for call in snapshots.values())
    assert rows(file, "SELECT count(*) FROM legs") == [(2 * ended,)]
    numbers = [number for (number,) in rows(file, "SELECT account_sequence FROM events ORDER BY account_sequence")]
    assert numbers == list(range(1, len(numbers) + 1))
    ((last,),) = rows(file, "SELECT last_sequence FROM event_counters")
    assert last > len(numbers) + 999_999, "numbers that were told since the backup must not be given again"


async def by_command(file: Path, target: Path) -> None:
    """As an operator takes it; until the command begins to copy, a second of calls has passed."""
    status, said = await command("backup", target, "--database", file)
    assert status == 0, said


async def at_once(file: Path, target: Path) -> None:
    """In this process, so that nothing passes between the last acknowledged call and the copy."""
    await asyncio.to_thread(backup, url_of(file), target)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("take", [by_command, at_once])
async def test_a_backup_under_load_restored_elsewhere_is_complete_and_of_one_moment(
    place: Place, file: Path, tmp_path: Path, take: Callable[[Path, Path], Awaitable[None]]
) -> None:
    load = Load(place)
    for _ in range(EARLIER // 500):
        await asyncio.gather(*(load.one_call() for _ in range(500)))
    (tmp_path / "elsewhere").mkdir()
    async with load.running():
        for number in range(3):
            await load.more(50)
            before = set(load.acknowledged)
            copy, there = tmp_path / f"backup-{number}.db", tmp_path / "elsewhere" / "c2c.db"
            await take(file, copy)
            assert len(load.acknowledged) > len(before), "nobody was held up"
            status, said = await command("restore", copy, "--database", there, "--json")
            assert status == 0, said
            prove_whole(there, before)
            facts = json.loads(said)
            assert facts["calls"] >= EARLIER
            assert facts["events"] == rows(there, "SELECT count(*) FROM events")[0][0]
    store = await open_store(url_of(there))
    assert len(await store.live_calls()) == facts["live_calls"]
    await store.close()


async def test_who_followed_events_that_the_backup_has_not_is_told_so(place: Place, file: Path, tmp_path: Path) -> None:
    everything = EventFilter(True, frozenset({"leg.ringing"}))
    copy = tmp_path / "copy.db"
    call = place.call()
    await place.store.accept(call, [])
    for number in range(1, 6):
        if number == 4:
            await asyncio.to_thread(backup, url_of(file), copy)
        await place.store.record(call, [an_event(call, number)])
    await place.store.close()
    restore(copy, url_of(file))
    store = await open_store(url_of(file))
    for number in range(4, 9):
        await store.record(call, [an_event(call, number)])

    page = await store.events_after(place.account.id, 5, everything)

    assert page.lost is not None
    assert [one.event.sequence for one in page.events] == [4, 5, 6, 7, 8]
    await store.close()


# --- what a backup is ---


@pytest.fixture
def database(file: Path) -> Path:
    """A database that nobody has open."""
    upgrade(url_of(file))
    return file


def test_it_is_one_file_that_its_owner_alone_can_read(database: Path, tmp_path: Path) -> None:
    result = run("backup", tmp_path / "copy.db", "--database", database)
    assert result.exit_code == 0
    assert (
        result.output
        == f"{tmp_path}/copy.db: 0 calls, 0 events, {(tmp_path / 'copy.db').stat().st_size / 1e6:.1f} MB; checked\n"
    )
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert left(tmp_path) == ["c2c.db", "copy.db"]
    assert rows(tmp_path / "copy.db", "PRAGMA journal_mode") == [("delete",)]


def test_a_file_that_is_there_is_not_overwritten_unless_told(database: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("something else")
    refused = run("backup", tmp_path / "copy.db", "--database", database)
    assert refused.exit_code == USAGE
    assert "--force" in refused.output
    assert (tmp_path / "copy.db").read_text() == "something else"
    assert run("backup", tmp_path / "copy.db", "--database", database, "--force").exit_code == 0
    assert rows(tmp_path / "copy.db", "SELECT count(*) FROM calls") == [(0,)]


def test_the_database_itself_is_no_place_for_its_backup(database: Path, tmp_path: Path) -> None:
    before = database.read_bytes()
    (tmp_path / "link.db").symlink_to(database)
    for target in (database, tmp_path / "link.db"):
        result = run("backup", target, "--database", database, "--force")
        assert result.exit_code == UNAVAILABLE
        assert "is the database itself" in result.output
    assert database.read_bytes() == before


def damage(file: Path) -> None:
    """Overwrite a page in the middle."""
    with file.open("r+b") as raw:
        raw.seek(3 * 4096)
        raw.write(os.urandom(4096))


def test_of_a_damaged_database_no_backup_is_made(database: Path, tmp_path: Path) -> None:
    damage(database)
    result = run("backup", tmp_path / "copy.db", "--database", database)
    assert result.exit_code == UNAVAILABLE
    assert "the database is damaged" in result.output
    assert left(tmp_path) == ["c2c.db"]


def test_one_that_is_interrupted_leaves_nothing(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("c2c_stasis.store.backup._contents", interrupted)
    with pytest.raises(KeyboardInterrupt):
        backup(url_of(database), tmp_path / "copy.db")
    assert left(tmp_path) == ["c2c.db"]


@pytest.mark.parametrize(
    ("target", "told"), [("nowhere/copy.db", "nowhere does not exist"), ("c2c.db.d", "is a directory")]
)
def test_a_place_that_cannot_be_written_is_named(database: Path, tmp_path: Path, target: str, told: str) -> None:
    (tmp_path / "c2c.db.d").mkdir()
    result = run("backup", tmp_path / target, "--database", database)
    assert result.exit_code in (USAGE, UNAVAILABLE)
    assert told in result.output


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    result = run("backup", tmp_path / "copy.db", "--database", tmp_path / "c2c.db")
    assert result.exit_code == UNAVAILABLE
    assert "there is no database" in result.output
    assert left(tmp_path) == []


# --- putting it back ---


@pytest.fixture
def copy(database: Path, tmp_path: Path) -> Path:
    """A backup; the database then went on, and has a platform that the backup has not."""
    backup(url_of(database), tmp_path / "copy.db")
    change(database, "INSERT INTO platforms VALUES ('plat_later', 'Later', 0)")
    return tmp_path / "copy.db"


PLATFORMS = "SELECT id FROM platforms"


def test_what_was_there_is_kept_and_the_rights_of_the_new_file_are_as_strict(
    copy: Path, database: Path, tmp_path: Path
) -> None:
    result = run("restore", copy, "--database", database)
    assert result.exit_code == 0
    assert rows(database, PLATFORMS) == []
    (kept,) = [path for path in tmp_path.iterdir() if "before-restore" in path.name]
    assert f"what was there is kept: {kept}" in result.output
    assert rows(kept, PLATFORMS) == [("plat_later",)]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert rows(copy, PLATFORMS) == [], "the backup stays"


async def test_while_a_service_has_the_database_it_is_refused(copy: Path, database: Path, tmp_path: Path) -> None:
    store = await open_store(url_of(database))
    before = left(tmp_path)
    status, said = await command("restore", copy, "--database", database)
    assert status == UNAVAILABLE
    assert said == f"c2c-stasis: {database}: is used by a running service or another program; stop that first\n"
    assert left(tmp_path) == before
    await store.create_platform("It writes on")
    await store.close()
    assert (await command("restore", copy, "--database", database))[0] == 0


def test_what_a_killed_service_left_in_its_log_is_kept_with_the_old_file_and_not_mixed_into_the_new(
    copy: Path, database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as service:  # a -wal stays only if somebody has the file open as it ends
        service.execute("PRAGMA wal_autocheckpoint = 0")
        with service:
            service.execute("INSERT INTO platforms VALUES ('plat_in_the_log', 'Log', 0)")
        state = {path.name: path.read_bytes() for path in (database, Path(f"{database}-wal"))}
    for name, content in state.items():
        (tmp_path / name).write_bytes(content)
    done = restore(copy, url_of(database))
    assert rows(database, PLATFORMS) == []
    assert done.kept is not None
    assert set(rows(done.kept, PLATFORMS)) == {("plat_later",), ("plat_in_the_log",)}


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_what_a_lost_database_left_beside_it_is_no_part_of_the_new_one(
    copy: Path, database: Path, tmp_path: Path, ending: str
) -> None:
    with closing(sqlite3.connect(database)) as service:
        service.execute("PRAGMA wal_autocheckpoint = 0")
        with service:
            service.execute("INSERT INTO platforms VALUES ('plat_in_the_log', 'Log', 0)")
        log = Path(f"{database}-wal").read_bytes()
    database.unlink()
    Path(f"{database}{ending}").write_bytes(log)
    assert restore(copy, url_of(database)).kept is None
    assert rows(database, PLATFORMS) == []
    (aside,) = [path for path in tmp_path.iterdir() if "before-restore" in path.name]
    assert aside.read_bytes() == log


def test_a_service_whose_database_was_moved_away_still_has_it(copy: Path, database: Path, tmp_path: Path) -> None:
    with served(url_of(database)):
        database.rename(tmp_path / "moved.db")
        with pytest.raises(DatabaseServed, match="a running service has this database"):
            restore(copy, url_of(database))
        assert not database.exists()
    restore(copy, url_of(database))
    assert rows(database, PLATFORMS) == []


def test_a_backup_does_not_take_the_place_of_a_database_with_a_log(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "other.db"
    for path in (target, Path(f"{target}-wal")):
        path.write_bytes(b"somebody's")
    with pytest.raises(DatabaseNotUsable, match="so it is no backup"):
        backup(url_of(database), target, force=True)
    assert target.read_bytes() == b"somebody's"


def test_a_damaged_database_can_be_replaced_too(copy: Path, database: Path) -> None:
    damage(database)
    assert run("restore", copy, "--database", database).exit_code == 0
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]


def _newer(file: Path) -> None:
    change(file, "UPDATE alembic_version SET version_num = '9999'")


def _truncated(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.truncate(3 * 4096)


def _not_whole(file: Path) -> None:
    change(file, "INSERT INTO event_counters VALUES ('acct_of_nobody', 0)")


def _half(file: Path) -> None:
    change(file, "DROP TABLE legs")


def _foreign(file: Path) -> None:
    file.unlink()
    change(file, "CREATE TABLE recipes (cake TEXT)")


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _text(file: Path) -> None:
    file.write_text("-- a dump\n" * 100)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, "damaged"),
        (_truncated, "damaged"),
        (_newer, "was made by a newer c2c-stasis (revision 9999)"),
        (_not_whole, "a row of event_counters refers to nothing"),
        (_half, "tables are missing: legs"),
        (_foreign, "did not make"),
        (_empty, "holds none of our tables"),
        (_text, "not a database"),
        (Path.unlink, "there is no such backup"),
    ],
)  # fmt: skip
def test_what_is_no_sound_backup_of_ours_is_refused_and_changes_nothing(
    copy: Path, database: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    spoil(copy)
    before = left(tmp_path)
    result = run("restore", copy, "--database", database)
    assert result.exit_code == UNAVAILABLE
    assert told in result.output
    assert left(tmp_path) == before
    assert rows(database, PLATFORMS) == [("plat_later",)]


def test_the_database_is_no_backup_of_itself(database: Path) -> None:
    with pytest.raises(DatabaseNotUsable, match="is the database itself"):
        restore(database, url_of(database))
