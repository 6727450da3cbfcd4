"""The events of an account after a number: what a client reads that was away, a piece at a time."""

from sqlalchemy import ColumnElement, Connection, func, select

from c2c_stasis.ids import AccountId
from c2c_stasis.ports import EventFilter, EventPage, NumberedEvent, StoredEvent
from c2c_stasis.store.records import EVENT_FIELDS
from c2c_stasis.store.tables import calls, event_counters, events

WINDOW = 250  # numbers in one piece: some 300 kB of events, and a millisecond of a reader's time

_number = events.c.account_sequence


def read_after(connection: Connection, account_id: AccountId, after: int | None, wanted: EventFilter) -> EventPage:
    """The events of the next numbers that are wanted. Numbers that were never given, or whose events are gone, are `lost`."""
    of_account = event_counters.c.account_id == account_id
    last = connection.scalar(select(event_counters.c.last_sequence).where(of_account)) or 0
    if after is None or after == last:
        return EventPage((), last, last)
    mine = events.c.account_id == account_id
    first = connection.scalar(select(func.min(_number)).where(mine, _number > after)) if after < last else None
    if first is None:
        return EventPage((), last, last, lost=last)
    upto = min(first - 1 + WINDOW, last)
    within = (mine, _number >= first, _number <= upto)
    kept = connection.scalar(select(func.count()).where(*within))
    whole = first == after + 1 and kept == upto - after
    return EventPage(_wanted(connection, wanted, *within), upto, last, lost=None if whole else first - 1)


def _wanted(connection: Connection, wanted: EventFilter, *within: ColumnElement[bool]) -> tuple[NumberedEvent, ...]:
    statement = (
        select(_number, calls.c.user_id, calls.c.livemode, *[events.c[name] for name in EVENT_FIELDS])
        .join(calls, calls.c.id == events.c.call_id)
        .where(*within, calls.c.livemode == wanted.livemode, events.c.type.in_(sorted(wanted.types)))
        .order_by(_number)
    )
    if wanted.user_id is not None:
        statement = statement.where(calls.c.user_id == wanted.user_id)
    if wanted.call_id is not None:
        statement = statement.where(events.c.call_id == wanted.call_id)
    rows = connection.execute(statement)
    return tuple(NumberedEvent(number, user, livemode, StoredEvent(*rest)) for number, user, livemode, *rest in rows)
