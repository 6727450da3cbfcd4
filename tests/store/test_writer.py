"""The writer: waiting work shares a transaction, one bad piece harms nobody else, and an outage loses no record."""

import asyncio
import contextlib
import functools
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from c2c_stasis.call.model import CallState
from c2c_stasis.errors import InvalidRequest, StoreUnavailable
from c2c_stasis.ids import ACCOUNT, AccountId, new_id
from c2c_stasis.store import sqlite, writer
from c2c_stasis.store.errors import RecordRefused
from c2c_stasis.store.sql_store import open_store
from tests.store.samples import Place, an_event, ended, eventually, locked, rows, settle, url_of, well_again


@contextlib.contextmanager
def counted_commits() -> Iterator[list[Connection]]:
    """Every commit of any connection, by SQLAlchemy's own word."""
    commits: list[Connection] = []

    def count(connection: Connection) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", count)
    yield commits
    event.remove(Engine, "commit", count)


async def test_waiting_work_shares_a_transaction(place: Place, file: Path) -> None:
    calls = [place.call() for _ in range(200)]
    with counted_commits() as commits:
        await asyncio.gather(*(place.store.accept(call, [an_event(call, 1)]) for call in calls))
    assert len(commits) <= 3
    assert rows(file, "SELECT count(*) FROM calls") == [(200,)]
    assert rows(file, "SELECT count(*) FROM events") == [(200,)]


async def test_one_record_alone_does_not_wait_for_others(place: Place) -> None:
    before = place.store.transactions
    await place.store.accept(place.call(), [])
    await place.store.accept(place.call(), [])
    assert place.store.transactions == before + 2


async def test_patient_records_wait_for_the_next_one_of_their_call_and_are_written_before_it(
    place: Place, file: Path
) -> None:
    call, other = place.call(), place.call()
    await asyncio.gather(place.store.accept(call, []), place.store.accept(other, []))
    before = place.store.transactions
    waits = asyncio.ensure_future(place.store.record(other, [an_event(other, 1)], within=60.0))
    patient = [
        asyncio.ensure_future(place.store.record(call, [an_event(call, number)], within=60.0)) for number in (1, 2, 3)
    ]
    await asyncio.sleep(0)
    await place.store.record(ended(call), [an_event(call, 4, "call.end")])
    assert all(record.done() for record in patient)
    assert not waits.done()
    assert place.store.transactions == before + 1
    assert rows(file, "SELECT call_id, sequence FROM events ORDER BY account_sequence") == [
        (call.id, number) for number in (1, 2, 3, 4)
    ]
    await place.store.close()  # what waits is written at the end
    assert waits.done()
    assert rows(file, "SELECT count(*) FROM events") == [(5,)]


async def test_patience_ends(place: Place) -> None:
    call = place.call()
    await place.store.accept(call, [])
    before, began = place.store.transactions, time.monotonic()
    await asyncio.gather(*(place.store.record(call, [an_event(call, i)], within=0.05) for i in (1, 2, 3)))
    assert time.monotonic() - began >= 0.05
    assert place.store.transactions == before + 1


async def test_a_less_patient_record_does_not_wait_as_long_as_one_that_waited_before_it(place: Place) -> None:
    call, other = place.call(), place.call()
    await asyncio.gather(place.store.accept(call, []), place.store.accept(other, []))
    patient = asyncio.ensure_future(place.store.record(other, [an_event(other, 1)], within=3600.0))
    await asyncio.sleep(0.02)  # the writer goes to sleep until then
    async with asyncio.timeout(30):
        await place.store.record(call, [an_event(call, 1)], within=0.005)
    assert not patient.done()
    patient.cancel()


async def test_new_calls_do_not_wait_for_patient_records(place: Place) -> None:
    call = place.call()
    await place.store.accept(call, [])
    patient = asyncio.ensure_future(place.store.record(call, [an_event(call, 1)], within=60.0))
    await asyncio.sleep(0)
    await place.store.accept(place.call(), [])
    assert not patient.done()
    patient.cancel()


async def test_records_of_a_call_are_committed_in_order(place: Place, file: Path) -> None:
    call = place.call()
    await place.store.accept(call, [])
    states = [
        CallState.RINGING_USER,
        CallState.DIALLING_DESTINATION,
        CallState.RINGING_DESTINATION,
        CallState.JOINING,
    ] * 25
    writes = [
        place.store.record(replace(call, state=state, events=number), [an_event(call, number)])
        for number, state in enumerate(states, 1)
    ]
    last = replace(call, state=CallState.TALKING, events=101)
    await asyncio.gather(*writes, place.store.record(last, []))
    assert await place.store.find_call(place.account.id, call.id) == last
    assert rows(file, "SELECT sequence FROM events ORDER BY account_sequence") == [
        (number,) for number in range(1, 101)
    ]


async def test_more_work_than_one_transaction_takes_is_written_too(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH", 10)
    before = place.store.transactions
    await asyncio.gather(*(place.store.accept(place.call(), []) for _ in range(35)))
    assert place.store.transactions - before >= 4
    assert rows(file, "SELECT count(*) FROM calls") == [(35,)]


async def test_one_bad_record_harms_no_other(place: Place, file: Path) -> None:
    bad = replace(place.call(), account_id=AccountId(new_id(ACCOUNT)))
    unwritable = replace(place.call(), dial_string="\ud800")  # half a character cannot be encoded
    good = [place.call() for _ in range(20)]
    calls = [*good[:7], bad, *good[7:15], unwritable, *good[15:]]
    results = await asyncio.gather(*(place.store.accept(call, []) for call in calls), return_exceptions=True)
    assert [call.id for call, result in zip(calls, results, strict=True) if result is not None] == [
        bad.id,
        unwritable.id,
    ]
    assert isinstance(results[7], RecordRefused)
    assert isinstance(results[16], RecordRefused)
    assert rows(file, "SELECT count(*) FROM calls") == [(20,)]


async def test_a_failing_change_of_the_directory_harms_no_call(place: Place, file: Path) -> None:
    await place.store.create_device(place.account.id, place.user.id, "d1")
    call = place.call()
    revision = await place.store.directory_revision()
    _, failure = await asyncio.gather(
        place.store.accept(call, []),
        place.store.create_device(place.account.id, place.user.id, "d1"),
        return_exceptions=True,
    )
    assert isinstance(failure, InvalidRequest)
    assert await place.store.live_calls() == [call]
    assert await place.store.directory_revision() == revision


async def test_who_stops_waiting_does_not_take_the_record_back(place: Place) -> None:
    call = place.call()
    accepting = asyncio.create_task(place.store.accept(call, []))
    recording = asyncio.ensure_future(place.store.record(ended(call), [an_event(call, 1, "call.end")]))
    await asyncio.sleep(0)
    accepting.cancel()
    recording.cancel()
    results = await asyncio.gather(accepting, recording, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    await place.store.check()
    assert await place.store.find_call(place.account.id, call.id) == ended(call)


async def test_a_locked_database_refuses_new_calls_in_time_and_works_again(impatient: None, file: Path) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    refused, taken = place.call(), place.call()
    with locked(file):
        async with asyncio.timeout(2):
            with pytest.raises(StoreUnavailable, match="locked") as failure:
                await place.store.accept(refused, [])
            assert isinstance(failure.value.__cause__, OperationalError)
            with pytest.raises(StoreUnavailable):
                await place.store.check()
        assert await place.store.live_calls() == []  # it can still be read
    await well_again(place.store)
    await place.store.accept(taken, [])
    assert await place.store.live_calls() == [taken]
    await place.store.close()


async def test_while_the_database_fails_new_work_is_refused_at_once_and_an_idle_writer_finds_out_that_it_is_well(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.store.sqlite.BUSY_TIMEOUT", 1.0)
    monkeypatch.setattr(writer, "RETRY_AFTER", 0.02)
    place = await settle(await open_store(url_of(file), migrate=True))
    with locked(file):
        with pytest.raises(StoreUnavailable, match="locked"):
            await place.store.accept(place.call(), [])
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="locked"):
                await place.store.accept(place.call(), [])
        assert time.monotonic() - began < 1.0  # each of them would have waited for the lock
    before = place.store.transactions
    await eventually(lambda: place.store.transactions > before)  # though nothing is given to it
    await place.store.accept(place.call(), [])
    await place.store.close()


async def test_closing_waits_for_a_lock_no_longer_than_it_may(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2c_stasis.store.sqlite.BUSY_TIMEOUT", 20.0)
    monkeypatch.setattr(writer, "CLOSE_WITHIN", 0.3)
    place = await settle(await open_store(url_of(file), migrate=True))
    with locked(file):
        writing = asyncio.ensure_future(place.store.record(place.call(), [], within=5.0))
        began = time.monotonic()
        await place.store.close()
        assert time.monotonic() - began < 10.0
    with pytest.raises(StoreUnavailable):
        await writing


async def test_when_the_end_begins_no_attempt_that_begins_after_it_outlasts_it(file: Path) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    with locked(file):
        began = time.monotonic()
        place.store.end_within(0.5)
        with pytest.raises(StoreUnavailable, match="locked"):
            await place.store.accept(place.call(), [])  # a request in flight
        kept = place.store.record(place.call(), [])
        await place.store.close()
        assert time.monotonic() - began < sqlite.BUSY_TIMEOUT
        with pytest.raises(StoreUnavailable):
            await kept


async def test_news_of_a_call_is_kept_through_an_outage(impatient: None, file: Path) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    call = place.call()
    await place.store.accept(call, [an_event(call, 1)])
    ringing, end = an_event(call, 2), an_event(call, 3, "call.end")
    with locked(file):
        with pytest.raises(StoreUnavailable):
            await place.store.record(replace(call, state=CallState.RINGING_USER), [ringing])
        abandoned = asyncio.ensure_future(place.store.record(ended(call), [end]))
        await asyncio.sleep(0)
        abandoned.cancel()
        with pytest.raises(StoreUnavailable):
            await place.store.accept(place.call(), [])
    await eventually(lambda: rows(file, "SELECT state FROM calls") == [("ended",)])
    log = await place.store.call_events(place.account.id, call.id)
    assert [event.sequence for event in log] == [1, 2, 3]
    await place.store.close()


async def test_an_outage_is_told_once_and_so_is_its_end(
    impatient: None, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    caplog.set_level(logging.INFO, writer.__name__)
    with locked(file):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await place.store.accept(place.call(), [])
    await well_again(place.store)
    told = [record.message for record in caplog.records]
    assert told == ["the database cannot be written", "the database can be written again"]
    await place.store.close()


async def test_a_change_during_which_the_database_fails_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("INSERT", None, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as failing:
        failing.setattr(place.store, "_add", fail)
        results = await asyncio.gather(
            place.store.accept(place.call(), []), place.store.create_platform("Rival"), return_exceptions=True
        )
    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert await place.store.live_calls() == []


async def test_a_fault_of_our_own_is_told_and_does_not_stop_the_writer(
    impatient: None, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))

    def fault() -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as failing:
        failing.setattr(place.store._writer, "_guard", fault)
        with pytest.raises(StoreUnavailable):
            await place.store.accept(place.call(), [])
    told = [record for record in caplog.records if record.exc_info]
    assert [record.message for record in told] == ["writing failed in a way that is not known"]
    await well_again(place.store)
    await place.store.accept(place.call(), [])
    await place.store.close()


async def test_a_record_given_in_again_after_an_outage_is_written_once(impatient: None, file: Path) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    call = place.call()
    await place.store.accept(call, [])
    end = an_event(call, 1, "call.end")
    with locked(file), pytest.raises(StoreUnavailable):
        await place.store.record(ended(call), [end])
    await place.store.record(ended(call), [end])
    assert await place.store.call_events(place.account.id, call.id) == [end]
    assert rows(file, "SELECT account_sequence FROM events") == [(1,)]
    await place.store.close()


async def test_too_much_waiting_work_is_refused_at_once_and_news_has_more_room(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "NEW_WORK_LIMIT", 5)
    monkeypatch.setattr(writer, "RECORD_LIMIT", 8)
    calls = [place.call() for _ in range(7)]
    waiting = [asyncio.create_task(place.store.accept(call, [])) for call in calls]
    await asyncio.sleep(0)
    news = [asyncio.ensure_future(place.store.record(ended(calls[0]), [])) for _ in range(5)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 5 + [StoreUnavailable] * 2
    results = await asyncio.gather(*news, return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [StoreUnavailable] * 2
    await place.store.accept(calls[5], [])


async def test_closing_writes_what_waits(place: Place, file: Path) -> None:
    waiting = [asyncio.create_task(place.store.accept(place.call(), [])) for _ in range(1_200)]
    await asyncio.sleep(0)
    await place.store.close()
    await asyncio.gather(*waiting)
    assert rows(file, "SELECT count(*) FROM calls") == [(1_200,)]
    with pytest.raises(StoreUnavailable, match="closed"):
        await place.store.accept(place.call(), [])
    with pytest.raises(StoreUnavailable, match="closed"):
        await place.store.live_calls()


async def test_closing_during_an_outage_ends_in_time_and_names_what_is_lost(
    impatient: None, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    call = place.call()
    await place.store.accept(call, [])
    with locked(file):
        writing = asyncio.ensure_future(place.store.record(ended(call), []))
        await asyncio.sleep(0)
        async with asyncio.timeout(3):
            await place.store.close()
    with pytest.raises(StoreUnavailable):
        await writing
    lost = [record for record in caplog.records if record.message == "records lost at closing"]
    assert [record.__dict__["call_ids"] for record in lost] == [[call.id]]


async def test_a_disk_that_does_not_confirm_gets_no_new_calls(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failed flush nobody knows what the disk holds, and a second flush that succeeds proves nothing."""
    call = place.call()
    await place.store.accept(call, [])
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorname = "SQLITE_IOERR_FSYNC"

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("COMMIT", None, failure)

    with monkeypatch.context() as failing:
        failing.setattr(writer, "write_calls", fail)
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            await place.store.accept(place.call(), [])
    with pytest.raises(StoreUnavailable, match="did not confirm"):
        await place.store.accept(place.call(), [])
    with pytest.raises(StoreUnavailable, match="did not confirm"):
        await place.store.check()
    await place.store.record(ended(call), [])  # a call that lives goes on, and its end is written
    assert await place.store.live_calls() == []
    assert [record.levelno for record in caplog.records].count(logging.CRITICAL) == 1


async def test_a_full_disk_refuses_and_takes_records_again_when_there_is_room(impatient: None, file: Path) -> None:
    place = await settle(await open_store(url_of(file), migrate=True))
    call = place.call()
    await place.store.accept(call, [])

    async def limit(pages: int) -> None:
        await place.store._database.write(functools.partial(_limit, pages))

    await limit(1)  # SQLite makes it as few as there are
    huge = replace(place.call(), metadata={"note": "x" * 100_000})
    with pytest.raises(StoreUnavailable, match="full"):
        await place.store.accept(huge, [])
    with pytest.raises(StoreUnavailable, match="full"):
        await place.store.record(replace(ended(call), metadata=huge.metadata), [])
    await limit(1_000_000)
    await eventually(lambda: rows(file, "SELECT state FROM calls") == [("ended",)])
    await well_again(place.store)
    await place.store.accept(huge, [])
    assert await place.store.live_calls() == [huge]
    await place.store.close()


def _limit(pages: int, connection: Connection) -> None:
    with connection.begin():
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
