"""One task that writes: it takes all waiting work, commits it in one transaction, and tells everyone who waits.

A commit costs one flush to the disk whatever is in it, so work that arrives during a commit shares the next one.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from c2c_stasis.errors import ClickToCallError, StoreUnavailable
from c2c_stasis.store.errors import UNCONFIRMED, is_outage, sqlite_name, store_error
from c2c_stasis.store.records import CallWrite, write_calls

logger = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[AsyncConnection], Awaitable[Any]]

BATCH = 500  # pieces in one transaction: a few milliseconds of the disk's time
NEW_WORK_LIMIT = 5_000  # waiting pieces at which new work is refused
RECORD_LIMIT = 20_000  # and at which even news of calls that exist are: these must have room when new calls have none
RETRY_AFTER = 1.0  # seconds between attempts to write what is kept while the database fails
CLOSE_WITHIN = 5.0  # seconds that closing may take to write what waits


@dataclass(slots=True, eq=False)
class Piece:
    """Work that waits. A kept piece is tried again after an outage, also when nobody waits for it any more."""

    work: CallWrite | Job
    kept: bool
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, result: object) -> None:
        """Tell who waits, if it has not been told yet."""
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell who waits that it was not written, if it has not been told yet."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # looked at: nobody may be waiting any more


class Writer:
    """The writer of one database. `guard` is asked before each transaction and raises when it must not be written to."""

    def __init__(self, engine: AsyncEngine, guard: Callable[[], None]) -> None:
        self._engine = engine
        self._guard = guard
        self._waiting: deque[Piece] = deque()
        self._wake = asyncio.Event()
        self._distrust: BaseException | None = None
        self._close_by: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.transactions = 0  # committed so far

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="store writer")

    async def write(self, work: CallWrite, *, kept: bool) -> None:
        """Write one record of a call; returns when it is committed.

        Whoever stops waiting does not take the work back. Raises `StoreUnavailable`; a kept record is still written when the
        database can be written again, unless it was refused because too many wait already.
        """
        await self._submit(Piece(work, kept))

    async def run(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a job inside a transaction of its own fate: when it raises, only what it did itself is undone."""
        return cast("T", await self._submit(Piece(job, kept=False)))

    async def close(self) -> None:
        """Write what waits, for a bounded time, and end."""
        self._close_by = asyncio.get_running_loop().time() + CLOSE_WITHIN
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _submit(self, piece: Piece) -> object:
        if self._close_by is not None:
            raise StoreUnavailable("the database is closed")
        if len(self._waiting) >= (RECORD_LIMIT if piece.kept else NEW_WORK_LIMIT):
            raise StoreUnavailable("too much waits to be written")
        if self._distrust is not None and not piece.kept:
            raise StoreUnavailable("the disk did not confirm an earlier write") from self._distrust
        self._waiting.append(piece)
        self._wake.set()
        return await asyncio.shield(piece.done)

    async def _run(self) -> None:
        while not self._finished():
            if not self._waiting:
                await self._wake.wait()
            self._wake.clear()
            if self._waiting and not await self._commit_next():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_AFTER):
                        await self._wake.wait()
        for piece in self._waiting:
            piece.fail(StoreUnavailable("the database is closed"))
        if self._waiting:
            logger.error("records lost at closing", extra={"call_ids": sorted(_call_ids(self._waiting))})

    def _finished(self) -> bool:
        if self._close_by is None:
            return False
        return not self._waiting or asyncio.get_running_loop().time() > self._close_by

    async def _commit_next(self) -> bool:
        """Commit what waits. False: the database failed, all who wait were told, and what must be kept waits on."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            await self._transaction(batch)
        except Exception as error:
            if not is_outage(error):
                logger.exception("writing failed in a way that is not known", extra={"pieces": len(batch)})
            self._outage(batch, error)
            return False
        return True

    async def _transaction(self, batch: Sequence[Piece]) -> None:
        self._guard()
        try:
            outcomes = await self._commit(batch, repeated=False)
        except Exception as error:
            if is_outage(error):
                raise
            outcomes = await self._commit(
                batch, repeated=True
            )  # one of them is bad, or was already written: find which
        self.transactions += 1
        for piece, outcome in outcomes:
            if isinstance(outcome, Exception):
                _refuse(piece, outcome)
            else:
                piece.resolve(outcome)

    async def _commit(self, batch: Sequence[Piece], *, repeated: bool) -> list[tuple[Piece, object]]:
        records = [piece for piece in batch if isinstance(piece.work, CallWrite)]
        outcomes: list[tuple[Piece, object]] = []
        async with self._engine.begin() as connection:
            if repeated:
                outcomes += await _write_apart(connection, records)
            elif records:
                await write_calls(connection, _works(records), repeated=False)
                outcomes += [(piece, None) for piece in records]
            for piece in batch:
                if not isinstance(piece.work, CallWrite):
                    outcomes.append((piece, await _run_apart(connection, piece.work)))
        return outcomes

    def _outage(self, batch: Sequence[Piece], error: Exception) -> None:
        """Tell everyone, also those who came meanwhile: the next attempt would only let them wait as long again."""
        if sqlite_name(error) in UNCONFIRMED:
            self._distrust = error
            logger.critical("the disk did not confirm a write; no new calls until a restart", exc_info=error)
        concerned = [*batch, *self._waiting]
        for piece in concerned:
            failure = store_error(error)
            failure.__cause__ = error
            piece.fail(failure)
        self._waiting = deque(piece for piece in concerned if piece.kept)
        logger.warning("the database cannot be written", extra={"reason": str(error), "kept": len(self._waiting)})


async def _run_apart(connection: AsyncConnection, job: Job) -> object:
    """The job's result, or the exception that undid it."""
    try:
        async with connection.begin_nested():
            return await job(connection)
    except Exception as error:
        if is_outage(error):
            raise
        return error


async def _write_apart(connection: AsyncConnection, pieces: Sequence[Piece]) -> list[tuple[Piece, object]]:
    """Write what can be written, in order, by halving until what cannot stands alone."""
    if not pieces:
        return []
    outcome = await _run_apart(connection, lambda nested: write_calls(nested, _works(pieces), repeated=True))
    if not isinstance(outcome, Exception) or len(pieces) == 1:
        return [(piece, outcome) for piece in pieces]
    middle = len(pieces) // 2
    return await _write_apart(connection, pieces[:middle]) + await _write_apart(connection, pieces[middle:])


def _refuse(piece: Piece, error: Exception) -> None:
    if isinstance(error, ClickToCallError):
        piece.fail(error)
        return
    refusal = store_error(error)
    refusal.__cause__ = error
    piece.fail(refusal)
    if isinstance(piece.work, CallWrite):
        logger.error("record refused", extra={"call_id": piece.work.call_id, "reason": str(refusal)})


def _works(pieces: Iterable[Piece]) -> list[CallWrite]:
    return [piece.work for piece in pieces if isinstance(piece.work, CallWrite)]


def _call_ids(pieces: Iterable[Piece]) -> set[str]:
    return {work.call_id for work in _works(pieces)}
