"""A report is lost although the connection lives: the next rounds find out."""

import asyncio

import pytest

from c2c_stasis.call.commands import Command, DestroyBridge
from c2c_stasis.call.model import CallState, Reason
from c2c_stasis.call.signals import LegEnded, Signal
from c2c_stasis.ports import Stock
from c2c_stasis.service.rounds import FIRST_ROUND, ROUND_EVERY
from tests.fakes.switch import Act
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


async def test_a_call_that_ends_while_a_round_looks_leaves_nothing_over(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, DestroyBridge):
            await asyncio.sleep(0.4)
        await act()

    house.switch.meddle = meddle
    call_id = await house.talking()  # at the first look
    await house.clock.advance(3 * FIRST_ROUND - 0.2 - house.clock.elapsed)
    await house.cancel(call_id)
    assert not (await house.call(call_id)).live
    assert call_id in house.switch.bridges
    await house.clock.advance(0.3)  # the second look is over, and the bridge is still being destroyed
    assert call_id in house.switch.bridges
    await house.clock.advance(0.3)
    assert call_id not in house.switch.bridges
    assert "leftovers released" not in caplog.text


async def test_a_round_that_fails_is_not_the_last(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    look = house.switch.look

    async def look_after_nonsense() -> Stock:
        looks.append(True)
        if len(looks) == 1:
            raise ValueError("nonsense")
        return await look()

    call_id = await house.talking()
    monkeypatch.setattr(house.switch, "look", look_after_nonsense)
    house.switch.weather = deaf_to_ends
    house.carrier.rings[0].hang_up()
    await house.clock.advance(1.0)
    house.switch.weather = lambda _: (0.0,)
    assert (await house.end_of(call_id, 3 * ROUND_EVERY)).reason is Reason.NORMAL
    assert caplog.text.count("round failed") == 1
