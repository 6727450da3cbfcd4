"""The life of a call to each of its ends: what the record says, and that nothing is left."""

import pytest

from c2c_stasis.call.commands import Command, CreateLeg, PlayTone
from c2c_stasis.call.model import CallState, End, EndedBy, FailedLeg, LegOutcome, Outcome, Reason, Tone
from c2c_stasis.errors import SwitchRefused
from c2c_stasis.lab.script import Script
from tests.fakes.switch import Act
from tests.scenarios.house import ANSWER, LONGEST, NUMBER, OUTWARD, RING, TONE, House

pytestmark = pytest.mark.asyncio(loop_scope="function")

USER, DESTINATION = FailedLeg.USER, FailedLeg.DESTINATION


async def test_both_talk_and_the_destination_hangs_up(house: House) -> None:
    call_id = await house.ringing_user()
    await house.clock.advance(5.0)
    house.ring_of("ann-1").answer()
    await house.clock.advance(2.0)
    house.carrier.last.ring()
    await house.clock.advance(3.0)
    house.carrier.last.answer()
    await house.clock.advance(60.0)
    house.carrier.last.hang_up()

    assert await house.end_of(call_id) == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)
    call = await house.stored(call_id)
    assert call.answered_at == pytest.approx(5.01, abs=0.01)
    assert call.connected_at == pytest.approx(10.01, abs=0.01)
    assert call.ended_at == pytest.approx(70.01, abs=0.01)
    assert house.hung_up() == {"a2": 26, "a1": 16}
    assert house.carrier.last.endpoint == f"PJSIP/{NUMBER}@carrier"
    assert house.carrier.last.shown is not None
    assert house.carrier.last.shown.number == OUTWARD


async def test_both_talk_and_the_user_hangs_up(house: House) -> None:
    call_id = await house.talking()
    house.ring_of("ann-1").hang_up()
    assert await house.end_of(call_id) == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.USER, None, 16)


async def test_both_talk_for_as_long_as_is_allowed(house: House) -> None:
    call_id = await house.talking()
    end = await house.end_of(call_id, LONGEST + 1)
    assert end == End(Outcome.COMPLETED, Reason.MAX_DURATION, EndedBy.SYSTEM, None, 16)


async def test_the_medium_dies_while_they_talk(house: House) -> None:
    call_id = await house.talking()
    house.ring_of("ann-1").hang_up(cause=44)
    end = await house.end_of(call_id)
    assert end == End(Outcome.COMPLETED, Reason.MEDIA_TIMEOUT, EndedBy.SYSTEM, None, 44)


async def test_nobody_answers_and_the_destination_never_hears_of_it(house: House) -> None:
    call_id = await house.ringing_user()
    end = await house.end_of(call_id, RING + 1)
    assert end == End(Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, EndedBy.SYSTEM, USER, 19)
    assert house.carrier.rings == []


async def test_every_phone_declines(house: House) -> None:
    call_id = await house.ringing_user()
    house.ring_of("ann-1").reject(486)
    await house.clock.advance(1.0)
    house.ring_of("ann-2").reject(603)
    end = await house.end_of(call_id)
    assert end == End(Outcome.REJECTED, Reason.USER_REJECTED, EndedBy.USER, USER, 21, 603)


async def test_one_phone_declines_and_the_other_answers(house: House) -> None:
    call_id = await house.ringing_user()
    house.ring_of("ann-1").reject(603)
    house.ring_of("ann-2").answer()
    await house.clock.advance(0.01)
    assert await house.state(call_id) is CallState.DIALLING_DESTINATION
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_two_phones_answer_at_once_and_one_wins(house: House) -> None:
    call_id = await house.ringing_user()
    house.ring_of("ann-2").answer()
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.01)
    call = await house.call(call_id)
    assert [(leg.id[-2:], leg.won) for leg in call.legs] == [("a1", False), ("a2", True), ("b1", False)]
    assert house.ring_of("ann-1").cause == 26
    assert len(house.carrier.rings) == 1
    await house.cancel(call_id)
    assert (await house.stored(call_id)).legs[0].outcome is LegOutcome.ANSWERED_ELSEWHERE


async def test_no_device_is_registered(house: House) -> None:
    house.phones["ann-1"].contacts.clear()
    house.phones["ann-2"].contacts.clear()
    call_id = await house.place()
    assert await house.end_of(call_id) == End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, USER)
    assert house.switch.asked == []


async def test_a_device_has_gone_since_we_heard_of_it(house: House) -> None:
    """The contact is known, but Asterisk cannot make a channel to it any more."""

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, CreateLeg) and "ann" in command.endpoint:
            raise SwitchRefused(500, "Allocation failed")
        await act()

    house.switch.meddle = meddle
    call_id = await house.place()
    end = await house.end_of(call_id)
    assert (end.outcome, end.reason, end.failed_leg) == (Outcome.FAILED, Reason.DEVICE_UNREACHABLE, USER)


async def test_one_device_is_dead_and_the_other_answers(house: House) -> None:
    house.phones["ann-1"].script = Script(silent=True)
    call_id = await house.place()
    house.ring_of("ann-2").answer()
    await house.clock.advance(0.01)
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    house.ring_of("ann-2").hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    ("status", "outcome", "reason", "cause", "tone"),
    [
        (486, Outcome.BUSY, Reason.DESTINATION_BUSY, 17, Tone.BUSY),
        (603, Outcome.REJECTED, Reason.DESTINATION_REJECTED, 21, Tone.BUSY),
        (404, Outcome.FAILED, Reason.INVALID_NUMBER, 1, Tone.CONGESTION),
        (503, Outcome.FAILED, Reason.CONGESTION, 34, Tone.CONGESTION),
        (500, Outcome.FAILED, Reason.TRUNK_FAILED, 38, Tone.CONGESTION),
        (480, Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, 19, Tone.CONGESTION),
    ],
)
async def test_the_destination_refuses_and_the_user_hears_why(
    house: House, status: int, outcome: Outcome, reason: Reason, cause: int, tone: Tone
) -> None:
    call_id = await house.dialling()
    house.carrier.last.reject(status)
    await house.clock.advance(0.01)
    heard = house.switch.channels[house.ring_of("ann-1").leg_id].heard
    assert heard == [f"{tone} of US"]
    assert not house.ring_of("ann-1").ended
    assert await house.end_of(call_id, TONE + 1) == End(
        outcome, reason, EndedBy.DESTINATION, DESTINATION, cause, status
    )


async def test_the_destination_does_not_answer(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.ring()
    end = await house.end_of(call_id, ANSWER + TONE + 1)
    assert end == End(Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, DESTINATION, 19)
    assert any(isinstance(command, PlayTone) for command in house.switch.asked)


async def test_the_user_hangs_up_while_the_destination_rings(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.ring()
    house.ring_of("ann-1").hang_up()
    end = await house.end_of(call_id)
    assert (end.outcome, end.reason, end.ended_by) == (Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER)
    assert house.carrier.last.ended


async def test_the_user_hangs_up_while_the_tone_plays(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.reject(486)
    await house.clock.advance(1.0)
    house.ring_of("ann-1").hang_up()
    assert (await house.end_of(call_id)).reason is Reason.DESTINATION_BUSY


async def test_an_extension_rings_every_phone_of_its_user_and_one_answers(house: House) -> None:
    call_id = await house.dialling("1003")
    await house.clock.advance(0.01)
    ringing = house.ring_of("cat-1"), house.ring_of("cat-2")
    mine = house.switch.channels[house.ring_of("ann-1").leg_id]
    assert mine.heard == ["ringback"]
    ringing[1].answer()
    await house.clock.advance(0.01)
    assert mine.heard == ["ringback", ""]
    assert ringing[0].cause == 26
    assert await house.state(call_id) is CallState.TALKING
    ringing[1].hang_up()
    assert await house.end_of(call_id) == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)


async def test_an_extension_with_one_phone_is_dialled_inside_the_bridge(house: House) -> None:
    call_id = await house.dialling("1002")
    house.ring_of("bob-1").answer()
    await house.clock.advance(0.01)
    assert await house.state(call_id) is CallState.TALKING
    house.ring_of("ann-1").hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_an_extension_without_a_phone_ends_at_once(house: House) -> None:
    call_id = await house.place("1004")
    end = await house.end_of(call_id)
    assert (end.outcome, end.failed_leg) == (Outcome.FAILED, DESTINATION)


async def test_a_device_with_two_contacts_rings_on_both(house: House) -> None:
    house.phones["ann-1"].register()
    call_id = await house.place()
    assert [ring.endpoint for ring in house.phones["ann-1"].rings] == [
        "PJSIP/ann-1/sip:ann-1@192.0.2.1:5060",
        "PJSIP/ann-1/sip:ann-1@192.0.2.2:5060",
    ]
    await house.cancel(call_id)


async def test_signals_that_overtake_the_replies_change_nothing(house: House) -> None:
    house.switch.prompt = True
    call_id = await house.talking()
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
