"""The configuration is read again while people talk: the next call follows it, and those that live notice nothing."""

from dataclasses import replace

import pytest

from c2c_stasis.call.commands import CreateLeg
from c2c_stasis.call.model import CallState, Outcome, Reason, Side
from c2c_stasis.config import NumberFormat, RouteRule, Trunk, Words
from c2c_stasis.errors import DestinationNotAllowed, UserBusy
from c2c_stasis.policy.settings import Ceilings, Settings
from tests.scenarios.house import ANSWER, CALLS, POLICY, RING, TONE, TRUNKS, House

pytestmark = pytest.mark.asyncio(loop_scope="function")

OTHER = Trunk("carrier", "PJSIP/{number}@carrier", NumberFormat.E164_NO_PLUS, prefix="9")


def dial_strings_asked(house: House) -> list[str]:
    """What Asterisk was asked to dial at the carrier, in order."""
    created = [command for command in house.switch.asked if isinstance(command, CreateLeg)]
    return [one.endpoint for one in created if one.endpoint.endswith("@carrier")]


async def test_the_next_call_rings_as_long_as_the_new_limit_says_and_the_ringing_one_as_the_old(house: House) -> None:
    old = await house.ringing_user()
    house.service.reconfigure(replace(CALLS, ring_timeout=5.0), TRUNKS, (), POLICY)
    new = await house.place("1003", who="bob")

    assert (await house.end_of(new)).reason is Reason.USER_NO_ANSWER
    assert (await house.call(new)).ended_at == pytest.approx(5.0, abs=0.2)
    assert await house.state(old) is CallState.RINGING_USER
    assert (await house.end_of(old)).reason is Reason.USER_NO_ANSWER
    assert (await house.call(old)).ended_at == pytest.approx(RING, abs=0.2)


async def test_the_next_call_goes_through_the_new_trunk_and_a_ringing_one_through_the_one_it_was_planned_with(
    house: House,
) -> None:
    ringing = await house.ringing_user()
    house.service.reconfigure(CALLS, (OTHER,), (), POLICY)
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.01)
    await house.place(who="bob")
    house.ring_of("bob-1").answer()
    await house.clock.advance(0.01)

    assert dial_strings_asked(house) == ["PJSIP/+15551234567@carrier", "PJSIP/915551234567@carrier"]
    assert await house.state(ringing) is CallState.DIALLING_DESTINATION
    await house.clock.advance(ANSWER + TONE + 1.0)


async def test_the_next_call_follows_the_new_routes(house: House) -> None:
    spare = Trunk("spare", "PJSIP/{number}@carrier", NumberFormat.ZERO_ZERO)
    house.service.reconfigure(CALLS, (*TRUNKS, spare), (RouteRule(Words(("spare", "carrier"))),), POLICY)
    call = await house.place(who="bob")

    found = await house.call(call)
    assert [leg.trunk for leg in found.side(Side.B)] == ["spare"]
    assert [route.trunk for route in found.routes] == ["carrier"]
    assert dial_strings_asked(house) == ["PJSIP/0015551234567@carrier"]
    assert (await house.end_of(call)).reason is Reason.USER_NO_ANSWER


async def test_those_who_talk_go_on_when_their_trunk_is_taken_away_and_nobody_else_gets_it(house: House) -> None:
    talking = await house.talking()
    house.service.reconfigure(CALLS, (), (), POLICY)
    with pytest.raises(DestinationNotAllowed):
        await house.place(who="bob")
    await house.clock.advance(ANSWER)
    assert await house.state(talking) is CallState.TALKING

    house.carrier.last.hang_up()
    assert (await house.end_of(talking)).outcome is Outcome.COMPLETED


async def test_how_many_calls_a_user_may_have_counts_at_once(house: House) -> None:
    await house.ringing_user()
    house.service.reconfigure(CALLS, TRUNKS, (), Settings(user=Ceilings(calls=1)))
    with pytest.raises(UserBusy):
        await house.place()
    house.service.reconfigure(CALLS, TRUNKS, (), POLICY)
    await house.place()
    await house.clock.advance(RING + 1.0)
