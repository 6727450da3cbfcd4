"""The store as the service sees it: calls and events go in through one writer, and come out through readers beside it."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Executable, and_, or_, select

from c2c_stasis.call.model import Call, CallState, DestinationKind
from c2c_stasis.directory.call_log import Once
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.metrics import Metrics
from c2c_stasis.ports import EventFilter, EventPage, Hear, RecentCall, StoredEvent
from c2c_stasis.store import schema, sqlite
from c2c_stasis.store.call_log import CallLog
from c2c_stasis.store.database import Database
from c2c_stasis.store.deliveries import Deliveries
from c2c_stasis.store.following import read_after
from c2c_stasis.store.listing import Listing
from c2c_stasis.store.provisioning import Provisioning
from c2c_stasis.store.records import EVENT_FIELDS, CallWrite, call_of_row
from c2c_stasis.store.rows import read_directory
from c2c_stasis.store.tables import DIRECTORY_REVISION, accounts, calls, counters, events
from c2c_stasis.store.writer import Writer, prove_writable

logger = logging.getLogger(__name__)

_RECENT = (
    *(calls.c.id, calls.c.account_id, calls.c.user_id, calls.c.key_id, calls.c.destination_kind, calls.c.to_number),
    *(calls.c.livemode, calls.c.state, calls.c.started_at, calls.c.connected_at, calls.c.ended_at),
)
MOST_IDS = 500  # in one statement; SQLite takes 32,766 parameters, other databases fewer


async def open_store(url: str, *, migrate: bool = False, metrics: Metrics | None = None) -> "SqlStore":
    """Open the database, or refuse in plain words.

    With `migrate` it is created, or brought to this version, first. Raises `DatabaseNotUsable` when it is missing, not a
    database, damaged or not writable, and `SchemaNotCurrent` when its tables are those of another version.
    """
    parsed = sqlite.parse_url(url)
    file = sqlite.database_file(parsed)
    database = Database(parsed)
    try:
        if migrate:
            from c2c_stasis.store.upgrading import upgrade  # what only migrates need not be read by every start

            await database.alone(lambda: upgrade(url))
        guard = sqlite.same_file_guard(file)
        await database.read(lambda connection: _require_usable(connection, file))
        return await SqlStore.started(database, Writer(database, guard, metrics))
    except StoreUnavailable as error:
        await database.close()
        raise sqlite.why_not_usable(file, error.__cause__ or error) from error
    except BaseException:
        await database.close()
        raise


def _require_usable(connection: Connection, file: Path) -> None:
    sqlite.require_sound(connection, file)
    schema.require_current(connection, file)


class SqlStore(Provisioning, Listing, CallLog, Deliveries):
    """Calls, events and the directory in one SQL database; `open_store` makes it and `close` ends it."""

    def __init__(self, database: Database, writer: Writer) -> None:
        Provisioning.__init__(self, writer, time.time)
        Listing.__init__(self, database)
        CallLog.__init__(self, database, writer)

    @classmethod
    async def started(cls, database: Database, writer: Writer) -> "SqlStore":
        """A store that has proved that it can write."""
        writer.start()
        store = cls(database, writer)
        try:
            await store.check()
        except BaseException:
            await store.close()
            raise
        return store

    def end_within(self, seconds: float) -> None:
        """Be closed within so many seconds, whoever has the database locked; to be called when the end begins."""
        self._writer.end_within(seconds)

    async def close(self) -> None:
        """Write what waits, for a bounded time, and let go of the database and its threads. May be called twice."""
        await self._writer.close()
        await self._database.close()

    @property
    def transactions(self) -> int:
        """How many transactions were committed since the store was opened."""
        return self._writer.transactions

    async def accept(self, call: Call, events: Sequence[StoredEvent], once: Once | None = None) -> None:
        """Record a new call, and the name of its request; returns when it is committed.

        Raises `StoreUnavailable`: then nothing is recorded.
        """
        await self._writer.write(CallWrite.of(call, events, once), kept=False)

    @property
    def failing(self) -> bool:
        """Whether nothing can be written now, as far as that is known."""
        return self._writer.failing

    def record(self, call: Call, events: Sequence[StoredEvent], *, within: float = 0.0) -> asyncio.Future[None]:
        """Record what became of a call; done when it is committed. It is handed over when this returns, awaited or not.

        It waits for up to `within` seconds, and is written with the first record of its call that is due before that.
        Records of one call are committed in the order of the calls to this method, also when the caller stops waiting. Fails
        with `StoreUnavailable`; the record is kept nevertheless and written when the database is well again, so to give it in
        once more does no harm, and no good. It is not kept, and `RecordRefused` says so, when it breaks a rule of the tables.
        """
        return self._writer.write(CallWrite.of(call, events), kept=True, within=within)

    async def live_calls(self) -> list[Call]:
        """Every call that has not ended. A call that a newer version wrote and this one cannot read is logged and left out.

        Raises `StoreUnavailable`.
        """
        statement = select(calls.c.id, calls.c.snapshot).where(calls.c.state != CallState.ENDED).order_by(calls.c.id)
        live: list[Call] = []
        for call_id, snapshot in await self._rows(statement):
            try:
                live.append(call_of_row(snapshot))
            except msgspec.DecodeError as error:
                logger.error("call cannot be read", extra={"call_id": call_id, "reason": str(error)})
        return live

    async def recent_calls(self, began: float, talked: float) -> list[RecentCall]:
        """Calls that live, began since the first moment (Unix seconds), or since the second one and were answered.

        Raises `StoreUnavailable`.
        """
        # Account by account, in both modes, for that is how the index stands; a live call may have begun earlier.
        of_account = and_(calls.c.account_id.in_(select(accounts.c.id)), calls.c.livemode.in_([True, False]))
        wanted = or_(calls.c.started_at >= began, calls.c.connected_at.is_not(None))
        recent = select(*_RECENT).where(of_account, calls.c.started_at >= min(began, talked), wanted)
        live = select(*_RECENT).where(calls.c.state != CallState.ENDED)
        rows = [*await self._rows(recent), *await self._rows(live)]
        return list({one.id: one for one in map(_recent, rows)}.values())

    async def find_call(self, account_id: AccountId, call_id: CallId) -> Call | None:
        """A call of this account, live or ended. Raises `StoreUnavailable`, also when its record cannot be read."""
        statement = select(calls.c.snapshot).where(calls.c.id == call_id, calls.c.account_id == account_id)
        found = await self._rows(statement)
        try:
            return call_of_row(found[0][0]) if found else None
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"the record of {call_id} cannot be read") from error

    async def call_events(self, account_id: AccountId, call_id: CallId) -> list[StoredEvent]:
        """The event log of a call, in order. Raises `StoreUnavailable`."""
        statement = (
            select(*[events.c[name] for name in EVENT_FIELDS])
            .where(events.c.call_id == call_id, events.c.account_id == account_id)
            .order_by(events.c.sequence)
        )
        return [StoredEvent(*row) for row in await self._rows(statement)]

    async def events_after(self, account_id: AccountId, after: int | None, wanted: EventFilter) -> EventPage:
        """The next events of an account after a number; without one, where they stand. Raises `StoreUnavailable`."""
        return await self._database.read(lambda connection: read_after(connection, account_id, after, wanted))

    def tell(self, hear: Hear) -> None:
        """Let this hear of every commit that holds events, in their order, soon after it."""
        self._writer.hear = hear

    async def ended_calls(self, call_ids: Iterable[CallId]) -> set[CallId]:
        """Those of these calls that are recorded here as ended. Raises `StoreUnavailable`."""
        wanted = sorted(call_ids)
        ended: set[CallId] = set()
        for first in range(0, len(wanted), MOST_IDS):
            among = calls.c.id.in_(wanted[first : first + MOST_IDS])
            statement = select(calls.c.id).where(among, calls.c.state == CallState.ENDED)
            ended |= {CallId(row[0]) for row in await self._rows(statement)}
        return ended

    async def directory(self) -> DirectoryRows:
        """The whole directory as it is committed now. Raises `StoreUnavailable`."""
        return await self._database.read(read_directory)

    async def directory_revision(self) -> int:
        """A number that grows with every change of the directory, whichever process made it; cheap to ask.

        Raises `StoreUnavailable`.
        """
        statement = select(counters.c.value).where(counters.c.name == DIRECTORY_REVISION)
        rows = await self._rows(statement)
        return int(rows[0][0])

    async def check(self) -> None:
        """Prove that the database can be read and written. Raises `StoreUnavailable`."""
        await self._writer.run(prove_writable)
        await self.directory_revision()

    async def _rows(self, statement: Executable) -> Sequence[Sequence[Any]]:
        return await self._database.read(lambda connection: connection.execute(statement).all())


def _recent(row: Sequence[Any]) -> RecentCall:
    call_id, account_id, user_id, key_id, kind, number, livemode, state, *moments = row
    live = state != CallState.ENDED
    return RecentCall(
        call_id, account_id, user_id, key_id, DestinationKind(kind), number, bool(livemode), live, *moments
    )
