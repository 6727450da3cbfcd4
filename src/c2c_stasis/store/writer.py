"""One task that writes: it takes all waiting work, commits it in one transaction, and tells everyone who waits.

A commit costs one flush to the disk whatever is in it, so work that arrives during a commit shares the next one. Most records
of a call are such that nobody waits for them: they are written with the next one of their call that is due, and only the newest
of them needs its rows.
"""

import asyncio
import contextlib
import functools
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, update

from c2c_stasis.errors import ClickToCallError, StoreUnavailable
from c2c_stasis.metrics import Metrics, ask
from c2c_stasis.ports import Hear, NumberedEvent
from c2c_stasis.store.database import Database
from c2c_stasis.store.errors import UNCONFIRMED, RecordRefused, is_outage, lasting, reason_of, sqlite_name
from c2c_stasis.store.outbox import Outbox
from c2c_stasis.store.records import CallWrite, write_calls
from c2c_stasis.store.sqlite import BUSY_TIMEOUT, wait_for_locks
from c2c_stasis.store.tables import CHECKS, counters

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[Connection], Any]

BATCH = 500  # pieces in one transaction: a few milliseconds of the disk's time
NEW_WORK_LIMIT = 5_000  # waiting pieces at which new work is refused
RECORD_LIMIT = 20_000  # and at which even news of calls that exist are: these must have room when new calls have none
TICK = 0.002  # seconds; libuv's loop counts whole milliseconds, and to wait for less is to run in circles
RETRY_AFTER = 1.0  # seconds between attempts to write while the database fails
CLOSE_WITHIN = 5.0  # seconds that closing may take to write what waits
LEAST_WAIT = 0.05  # seconds for a lock, also when closing has hardly any time left


@dataclass(slots=True, eq=False)
class Piece:
    """Work that waits. A kept piece is tried again after an outage, also when nobody waits for it any more.

    `due` is when it has to be written, on the loop's clock; 0: at once. To cancel `done` is to wait no more; the work stays.
    """

    work: CallWrite | Job
    kept: bool
    due: float = 0.0
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, result: object) -> None:
        """Tell who waits, if it has not been told yet."""
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell who waits that it was not written, if it has not been told yet."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen, or asyncio would complain when nobody waits any more


Outcome = tuple[Piece, object]  # a result, or the exception with which the piece was refused


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of each piece of a batch, and the events that were written; None when some may have been there before."""

    outcomes: list[Outcome]
    events: list[NumberedEvent] | None


class Writer:
    """The writer of one database. `guard` is asked before each transaction and raises when it must not be written to."""

    def __init__(self, database: Database, guard: Callable[[], None], metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        ask(self._metrics.store_waiting, lambda: len(self._waiting))
        ask(self._metrics.store_failing, lambda: self._failing is not None or self._distrust is not None)
        self._database = database
        self._guard = guard
        self._waiting: deque[Piece] = deque()
        self._wake = asyncio.Event()
        self._distrust: BaseException | None = None  # a flush of which nobody knows what it did
        self._failing: Exception | None = None  # why nothing can be written now
        self._looks_at = math.inf  # when the writer, if it pauses, looks again by itself; on the loop's clock
        self._close_by: float | None = None
        self._end_by = math.inf  # when the last attempt to write must be over, on the loop's clock
        self._task: asyncio.Task[None] | None = None
        self.transactions = 0  # committed so far
        self.hear: Hear = lambda _events: None
        self.outbox = Outbox()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="store writer")

    def write(self, work: CallWrite, *, kept: bool, within: float = 0.0) -> asyncio.Future[None]:
        """Write one record of a call; done when it is committed. It may wait so many seconds for others of its call.

        It is in line when this returns, and whoever stops waiting does not take it back. Fails with `StoreUnavailable`; a kept
        record is still written when the database can be written again, unless it was refused because too many wait already.
        """
        due = asyncio.get_running_loop().time() + within if within else 0.0
        return self._submit(Piece(work, kept, due))

    @property
    def failing(self) -> bool:
        """Whether the newest attempt to write failed, so that nothing is written before the next one."""
        return self._failing is not None

    async def run(self, job: Callable[[Connection], T]) -> T:
        """Run a job inside a transaction of its own fate: when it raises, only what it did itself is undone."""
        return cast("T", await self._submit(Piece(job, kept=False)))

    def end_within(self, seconds: float) -> None:
        """Let no attempt to write, that begins from now on, last longer than that; to be closed is part of it."""
        self._end_by = asyncio.get_running_loop().time() + seconds

    async def close(self) -> None:
        """Write what waits, for a bounded time, and end."""
        self._close_by = min(asyncio.get_running_loop().time() + CLOSE_WITHIN, self._end_by)
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    def _submit(self, piece: Piece) -> asyncio.Future[Any]:
        refusal = self._refusal(piece)
        if refusal is not None:
            piece.fail(refusal)
            return piece.done
        self._waiting.append(piece)
        # While the database fails, and when a piece waits that is due before this one, the writer looks by itself.
        if self._failing is None and piece.due < self._looks_at:
            self._wake.set()
        return piece.done

    def _refusal(self, piece: Piece) -> StoreUnavailable | None:
        """Why this piece may not even wait."""
        if self._close_by is not None:
            return StoreUnavailable("the database is closed")
        if len(self._waiting) >= (RECORD_LIMIT if piece.kept else NEW_WORK_LIMIT):
            return StoreUnavailable("too much waits to be written")
        if self._distrust is not None and not piece.kept:
            refusal = StoreUnavailable("the disk did not confirm an earlier write")
            refusal.__cause__ = self._distrust
            return refusal
        if self._failing is not None and not piece.kept:  # to wait for the next attempt would only take longer
            refusal = StoreUnavailable(reason_of(self._failing))
            refusal.__cause__ = self._failing
            return refusal
        return None

    async def _run(self) -> None:
        while not self._finished():
            self._wake.clear()
            batch = self._take_due()
            if self._failing is not None and not batch:
                batch = [Piece(prove_writable, kept=False)]  # nobody else would find out that it is well again
            if not batch:
                await self._pause_until_due()
            elif not await self._commit(batch):
                await self._pause(RETRY_AFTER)
        for piece in self._waiting:
            piece.fail(StoreUnavailable("the database is closed"))
        if self._waiting:
            logger.error("records lost at closing", extra={"call_ids": _call_ids(self._waiting)})

    def _finished(self) -> bool:
        if self._close_by is None:
            return False
        return not self._waiting or asyncio.get_running_loop().time() > self._close_by

    def _take_due(self) -> list[Piece]:
        """What is to be written now, in the order in which it came; with a record, all earlier ones of its call."""
        now = asyncio.get_running_loop().time() + TICK
        if self._failing is not None or self._close_by is not None:
            now = math.inf
        calls = {
            piece.work.call.id for piece in self._waiting if isinstance(piece.work, CallWrite) and piece.due <= now
        }
        batch: list[Piece] = []
        later: list[Piece] = []
        for piece in self._waiting:
            due = piece.work.call.id in calls if isinstance(piece.work, CallWrite) else True
            (batch if due and len(batch) < BATCH else later).append(piece)
        self._waiting = deque(later)
        return batch

    async def _pause_until_due(self) -> None:
        """Wait until the first piece has to be written, of those that wait and those that come."""
        self._looks_at = min((piece.due for piece in self._waiting), default=math.inf)
        left = self._looks_at - asyncio.get_running_loop().time()
        await self._pause(max(TICK, left) if self._waiting else None)

    async def _pause(self, seconds: float | None) -> None:
        """Wait for new work that is due at once, or to be closed, and no longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _commit(self, batch: Sequence[Piece]) -> bool:
        """Commit these. False: the database failed, all who wait were told, and what must be kept waits on."""
        began = time.perf_counter()
        work = functools.partial(_commit_now, batch, self._guard, self.outbox, self._lock_patience())
        try:
            committed = await self._database.write(work)
        except Exception as error:
            if not is_outage(error):
                logger.exception("writing failed in a way that is not known", extra={"pieces": len(batch)})
            self._outage(batch, error)
            return False
        self.transactions += 1
        self._metrics.commit_seconds.observe(time.perf_counter() - began)
        self._metrics.batch_records.observe(len(batch))
        if self._failing is not None:
            self._failing = None
            logger.info("the database can be written again", extra={"new_calls": self._distrust is None})
        for piece, outcome in committed.outcomes:
            if isinstance(outcome, Exception):
                _refuse(piece, outcome)
            else:
                piece.resolve(outcome)
        if committed.events is None or committed.events:
            self._tell(committed.events or [])
        self.outbox.tell()
        return True

    def _tell(self, events: Sequence[NumberedEvent]) -> None:
        try:
            self.hear(events)
        except Exception:
            logger.exception("committed events not told")  # they are stored; who listens must not stop the writer

    def _outage(self, batch: Sequence[Piece], error: Exception) -> None:
        """Tell everyone, also those who came meanwhile: the next attempt would only let them wait as long again."""
        if sqlite_name(error) in UNCONFIRMED and self._distrust is None:
            self._distrust = error
            logger.critical("the disk did not confirm a write; no new calls until a restart", exc_info=error)
        concerned = [*batch, *self._waiting]
        for piece in concerned:
            failure = StoreUnavailable(reason_of(error))
            failure.__cause__ = error
            piece.fail(failure)
        self._waiting = deque(piece for piece in concerned if piece.kept)
        before, self._failing = self._failing, error
        if not self.transactions:
            return  # it was never well: who opens it is told, and refuses it
        if before is None or lasting(error) != lasting(before):
            level = logging.CRITICAL if lasting(error) else logging.ERROR
            extra = {"reason": reason_of(error), "kept": len(self._waiting)}
            logger.log(level, "the database cannot be written", extra=extra)

    def _lock_patience(self) -> float | None:
        """Seconds to wait for a lock if they are fewer than usual: who ends has no more than is left."""
        until = self._end_by if self._close_by is None else self._close_by
        if until == math.inf:
            return None
        return min(BUSY_TIMEOUT, max(LEAST_WAIT, until - asyncio.get_running_loop().time()))


def prove_writable(connection: Connection) -> None:
    """Write something, though nothing that matters."""
    connection.execute(update(counters).where(counters.c.name == CHECKS).values(value=counters.c.value + 1))


def _commit_now(
    batch: Sequence[Piece], guard: Callable[[], None], outbox: Outbox, patience: float | None, connection: Connection
) -> Committed:
    """Commit the batch in one transaction; what is refused alone is left out of it. Raises when the database failed."""
    guard()
    if patience is not None:
        wait_for_locks(connection, patience)
    try:
        with connection.begin():
            events = _write(connection, _works(batch), outbox, repeated=False)
            return Committed(_records_done(batch) + _run_jobs(connection, batch), events)
    except Exception as error:
        if is_outage(error):
            raise
    with connection.begin():  # one record is bad, or was written already: find which
        records = [piece for piece in batch if isinstance(piece.work, CallWrite)]
        return Committed(_write_apart(connection, records, outbox) + _run_jobs(connection, batch), None)


def _write(
    connection: Connection, writes: Sequence[CallWrite], outbox: Outbox, *, repeated: bool
) -> list[NumberedEvent]:
    """Write records, and to whom their events are owed; gives the events."""
    new_events = write_calls(connection, writes, repeated=repeated)
    if new_events:
        outbox.fill(connection, new_events)
    return new_events


def _records_done(batch: Sequence[Piece]) -> list[Outcome]:
    return [(piece, None) for piece in batch if isinstance(piece.work, CallWrite)]


def _run_jobs(connection: Connection, batch: Sequence[Piece]) -> list[Outcome]:
    return [(piece, _run_apart(connection, piece.work)) for piece in batch if not isinstance(piece.work, CallWrite)]


def _run_apart(connection: Connection, job: Job) -> object:
    """The job's result, or the exception that undid it."""
    try:
        with connection.begin_nested():
            return job(connection)
    except Exception as error:
        if is_outage(error):
            raise
        return error


def _write_apart(connection: Connection, records: Sequence[Piece], outbox: Outbox) -> list[Outcome]:
    """Write what can be written, in order, by halving until what cannot stands alone."""
    if not records:
        return []
    outcome = _run_apart(connection, lambda nested: _write_again(nested, records, outbox))
    if not isinstance(outcome, Exception) or len(records) == 1:
        return [(piece, outcome) for piece in records]
    middle = len(records) // 2
    return _write_apart(connection, records[:middle], outbox) + _write_apart(connection, records[middle:], outbox)


def _write_again(connection: Connection, records: Sequence[Piece], outbox: Outbox) -> None:
    _write(connection, _works(records), outbox, repeated=True)


def _refuse(piece: Piece, error: Exception) -> None:
    if isinstance(error, ClickToCallError):
        piece.fail(error)
        return
    refusal = RecordRefused(reason_of(error))
    refusal.__cause__ = error
    piece.fail(refusal)
    if isinstance(piece.work, CallWrite):
        logger.error("record refused", extra={"call_id": piece.work.call.id, "reason": str(refusal)})


def _works(pieces: Iterable[Piece]) -> list[CallWrite]:
    return [piece.work for piece in pieces if isinstance(piece.work, CallWrite)]


def _call_ids(pieces: Iterable[Piece]) -> list[str]:
    return sorted({work.call.id for work in _works(pieces)})
