"""A report is lost although the connection lives: the next rounds find out."""

import pytest

from c2c_stasis.call.model import CallState, Reason
from c2c_stasis.call.signals import LegEnded, Signal
from c2c_stasis.service.rounds import ROUND_EVERY
from tests.scenarios.house import RING, House

pytestmark = pytest.mark.asyncio(loop_scope="function")


def deaf_to_ends(signal: Signal) -> tuple[float, ...]:
    return () if isinstance(signal, LegEnded) else (0.0,)


@pytest.mark.parametrize("both", [False, True])
async def test_a_talk_whose_end_was_never_reported_ends(house: House, *, both: bool) -> None:
    call_id = await house.talking()
    house.switch.weather = deaf_to_ends
    house.carrier.rings[0].hang_up()
    if both:
        house.ring_of("ann-1").hang_up()
    await house.clock.advance(1.0)
    assert await house.state(call_id) is CallState.TALKING
    house.switch.weather = lambda _: (0.0,)
    assert (await house.end_of(call_id, 3 * ROUND_EVERY)).reason is Reason.NORMAL


async def test_phones_that_stopped_ringing_without_a_report_end_the_call(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.weather = deaf_to_ends
    for name in ("ann-1", "ann-2"):
        house.ring_of(name).reject(486)
    house.switch.weather = lambda _: (0.0,)
    assert (await house.end_of(call_id, RING / 2)).reason is Reason.USER_NO_ANSWER  # nobody knows better


async def test_rounds_change_nothing_of_what_is_well(house: House) -> None:
    call_id = await house.ringing_user()
    asked = len(house.switch.asked)
    await house.clock.advance(20.0)
    assert len(house.switch.asked) == asked
    assert await house.state(call_id) is CallState.RINGING_USER
    await house.cancel(call_id)
    call_id = await house.talking()
    asked = len(house.switch.asked)
    await house.clock.advance(5 * ROUND_EVERY)
    assert len(house.switch.asked) == asked
    assert await house.state(call_id) is CallState.TALKING
    await house.cancel(call_id)
