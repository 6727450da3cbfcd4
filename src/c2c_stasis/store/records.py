"""How calls and their events become rows, many of them at once, and how they come back."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Table, case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from c2c_stasis.call.causes import status_of
from c2c_stasis.call.model import Call, CallState, DestinationKind, Side
from c2c_stasis.ids import CallId
from c2c_stasis.ports import StoredEvent
from c2c_stasis.store.tables import calls, event_counters, events, legs

Row = dict[str, Any]

FIXED_CALL_COLUMNS = {"id", "platform_id", "account_id", "user_id", "started_at"}
FIXED_LEG_COLUMNS = {"id", "call_id"}
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

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Call)


@dataclass(frozen=True, slots=True, eq=False)
class CallWrite:
    """One record of a call, ready to be written: its row, its legs' rows and the events that happened since the last one."""

    call_id: CallId
    ended: bool
    row: Row
    legs: Sequence[Row]
    events: Sequence[StoredEvent]


def call_write(call: Call, stored_events: Iterable[StoredEvent]) -> CallWrite:
    """What writing this call and these events means. Raises `ValueError` when an event is not this call's."""
    stored = tuple(stored_events)
    if any(event.call_id != call.id or event.account_id != call.account_id for event in stored):
        raise ValueError("an event belongs to another call")
    return CallWrite(call.id, not call.live, _call_row(call), _leg_rows(call), stored)


async def write_calls(connection: AsyncConnection, writes: Sequence[CallWrite], *, repeated: bool) -> None:
    """Write records in the order given; of several records of one call, the newest row and all events.

    A call stored as ended keeps its row and its legs. With `repeated`, events that are already stored are left out: after a
    commit whose outcome is not known, the same record may come again.
    """
    newest = await _without_ended(connection, _newest(writes))
    if newest:
        await connection.execute(_upsert(connection, calls, FIXED_CALL_COLUMNS), [write.row for write in newest])
    if leg_rows := [leg for write in newest for leg in write.legs]:
        await connection.execute(_upsert(connection, legs, FIXED_LEG_COLUMNS), leg_rows)
    new_events = list({event.id: event for write in writes for event in write.events}.values())
    if repeated:
        new_events = await _without_stored(connection, new_events)
    if new_events:
        await _insert_events(connection, new_events)


def call_of_row(snapshot: str) -> Call:
    """The call as it was recorded. Raises `msgspec.ValidationError` when a newer version wrote what this one cannot read."""
    return _decoder.decode(snapshot)


def _newest(writes: Sequence[CallWrite]) -> list[CallWrite]:
    newest: dict[CallId, CallWrite] = {}
    for write in writes:
        before = newest.get(write.call_id)
        if before is None or not before.ended:
            newest[write.call_id] = write
    return list(newest.values())


async def _without_ended(connection: AsyncConnection, writes: list[CallWrite]) -> list[CallWrite]:
    ids = [write.call_id for write in writes]
    ended = await connection.scalars(select(calls.c.id).where(calls.c.id.in_(ids), calls.c.state == CallState.ENDED))
    final = set(ended)
    return [write for write in writes if write.call_id not in final]


async def _without_stored(connection: AsyncConnection, new_events: list[StoredEvent]) -> list[StoredEvent]:
    ids = [event.id for event in new_events]
    stored = set(await connection.scalars(select(events.c.id).where(events.c.id.in_(ids))))
    return [event for event in new_events if event.id not in stored]


async def _insert_events(connection: AsyncConnection, new_events: Sequence[StoredEvent]) -> None:
    """Give each event the next number of its account; the counter's row stays locked until the commit."""
    counts = Counter(event.account_id for event in new_events)
    counted = await connection.execute(
        update(event_counters)
        .where(event_counters.c.account_id.in_(counts))
        .values(last_sequence=event_counters.c.last_sequence + case(dict(counts), value=event_counters.c.account_id))
        .returning(event_counters.c.account_id, event_counters.c.last_sequence)
    )
    next_free = {row.account_id: row.last_sequence - counts[row.account_id] + 1 for row in counted}
    rows: list[Row] = []
    for event in new_events:
        number = next_free[event.account_id]
        next_free[event.account_id] = number + 1
        rows.append({name: getattr(event, name) for name in EVENT_FIELDS} | {"account_sequence": number})
    await connection.execute(events.insert(), rows)


def _upsert(connection: AsyncConnection, table: Table, fixed: set[str]) -> sqlite.Insert | postgresql.Insert:
    postgres = connection.dialect.name == "postgresql"
    insert = postgresql.insert(table) if postgres else sqlite.insert(table)
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in fixed}
    final = table.c.state != CallState.ENDED if table is calls else None
    return insert.on_conflict_do_update(index_elements=[table.c.id], set_=changed, where=final)


def _call_row(call: Call) -> Row:
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
        "direction": "internal" if call.destination.kind is DestinationKind.EXTENSION else "outbound",
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
        "snapshot": _encoder.encode(call).decode(),
    }


def _leg_rows(call: Call) -> list[Row]:
    return [
        {"id": leg.id, "call_id": call.id, "position": position, "side": leg.side}
        | {name: getattr(leg, name) for name in LEG_FIELDS}
        | {name: call.wall(getattr(leg, name)) for name in LEG_MOMENTS}
        for position, leg in enumerate(call.legs)
    ]
