"""What is recorded before what is asked of the switch, and what happens when the store does not do its part."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from c2c_stasis.call.commands import Command, CreateLeg, DialLeg
from c2c_stasis.call.model import Call, CallState, Outcome, Party, Reason, Side
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import LegId
from c2c_stasis.service.live_calls import LOOK_AGAIN_AT_MOST
from c2c_stasis.service.runner import EMERGENCY_RECORD_WITHIN, RECORD_WITHIN
from tests.fakes.store import Written
from tests.scenarios.house import House, prove_log

pytestmark = pytest.mark.asyncio(loop_scope="function")


def when(house: House, what: Callable[[Written | Command], bool]) -> int:
    """The place in the journal where something stands first."""
    return next(place for place, entry in enumerate(house.journal) if what(entry))


def recorded(state: CallState) -> Callable[[Written | Command], bool]:
    return lambda entry: isinstance(entry, Written) and entry.call.state is state


def dials(side: Side) -> Callable[[Written | Command], bool]:
    return lambda entry: isinstance(entry, DialLeg) and entry.leg_id.rpartition(".")[2].startswith(side.value)


def creates(entry: Written | Command) -> bool:
    return isinstance(entry, CreateLeg)


# --- a store that is well ---


async def test_a_call_is_recorded_before_anything_is_asked_for_it(house: House) -> None:
    call_id = await house.place()
    assert isinstance(house.journal[0], Written)
    assert house.journal[0].call.state is CallState.RINGING_USER
    assert when(house, creates) > 0
    await house.cancel(call_id)


async def test_a_destination_is_dialled_after_it_is_recorded_that_it_will_be(house: House) -> None:
    call_id = await house.dialling()
    assert when(house, recorded(CallState.DIALLING_DESTINATION)) < when(house, dials(Side.B))
    await house.cancel(call_id)


async def test_several_phones_of_a_destination_are_dialled_after_their_record(house: House) -> None:
    call_id = await house.dialling("1003")
    await house.clock.advance(0.01)
    committed = [entry for entry in house.journal if isinstance(entry, Written)]
    for place, entry in enumerate(house.journal):
        if dials(Side.B)(entry):
            assert isinstance(entry, DialLeg)
            assert any(
                leg.dialled for record in committed[: place + 1] for leg in record.call.legs if leg.id == entry.leg_id
            )
            first = when(house, lambda one, leg=entry.leg_id: _tells_dialled(one, leg))  # type: ignore[misc]
            assert first < place
    await house.cancel(call_id)


def _tells_dialled(entry: Written | Command, leg_id: str) -> bool:
    return isinstance(entry, Written) and any(leg.id == leg_id and leg.dialled for leg in entry.call.legs)


async def test_records_of_a_call_are_committed_in_the_order_of_its_life(house: House) -> None:
    call_id = await house.talking()
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    sequences = [event.sequence for entry in house.journal if isinstance(entry, Written) for event in entry.events]
    assert sequences == sorted(sequences)


# --- a store that is not ---


async def test_a_call_that_cannot_be_recorded_is_refused_and_nothing_rings(house: House) -> None:
    house.store.down = True
    with pytest.raises(StoreUnavailable):
        await house.place()
    await house.clock.advance(5.0)
    assert house.switch.asked == []
    assert house.service.live == 0


async def test_an_emergency_call_that_cannot_be_recorded_goes_out_and_is_recorded_later(house: House) -> None:
    house.store.down = True
    call_id = await house.dialling("911")
    house.carrier.last.answer()
    await house.clock.advance(1.0)
    assert await house.state(call_id) is CallState.TALKING
    await house.store.mend()
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_an_emergency_call_does_not_wait_for_a_store_that_hangs(house: House) -> None:
    house.store.hang()
    placing = asyncio.create_task(_place(house, "911"))
    await house.clock.advance(EMERGENCY_RECORD_WITHIN + 0.001)
    assert placing.done()
    assert [ring.ended for name in ("ann-1", "ann-2") for ring in house.phones[name].rings] == [False, False]
    await house.store.mend()
    await house.cancel((await placing).id)


async def test_an_emergency_call_waits_no_moment_for_a_store_that_is_known_to_fail(house: House) -> None:
    house.store.full = True
    call_id = await house.place("911")
    house.ring_of("ann-1").answer()
    await house.clock.advance(EMERGENCY_RECORD_WITHIN / 2)
    assert len(house.carrier.rings) == 1
    await house.store.mend()
    await house.cancel(call_id)


async def test_an_emergency_call_of_whoever_has_no_phone_is_told_though_nothing_can_be_written(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.store.down = True
    with caplog.at_level(logging.INFO):
        call_id = await house.place("911", "dan")
    assert [line for line in caplog.messages if line.startswith("call.")] == ["call.emergency", "call.end"]
    await house.store.mend()
    assert (await house.end_of(call_id)).reason is Reason.NO_DEVICE
    assert [event.type for event in await house.events(call_id)] == ["call.emergency", "call.end"]


async def _place(house: House, dial_string: str) -> Call:
    people = house.people
    return await house.service.place(people.account, people.users["ann"].id, dial_string, livemode=True, metadata={})


async def test_a_call_goes_on_while_the_store_is_down_and_its_record_follows(house: House) -> None:
    call_id = await house.ringing_user()
    before = await house.stored(call_id)
    house.store.down = True
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    house.carrier.last.answer()
    await house.clock.advance(60.0)
    assert await house.state(call_id) is CallState.TALKING
    assert (await house.stored(call_id)).state is before.state
    await house.store.mend()
    assert (await house.stored(call_id)).state is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_call_that_ends_while_the_store_is_down_is_recorded_when_it_is_well(house: House) -> None:
    call_id = await house.talking()
    house.store.down = True
    house.carrier.last.hang_up()
    await house.clock.advance(1.0)
    assert house.service.live == 0
    assert (await house.stored(call_id)).state is CallState.TALKING
    await house.store.mend()
    stored = await house.stored(call_id)
    assert stored.state is CallState.ENDED
    prove_log(await house.events(call_id), ended=True)


async def test_the_destination_is_dialled_after_a_short_while_when_the_store_hangs(house: House) -> None:
    call_id = await house.ringing_user()
    house.store.hang()
    house.ring_of("ann-1").answer()
    await house.clock.advance(RECORD_WITHIN - 0.05)
    assert house.carrier.rings == []
    await house.clock.advance(0.1)
    assert len(house.carrier.rings) == 1
    await house.store.mend()
    await house.cancel(call_id)


async def test_a_slow_store_delays_the_destination_and_nothing_else(house: House) -> None:
    house.store.slow = 0.1
    placing = asyncio.create_task(_place(house, "+15551234567"))
    await house.clock.advance(0.11)
    call_id = (await placing).id
    await house.clock.advance(1.0)
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.09)
    assert house.carrier.rings == []
    await house.clock.advance(0.05)
    assert len(house.carrier.rings) == 1
    house.store.slow = 0.0
    await house.cancel(call_id)
    await house.end_of(call_id)


async def test_a_call_is_let_go_though_the_store_hangs(house: House) -> None:
    call_id = await house.talking()
    house.store.hang()
    await house.cancel(call_id)
    await house.clock.advance(2 * RECORD_WITHIN)
    assert house.switch.empty
    await house.store.mend()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_an_ended_call_whose_record_hangs_does_not_count_as_a_call_of_its_user(house: House) -> None:
    calls = [await house.place(), await house.place()]
    house.store.hang(lambda call: not call.live)
    for call_id in calls:
        await house.cancel(call_id)
    await house.clock.advance(1.0)
    assert house.switch.empty
    assert house.service.live == 0
    another = await house.place()
    await house.store.mend()
    await house.cancel(another)


async def test_a_call_that_ended_while_nothing_could_be_written_is_shown_as_ended_with_all_its_events(
    house: House,
) -> None:
    call_id = await house.talking()
    house.store.full = True
    house.carrier.last.hang_up()
    await house.clock.advance(120.0)
    assert (await house.stored(call_id)).state is CallState.TALKING
    assert await house.state(call_id) is CallState.ENDED
    prove_log(await house.service.call_events(house.people.account, call_id), ended=True)
    await house.cancel(call_id)  # nothing is left to end
    assert house.service.live == 0
    await house.store.mend()
    told = await house.service.call_events(house.people.account, call_id)
    assert told == await house.events(call_id)
    assert (await house.end_of(call_id, LOOK_AGAIN_AT_MOST)).outcome is Outcome.COMPLETED


async def test_the_events_of_a_live_call_are_told_although_they_cannot_be_written(house: House) -> None:
    call_id = await house.ringing_user()
    house.store.full = True
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    told = await house.service.call_events(house.people.account, call_id)
    assert len(told) > len(await house.events(call_id))
    prove_log(told, ended=False)
    await house.store.mend()
    assert await house.service.call_events(house.people.account, call_id) == told
    await house.cancel(call_id)


async def test_a_leg_that_is_late_is_released_although_the_end_of_its_call_is_not_recorded(house: House) -> None:
    call_id = await house.talking()
    house.store.hang()
    house.carrier.last.hang_up()
    await house.clock.advance(5.0)
    assert await house.state(call_id) is CallState.ENDED
    late = LegId(f"{call_id}.a2")
    call = await house.call(call_id)
    await house.switch.execute(call, CreateLeg(late, "PJSIP/ann-2", Party(""), Party(""), "US", 60))
    await house.clock.advance(1.0)
    assert house.switch.empty
    await house.store.mend()
    await house.end_of(call_id)
