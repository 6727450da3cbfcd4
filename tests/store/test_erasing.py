"""A number is erased: nowhere in the tables does it stand any more, and everything else still does."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, Destination, DestinationKind, Leg, LegState, Party, Route, Side
from c2c_stasis.directory.call_log import CallFilter
from c2c_stasis.directory.pages import Wish
from c2c_stasis.directory.webhooks import Attempt, DeliveryStatus
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import LegId, leg_id
from c2c_stasis.ports import Settled
from c2c_stasis.publish.envelope import Envelopes
from tests.store.samples import Place, change, ended

NUMBER, OTHER, OWN = "+442079460018", "+442079460019", "+15557654321"
BOTH = (True, False)


def to(place: Place, number: str, **fields: object) -> Call:
    """An ended call to a number, through a trunk that wants it with 00."""
    call = place.call()
    far = Leg(LegId(leg_id(call.id, "b", 1)), Side.B, f"PJSIP/00{number[1:]}@carrier", state=LegState.ENDED)
    destination = Destination(DestinationKind.EXTERNAL, Party(number, "Jane Roe"))
    spare = Route("spare", f"PJSIP/9{number[1:]}@spare")
    changed = replace(
        call, dial_string="020 7946 0018", destination=destination, legs=(*call.legs, far), routes=(spare,)
    )
    return ended(replace(changed, **fields))


async def recorded(place: Place, call: Call) -> Call:
    """A call in the log, with the events that the service would tell of it."""
    far = call.legs[-1].id
    told = [
        Event(EventType.CALL_INITIATED, 1.0),
        Event(EventType.LEG_DIALLED, 1.0, far),
        Event(EventType.CALL_END, 9.0),
    ]
    await place.store.accept(call, [Envelopes().envelope(call, one, number) for number, one in enumerate(told, 1)])
    return call


def everything(file: Path) -> str:
    """Every value of every table."""
    with closing(sqlite3.connect(file)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(str(row) for name in names for row in connection.execute(f"SELECT * FROM {name}"))


async def test_a_number_that_was_called_stands_nowhere_any_more(place: Place, file: Path) -> None:
    call = await recorded(place, to(place, NUMBER, metadata={"said": "call +44 20 7946-0018", "crm": "42"}))
    other = await recorded(place, to(place, OTHER, dial_string=OTHER))
    before = await place.store.call_events(place.account.id, other.id)
    assert await place.store.erase_number(place.account.id, BOTH, NUMBER, 10) == 1
    assert "7946001" + "8" not in everything(file).replace(" ", "")
    assert await place.store.find_call(place.account.id, other.id) == other
    assert await place.store.call_events(place.account.id, other.id) == before
    left = await place.store.find_call(place.account.id, call.id)
    assert left is not None
    assert (left.destination.party, left.metadata, left.caller) == (Party(""), {"said": "", "crm": "42"}, call.caller)
    assert [leg.endpoint for leg in left.legs] == ["PJSIP/d1", "PJSIP/d2", ""]
    for event in await place.store.call_events(place.account.id, call.id):
        data = json.loads(event.body)["data"]
        assert (data["to_number"], data["to_label"], data["from_number"]) == (None, None, OWN)
    assert await place.store.erase_number(place.account.id, BOTH, NUMBER, 10) == 0


async def test_a_number_that_was_shown_goes_with_its_name_and_the_called_one_stays(place: Place, file: Path) -> None:
    call = await recorded(place, to(place, NUMBER))
    assert await place.store.erase_number(place.account.id, BOTH, OWN, 10) == 1
    assert OWN[1:] not in everything(file)
    (event, *_) = await place.store.call_events(place.account.id, call.id)
    data = json.loads(event.body)["data"]
    assert (data["from_number"], data["from_name"], data["from_label"], data["to_number"]) == (None, None, None, NUMBER)


async def test_the_erased_call_is_found_by_its_other_filters(place: Place) -> None:
    call = await recorded(place, to(place, NUMBER))
    await place.store.erase_number(place.account.id, BOTH, NUMBER, 10)
    for wanted, found in ((CallFilter(True, status="completed"), 1), (CallFilter(True, to_number=NUMBER), 0)):
        page = await place.store.calls_page(place.account.id, wanted, Wish(10))
        assert [one.id for one in page.entries] == [call.id] * found


async def test_so_many_at_a_time_and_only_of_this_account_and_mode_and_ended(place: Place) -> None:
    for _ in range(5):
        await recorded(place, to(place, NUMBER))
    await recorded(place, to(place, NUMBER, livemode=False))
    live = place.call()
    live = replace(live, destination=replace(live.destination, party=Party(NUMBER)))
    await place.store.accept(live, [])
    other = await place.store.create_account(place.platform.id, "Butcher")
    assert await place.store.erase_number(other.id, BOTH, NUMBER, 10) == 0
    assert [await place.store.erase_number(place.account.id, (True,), NUMBER, 3) for _ in range(3)] == [3, 2, 0]
    assert await place.store.erase_number(place.account.id, BOTH, NUMBER, 3) == 1
    assert await place.store.find_call(place.account.id, live.id) == live


async def test_an_extension_is_erased_where_it_is_one_and_not_where_its_digits_are(place: Place) -> None:
    inside = Destination(DestinationKind.EXTENSION, Party("1001", "Bob"))
    call = await recorded(place, ended(replace(place.call(), destination=inside, metadata={"a": "1001", "b": "21001"})))
    assert await place.store.erase_number(place.account.id, BOTH, "1001", 10) == 1
    left = await place.store.find_call(place.account.id, call.id)
    assert left is not None
    assert (left.destination.party, left.metadata) == (Party(""), {"a": "", "b": "21001"})


async def test_what_cannot_be_read_is_not_passed_over_in_silence(place: Place, file: Path) -> None:
    call = await recorded(place, to(place, NUMBER))
    change(file, "UPDATE calls SET snapshot = '{}' WHERE id = ?", call.id)
    with pytest.raises(StoreUnavailable):
        await place.store.erase_number(place.account.id, BOTH, NUMBER, 10)


async def test_what_a_receiver_sent_back_of_the_call_is_erased_as_well(place: Place, file: Path) -> None:
    endpoint = await place.store.create_webhook_endpoint(
        place.account.id, "https://a.example/", livemode=True, events=("*",), description=""
    )
    for number in (NUMBER, OTHER):
        await recorded(place, to(place, number))
        due, _ = await place.store.due_deliveries(endpoint.id, 2e9, 9, urgent=False)
        for one in due:
            attempt = Attempt(1.7e9, 0.1, 200, response=f"thanks for {number}")
            await place.store.settle_delivery(endpoint.id, Settled(one, attempt, DeliveryStatus.DELIVERED))
    assert everything(file).count(f"thanks for {NUMBER}") == 1
    assert await place.store.erase_number(place.account.id, BOTH, NUMBER, 10) == 1
    assert NUMBER not in everything(file)
    assert f"thanks for {OTHER}" in everything(file)
    (waiting, *_), _ = await place.store.due_deliveries(endpoint.id, 2e9, 9, urgent=False)
    assert NUMBER.encode() not in (waiting.body or b"")
