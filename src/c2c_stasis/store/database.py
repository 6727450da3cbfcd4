"""The database file and the threads that work on it: one that writes, a few that read beside it.

Statements run on ordinary connections inside these threads, a whole transaction at a time. Through an asyncio driver each
statement would cross between threads several times: one recorded call took 2.6 times the processor time that way (measured
with aiosqlite 0.22, which is an ordinary connection in a thread as well). A server database can take the place of this class
with `AsyncConnection.run_sync` around the same functions.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.store import sqlite
from c2c_stasis.store.errors import reason_of

T = TypeVar("T")

READERS = 3  # threads; a call's record is found in a fraction of a millisecond
QUESTIONS_LIMIT = 1_000  # waiting reads at which more are refused


class Database:
    """One open database file; `close` ends its threads."""

    def __init__(self, url: URL) -> None:
        self._writer = sqlite.writer_engine(url)
        self._readers = sqlite.reader_engine(url, READERS)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._questions = 0
        self._closed = False

    async def write(self, work: Callable[[Engine], T]) -> T:
        """Do this work in the writing thread, after what was given before; it begins transactions itself.

        Who stops waiting does not stop the work. Driver errors are passed on as they are.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writing, work, self._writer)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask within one transaction that sees one state of the database. Raises `StoreUnavailable`."""
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if self._questions >= QUESTIONS_LIMIT:
            raise StoreUnavailable("too many questions wait for the database")
        self._questions += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, self._ask, question)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StoreUnavailable(reason_of(error)) from error
        finally:
            self._questions -= 1

    async def close(self) -> None:
        """Let what runs come to its end, then close every connection and end the threads. May be called twice."""
        if self._closed:
            return
        self._closed = True
        await self.write(self._let_go)
        self._writing.shutdown()

    def _ask(self, question: Callable[[Connection], T]) -> T:
        with self._readers.connect() as connection:
            return question(connection)

    def _let_go(self, writer: Engine) -> None:
        self._reading.shutdown()
        self._readers.dispose()
        writer.dispose()
