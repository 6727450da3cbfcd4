"""Somebody asks over the API to end a call: at every stage it ends, and at every stage asking again changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from c2c_stasis.call.commands import Command, CreateLeg
from c2c_stasis.call.model import CallState, End, EndedBy, FailedLeg, Outcome, Reason
from c2c_stasis.errors import CallNotFound
from c2c_stasis.ids import CallId
from tests.fakes.switch import Act
from tests.scenarios.house import House

pytestmark = pytest.mark.asyncio(loop_scope="function")

CANCELLED = End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API, None, 16)
COMPLETED = End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.API, None, 16)


async def ringing_destination(house: House) -> CallId:
    call_id = await house.dialling()
    house.carrier.last.ring()
    await house.clock.settle()
    return call_id


async def several_ringing(house: House) -> CallId:
    return await house.dialling("1003")


Stage = Callable[[House], Awaitable[CallId]]


@pytest.mark.parametrize(
    ("stage", "end"),
    [
        (House.place, CANCELLED),
        (House.dialling, CANCELLED),
        (ringing_destination, CANCELLED),
        (several_ringing, CANCELLED),
        (House.talking, COMPLETED),
    ],
)
async def test_a_call_is_ended_at_any_stage_and_every_phone_is_let_go(house: House, stage: Stage, end: End) -> None:
    call_id = await stage(house)
    await house.cancel(call_id)
    await house.cancel(call_id)
    assert await house.end_of(call_id, 1.0) == end
    for name in (*house.phones, "carrier"):
        rings = house.carrier.rings if name == "carrier" else house.phones[name].rings
        assert all(ring.ended for ring in rings)
    await house.cancel(call_id)
    assert (await house.stored(call_id)).end == end


async def test_a_call_is_ended_in_the_moment_it_was_placed(house: House) -> None:
    """Its channels are still being made: nothing rings, or what rings stops at once."""
    call = await house.service.place(
        house.people.account, house.people.users["ann"].id, "+15551234567", livemode=True, metadata={}
    )
    await house.service.cancel(house.people.account, call.id)
    assert await house.end_of(call.id, 1.0) == CANCELLED
    assert all(phone.rings == [] for phone in house.phones.values())


async def test_a_call_is_ended_while_its_commands_hang_in_the_switch(house: House) -> None:
    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, CreateLeg):
            await asyncio.sleep(2.0)
        await act()

    house.switch.meddle = meddle
    call_id = await house.place()
    await house.cancel(call_id)
    assert await house.end_of(call_id, 10.0) == CANCELLED


async def test_a_call_whose_tone_plays_keeps_its_reason(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.reject(486)
    await house.clock.advance(0.5)
    await house.cancel(call_id)
    assert await house.end_of(call_id, 1.0) == End(
        Outcome.BUSY, Reason.DESTINATION_BUSY, EndedBy.DESTINATION, FailedLeg.DESTINATION, 17, 486
    )


async def test_the_cancel_that_crosses_an_answer_wins(house: House) -> None:
    call_id = await house.ringing_user()
    house.ring_of("ann-1").answer()
    await house.service.cancel(house.people.account, call_id)
    assert await house.end_of(call_id, 1.0) == CANCELLED
    assert house.carrier.rings == []


async def test_a_phone_that_answers_although_it_was_let_go_is_let_go_again(house: House) -> None:
    """The first hang-up was lost on the way to Asterisk."""
    call_id = await house.ringing_user()
    lost: list[Command] = []

    async def meddle(command: Command, act: Act) -> None:
        if type(command).__name__ == "HangUpLeg" and len(lost) < 2:
            lost.append(command)
            return
        await act()

    house.switch.meddle = meddle
    await house.cancel(call_id)
    house.ring_of("ann-1").answer()
    assert await house.end_of(call_id, 10.0) == CANCELLED


async def test_a_call_of_nobody_is_not_found(house: House) -> None:
    with pytest.raises(CallNotFound):
        await house.service.cancel(house.people.account, "call_01h2xcejqtf2nbrexx3vqjhp41")


async def test_a_call_of_another_account_is_not_found_and_goes_on(house: House) -> None:
    call_id = await house.ringing_user()
    stranger = house.stranger()
    with pytest.raises(CallNotFound):
        await house.service.cancel(stranger, call_id)
    with pytest.raises(CallNotFound):
        await house.service.find_call(stranger, call_id)
    with pytest.raises(CallNotFound):
        await house.service.call_events(stranger, call_id)
    assert await house.state(call_id) is CallState.RINGING_USER
    await house.cancel(call_id)
