"""How a telephone number leaves the call log: rows, snapshots, stored bytes of events, and what was answered to those."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Update, bindparam, exists, select, update

from c2c_stasis.call.model import Call, CallState, Leg, Party, Side
from c2c_stasis.directory.number_texts import writings_of
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import AccountId
from c2c_stasis.store.records import Row, call_of_row, call_row, leg_rows
from c2c_stasis.store.tables import calls, events, legs, webhook_attempts, webhook_deliveries
from c2c_stasis.store.webhooks import some

NOBODY = Party("")
CALL_COLUMNS = ("dial_string", "from_number", "from_name", "to_number", "to_name", "snapshot")
LEG_COLUMNS = ("endpoint", "contact")
# Made once: with every column, and made anew for each row, they took ten times as long as the database.
ERASE_CALL = update(calls).where(calls.c.id == bindparam("its_id")).values({n: bindparam(n) for n in CALL_COLUMNS})
ERASE_LEG = update(legs).where(legs.c.id == bindparam("its_id")).values({n: bindparam(n) for n in LEG_COLUMNS})
ERASE_EVENT = update(events).where(events.c.id == bindparam("its_id")).values(body=bindparam("body"))
_OF_DESTINATION = ("to_number", "to_label")
_OF_CALLER = ("from_number", "from_label", "from_name")


def erase(connection: Connection, account_id: AccountId, modes: Sequence[bool], number: str, most: int) -> int:
    """Erase a number from so many ended calls; gives from how many. Raises `StoreUnavailable` when one cannot be read."""
    whose = (calls.c.account_id == account_id, calls.c.livemode.in_(modes), calls.c.state == CallState.ENDED)
    # Two questions, each with its index: for one with OR the database reads every call of the account.
    found = {
        row.id: row.snapshot
        for column in (calls.c.to_number, calls.c.from_number)
        for row in connection.execute(select(calls.c.id, calls.c.snapshot).where(*whose, column == number).limit(most))
    }
    stands_in = writings_of(number)
    try:
        erased = [without(call_of_row(snapshot), number, stands_in) for snapshot in list(found.values())[:most]]
    except msgspec.DecodeError as error:
        raise StoreUnavailable("the record of a call with this number cannot be read") from error
    if erased:
        _execute(connection, ERASE_CALL, CALL_COLUMNS, [call_row(call) for call in erased])
        _execute(connection, ERASE_LEG, LEG_COLUMNS, [row for call in erased for row in leg_rows(call)])
    ids = [call.id for call in erased]
    _erase_events(connection, ids, number)
    _erase_answers(connection, ids)
    return len(erased)


def without(call: Call, number: str, stands_in: Callable[[str], bool]) -> Call:
    """The call as if it had never been told this number, which `stands_in` finds in a text of the client."""
    if call.destination.party.number == number:
        call = replace(
            call,
            dial_string="",
            destination=replace(call.destination, party=NOBODY),
            legs=tuple(_anonymous(leg) for leg in call.legs),
            routes=(),  # the trunks that were not needed; their dial strings hold the number
        )
    if call.caller.number == number:
        call = replace(call, caller=NOBODY)
    emptied = {name: "" if stands_in(value) else value for name, value in call.metadata.items()}
    return replace(call, metadata={"" if stands_in(name) else name: value for name, value in emptied.items()})


def _anonymous(leg: Leg) -> Leg:
    """A leg to a number is named by it in the form that its trunk wants; a leg to a device is not."""
    return leg if leg.side is Side.A or leg.device_id else replace(leg, endpoint="", contact="")


def _erase_events(connection: Connection, ids: Sequence[str], number: str) -> None:
    rows = connection.execute(select(events.c.id, events.c.body).where(events.c.call_id.in_(ids))).all()
    changed = [{"id": row.id, "body": _event_without(row.body, number)} for row in rows]
    if changed:
        _execute(connection, ERASE_EVENT, ("body",), changed)


def _erase_answers(connection: Connection, call_ids: Sequence[str]) -> None:
    """What receivers answered to events of these calls: some send back what they were sent."""
    while erase_some_answers(connection, call_ids):
        pass


def erase_some_answers(connection: Connection, call_ids: Sequence[str]) -> int:
    """Erase some of what receivers answered to events of these calls; gives to how many."""
    mine = webhook_attempts.c.delivery_id == webhook_deliveries.c.id
    answered = exists(select(webhook_attempts.c.delivery_id).where(mine, webhook_attempts.c.response != ""))
    ids = some(connection, webhook_deliveries.c.call_id.in_(call_ids), answered)
    connection.execute(update(webhook_attempts).where(webhook_attempts.c.delivery_id.in_(ids)).values(response=""))
    return len(ids)


def _execute(connection: Connection, statement: Update, columns: Sequence[str], rows: Sequence[Row]) -> None:
    connection.execute(statement, [{"its_id": row["id"]} | {name: row[name] for name in columns} for row in rows])


def _event_without(body: bytes, number: str) -> bytes:
    event: dict[str, Any] = json.loads(body)
    data = event["data"]
    for names in (_OF_DESTINATION, _OF_CALLER):
        if data.get(names[0]) == number:
            data.update({name: None for name in names if name in data})
    if (leg := data.get("leg")) and leg.get("number") == number:
        leg["number"] = None
    return msgspec.json.encode(event)
