"""The event log of a call: complete, in order, the same bytes for everyone, and one end."""

import pytest

from c2c_stasis.call.events import EventType
from c2c_stasis.ports import EventFilter, NumberedEvent
from tests.scenarios.house import NUMBER, OUTWARD, House, body_of

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def told(house: House, call_id: str) -> list[str]:
    """What is told, with the leg it is told of."""
    bodies = [body_of(event) for event in await house.service.call_events(house.people.account, call_id)]
    legs = [body["data"].get("leg", {}).get("id", "").rpartition(".")[2] for body in bodies]
    return [f"{body['type']} {leg}".strip() for body, leg in zip(bodies, legs, strict=True)]


@pytest.fixture(params=["in memory", "on disk"])
def any_house(request: pytest.FixtureRequest) -> House:
    """The same stories over both stores."""
    house: House = request.getfixturevalue("house" if request.param == "in memory" else "old_house")
    return house


async def test_the_log_of_a_completed_call(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    log = await told(house, call_id)
    of_the_call = [line for line in log if line.startswith("call.")]
    assert of_the_call == ["call.ringing", "call.initiated", "call.answered", "call.end"]
    assert [line for line in log if line.endswith(" b1")] == [
        "leg.created b1",
        "leg.dialled b1",
        "leg.ringing b1",
        "leg.answered b1",
        "leg.bridged b1",
        "leg.ended b1",
    ]
    assert [line for line in log if line.endswith(" a2")] == [
        "leg.created a2",
        "leg.dialled a2",
        "leg.ringing a2",
        "leg.ended a2",
    ]


async def test_what_was_told_once_is_told_in_the_same_bytes_for_ever(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    early = await house.service.call_events(house.people.account, call_id)
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    await house.restart_service(after=10.0)
    late = await house.service.call_events(house.people.account, call_id)
    assert late[: len(early)] == early
    assert len(late) > len(early)


async def test_the_log_goes_on_without_a_gap_after_a_restart(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    await house.restart_service(after=1.0)
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    events = await house.service.call_events(house.people.account, call_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len({event.id for event in events}) == len(events)


async def test_moments_of_a_log_never_go_back(house: House) -> None:
    call_id = await house.dialling()
    await house.clock.advance(3.5)
    house.carrier.last.answer()
    await house.clock.advance(10.0)
    house.ring_of("ann-1").hang_up()
    await house.end_of(call_id)
    moments = [event.created_at for event in await house.events(call_id)]
    assert moments == sorted(moments)


async def test_the_end_tells_the_whole_story(house: House) -> None:
    call_id = await house.dialling()
    await house.clock.advance(3.0)
    house.carrier.last.answer()
    await house.clock.advance(10.0)
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    end = body_of((await house.events(call_id))[-1])
    data = end["data"]
    assert end["type"] == "call.end"
    assert data["call_id"] == call_id
    assert (data["from_number"], data["to_number"], data["direction"]) == (OUTWARD, NUMBER, "outbound")
    assert (data["status"], data["outcome"], data["reason"], data["ended_by"]) == (
        "completed",
        "completed",
        "normal",
        "destination",
    )
    assert data["duration_seconds"] == pytest.approx(13.0, abs=0.1)
    assert data["endpoint"] == "ep_ann-1"


async def test_two_calls_of_an_account_have_logs_of_their_own(old_house: House) -> None:
    """Their events share the account's sequence, and each log counts for itself."""
    house = old_house
    first, second = await house.place(), await house.place(who="bob")
    await house.cancel(first)
    await house.cancel(second)
    for call_id in (first, second):
        events = await house.service.call_events(house.people.account, call_id)
        assert {event.call_id for event in events} == {call_id}
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_who_listens_is_told_what_is_kept_in_its_order_and_after_a_restart_the_rest_can_be_read(
    any_house: House,
) -> None:
    house, account = any_house, any_house.people.account
    wanted = EventFilter(livemode=True, types=frozenset(EventType))
    told: list[NumberedEvent] = []
    stop = house.service.listen(account, told.extend)
    call_id = await house.talking()
    stop()
    before = len(told)
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    assert len(told) == before  # who has stopped hears nothing
    await house.restart_service(after=1.0)
    page = await house.service.events_after(account, told[-1].number, wanted)
    everything = [*told, *page.events]
    assert [one.number for one in everything] == list(range(1, len(everything) + 1))
    assert [one.event for one in everything] == await house.events(call_id)
    assert {(one.user_id, one.livemode) for one in everything} == {(house.people.users["ann"].id, True)}
    assert (page.upto, page.last, page.lost) == (len(everything), len(everything), None)
    assert everything[-1].event.type == "call.end"
