"""How calls and their events become rows, many of them at once, and how they come back."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, Dialect, Insert, Select, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningUpdate

from c2c_stasis.call.causes import status_of
from c2c_stasis.call.model import Call, CallState, Side
from c2c_stasis.directory.call_log import Once
from c2c_stasis.ids import CallId
from c2c_stasis.ports import NumberedEvent, StoredEvent
from c2c_stasis.store.tables import calls, event_counters, events, legs, once

Row = dict[str, Any]

# Said once, when the row is new: to write a column again means to write its indexes again, changed or not.
FIXED_COLUMNS = {
    *("id", "call_id", "platform_id", "account_id", "user_id", "started_at", "livemode", "did_id", "key_id"),
    *("dial_string", "direction", "destination_kind", "from_number", "from_name", "to_number", "to_name"),
}
LEG_FIELDS = (
    "endpoint",
    "device_id",
    "device",
    "contact",
    "user_agent",
    "state",
    "outcome",
    "won",
    "cause",
    "sip_code",
)
LEG_MOMENTS = ("dialled_at", "invited_at", "ringing_at", "answered_at", "ended_at")
EVENT_FIELDS = tuple(field.name for field in dataclasses.fields(StoredEvent))
_fields = attrgetter(*EVENT_FIELDS)

# Made once: to build a statement takes longer than to run it. Those of every transaction are made as far as the driver's own
# text (`_in_driver_words`): what SQLAlchemy does at each execution took half of the writing thread's time.
STORED_AMONG = select(events.c.id).where(events.c.id.in_(bindparam("ids", expanding=True)))
COUNT_ON = (
    update(event_counters)
    .where(event_counters.c.account_id == bindparam("account"))
    .values(last_sequence=event_counters.c.last_sequence + bindparam("more"))
    .returning(event_counters.c.last_sequence)
)
INSERT_EVENT = insert(events)

# In one execution, and a power of two, as all smaller ones are: so there are few statements. SQLite takes 32,766 values.
ROWS_TOGETHER = 32

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Call)


@dataclass(frozen=True, slots=True, eq=False)
class CallWrite:
    """One record of a call that waits to be written, with the events that happened since the last one."""

    call: Call
    events: Sequence[StoredEvent]
    once: Once | None = None  # the request that this call came of, when it has a name

    @classmethod
    def of(cls, call: Call, events: Sequence[StoredEvent], once: Once | None = None) -> "CallWrite":
        """Raises `ValueError` when an event is another call's."""
        if any(event.call_id != call.id or event.account_id != call.account_id for event in events):
            raise ValueError("an event belongs to another call")
        return cls(call, tuple(events), once)


def write_calls(connection: Connection, writes: Sequence[CallWrite], *, repeated: bool) -> list[NumberedEvent]:
    """Write records in the order given; of several records of one call, the newest row and all events. Gives these events.

    Legs get rows of their own when their call has ended. A call stored as ended keeps its row and its legs. With `repeated`,
    events that are already stored are left out: after a commit whose outcome is not known, the same record may come again.
    """
    newest, dialect = _newest(writes), connection.dialect.name
    ended = _without_ended(connection, [call for call in newest if not call.live])
    _insert_together(connection, _upsert(dialect, calls), [call_row(call) for call in newest])
    _insert_together(connection, _upsert(dialect, legs), [row for call in ended for row in leg_rows(call)])
    if named := [once_row(write.once, write.call.id, write.call.accepted_at) for write in writes if write.once]:
        insert_rows(connection, once_again(dialect), named)
    new_events = list({event.id: event for write in writes for event in write.events}.values())
    if repeated:
        new_events = _without_stored(connection, new_events)
    if not new_events:
        return []
    numbers = _insert_events(connection, new_events)
    known = {write.call.id: write.call for write in writes}
    return [
        NumberedEvent(number, known[event.call_id].user_id, known[event.call_id].livemode, event)
        for number, event in zip(numbers, new_events, strict=True)
    ]


def once_row(once: Once, call_id: CallId, at: float) -> Row:
    """A request with a name, and what became of it."""
    return dataclasses.asdict(once) | {"call_id": call_id, "created_at": at}


def call_of_row(snapshot: str) -> Call:
    """The call as it was recorded. Raises `msgspec.DecodeError` when a newer version wrote what this one cannot read."""
    return _decoder.decode(snapshot)


def _newest(writes: Sequence[CallWrite]) -> list[Call]:
    newest: dict[CallId, Call] = {}
    for write in writes:
        before = newest.get(write.call.id)
        if before is None or before.live:
            newest[write.call.id] = write.call
    return list(newest.values())


def _without_ended(connection: Connection, newest: list[Call]) -> list[Call]:
    if not newest:
        return newest
    room = 1 << (len(newest) - 1).bit_length()  # a power of two, so that there are few statements
    ids = [call.id for call in newest] + [newest[-1].id] * (room - len(newest))
    rows = _ask(connection, _ended_among(room), {f"id_{i}": call_id for i, call_id in enumerate(ids)})
    ended = {row[0] for row in rows}
    return [call for call in newest if call.id not in ended]


@functools.cache
def _ended_among(room: int) -> Select[tuple[str]]:
    ids: list[BindParameter[str]] = [bindparam(f"id_{i}") for i in range(room)]
    return select(calls.c.id).where(calls.c.id.in_(ids), calls.c.state == CallState.ENDED)


def _without_stored(connection: Connection, new_events: list[StoredEvent]) -> list[StoredEvent]:
    stored = set(connection.scalars(STORED_AMONG, {"ids": [event.id for event in new_events]}))
    return [event for event in new_events if event.id not in stored]


def _insert_events(connection: Connection, new_events: Sequence[StoredEvent]) -> list[int]:
    """Give each event the next number of its account; the counter's row stays locked until the commit. Gives the numbers."""
    counts = Counter(event.account_id for event in new_events)
    next_free = {
        account: _ask(connection, COUNT_ON, {"account": account, "more": counts[account]})[0][0] - counts[account] + 1
        for account in sorted(counts)
    }
    rows: list[Row] = []
    for event in new_events:
        number = next_free[event.account_id]
        next_free[event.account_id] = number + 1
        rows.append(dict(zip(EVENT_FIELDS, _fields(event), strict=True)) | {"account_sequence": number})
    _insert_together(connection, INSERT_EVENT, rows)
    return [row["account_sequence"] for row in rows]


def _insert_together(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """The same as `insert_rows` for rows that do not see one another, with many of them in one execution.

    At each execution the driver lets another thread run Python and then waits for its turn: row by row, a commit under load
    waits as often as it has rows.
    """
    words, names, fixed = _in_driver_words(connection.dialect, statement)
    columns = len(names) - len(fixed)  # what is fixed stands behind the values
    pick, last = itemgetter(*names[:columns]), tuple(fixed[name] for name in names[columns:])
    values = [pick(row) for row in rows]
    while values:
        size = min(ROWS_TOGETHER, 1 << (len(values).bit_length() - 1))
        connection.exec_driver_sql(_for_several(words, columns, size), (*chain.from_iterable(values[:size]), *last))
        del values[:size]


@functools.cache
def _for_several(words: str, columns: int, rows: int) -> str:
    """The text of an insert of one row as one of several."""
    one = f"VALUES ({', '.join('?' * columns)})"
    assert one in words
    return words.replace(one, one + f", ({', '.join('?' * columns)})" * (rows - 1))


def insert_rows(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Insert these rows, one after the other, which all have a value for every column of the table."""
    words, names, fixed = _in_driver_words(connection.dialect, statement)
    pick = itemgetter(*names)
    connection.exec_driver_sql(words, [pick(fixed | row) for row in rows])


def _ask(connection: Connection, statement: Select[Any] | ReturningUpdate[Any], values: Row) -> Sequence[Any]:
    """The rows that a statement gives."""
    words, names, fixed = _in_driver_words(connection.dialect, statement)
    return connection.exec_driver_sql(words, itemgetter(*names)(fixed | values)).all()


@functools.cache
def _in_driver_words(
    dialect: Dialect, statement: Insert | Select[Any] | ReturningUpdate[Any]
) -> tuple[str, tuple[str, ...], Row]:
    """A statement as the driver takes it, the names of its parameters in order, and the values of those that are no columns."""
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup is not None  # SQLite's driver counts parameters
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), tuple(compiled.positiontup), fixed


@functools.cache
def _upsert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    upsert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    changed = {
        column.name: upsert.excluded[column.name] for column in table.columns if column.name not in FIXED_COLUMNS
    }
    final = table.c.state != CallState.ENDED if table is calls else None
    return upsert.on_conflict_do_update(index_elements=[table.c.id], set_=changed, where=final)


@functools.cache
def once_again(dialect: str) -> sqlite.Insert | postgresql.Insert:
    """A name that was used a day ago may stand for something new."""
    upsert = postgresql.insert(once) if dialect == "postgresql" else sqlite.insert(once)
    changed = {name: upsert.excluded[name] for name in ("fingerprint", "call_id", "created_at")}
    return upsert.on_conflict_do_update(index_elements=list(once.primary_key.columns), set_=changed)


def call_row(call: Call) -> Row:
    """The row of a call."""
    winner = call.winner(Side.A)
    end = call.end
    return {
        "id": call.id,
        "platform_id": call.platform_id,
        "account_id": call.account_id,
        "user_id": call.user_id,
        "device_id": winner.device_id if winner else None,
        "state": call.state,
        "dial_string": call.dial_string,
        "direction": call.direction,
        "destination_kind": call.destination.kind,
        "from_number": call.caller.number,
        "from_name": call.caller.name,
        "to_number": call.destination.party.number,
        "to_name": call.destination.party.name,
        "status": status_of(end) if end else None,
        "outcome": end.outcome if end else None,
        "reason": end.reason if end else None,
        "ended_by": end.ended_by if end else None,
        "failed_leg": end.failed_leg if end else None,
        "cause": end.cause if end else None,
        "sip_code": end.sip_code if end else None,
        "started_at": call.accepted_at,
        "initiated_at": call.wall(call.initiated_at),
        "answered_at": call.wall(call.answered_at),
        "connected_at": call.wall(call.connected_at),
        "ended_at": call.wall(call.ended_at),
        "livemode": call.livemode,
        "did_id": call.did_id,
        "key_id": call.key_id,
        "snapshot": _encoder.encode(call).decode(),
    }


def leg_rows(call: Call) -> list[Row]:
    """The rows of its legs."""
    return [
        {"id": leg.id, "call_id": call.id, "position": position, "side": leg.side}
        | {name: getattr(leg, name) for name in LEG_FIELDS}
        | {name: call.wall(getattr(leg, name)) for name in LEG_MOMENTS}
        for position, leg in enumerate(call.legs)
    ]
