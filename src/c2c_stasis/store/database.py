"""The database file: one thread that writes it, and a few aiosqlite connections that read beside it.

Whole transactions are written in the writing thread, on an ordinary connection. Through an asyncio driver each statement
would cross between threads several times: one recorded call took 2.6 times the processor time that way (measured with
aiosqlite 0.22). Reads are a single statement mostly, and rare beside the writes. A server database can take the place of this
class with `AsyncConnection.run_sync` around the same functions.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import reason_of

T = TypeVar("T")

READERS = 3  # connections; a call's record is found in a fraction of a millisecond
QUESTIONS_LIMIT = 1_000  # waiting reads at which more are refused


class Database:
    """One open database file; `close` ends its threads."""

    def __init__(self, url: URL) -> None:
        self._writer = sqlite.writer_engine(url)
        self._readers: AsyncEngine = sqlite.reader_engine(url, READERS)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._connection: Connection | None = (
            None  # the writing thread's: to fetch one for each transaction costs a fifth of it
        )
        self._questions: set[asyncio.Task[object]] = set()
        self._closed = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do this work in the writing thread, after what was given before; it begins transactions itself.

        Who stops waiting does not stop the work. Driver errors are passed on as they are.
        """
        return await self.alone(lambda: self._connected(work))

    async def alone(self, work: Callable[[], T]) -> T:
        """Do this work in the writing thread, on a connection of its own: nobody writes meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._writing, work)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask within one transaction that sees one state of the database. Raises `StoreUnavailable`."""
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if len(self._questions) >= QUESTIONS_LIMIT:
            raise StoreUnavailable("too many questions wait for the database")
        # In a task of its own: who stops waiting must not leave a connection in the middle of a statement.
        asking = asyncio.create_task(self._ask(question))
        self._questions.add(asking)
        asking.add_done_callback(self._answered)
        try:
            return await asyncio.shield(asking)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StoreUnavailable(reason_of(error)) from error

    async def close(self) -> None:
        """Let what runs come to its end, then close every connection and end the threads. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._questions:
            await asyncio.wait(self._questions)
        await self._readers.dispose()
        await self.alone(self._disconnect)
        self._writing.shutdown()

    def _connected(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._writer.connect()
        try:
            return work(self._connection)
        except BaseException:
            self._connection.close()  # after a failure with a fresh one: the pool knows whether the driver's is still good
            self._connection = None
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._writer.dispose()

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        async with self._readers.connect() as connection:
            return await connection.run_sync(question)

    def _answered(self, asking: asyncio.Task[object]) -> None:
        self._questions.discard(asking)
        if not asking.cancelled():
            asking.exception()  # seen, also when nobody waits any more
