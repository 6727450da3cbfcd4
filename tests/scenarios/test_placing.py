"""Who may have how many calls, and when none are taken."""

import asyncio

import pytest

from c2c_stasis.call.commands import Command, HangUpLeg
from c2c_stasis.call.model import CallState, Reason
from c2c_stasis.errors import DestinationNotAllowed, Stopping, SwitchUnavailable, UserBusy, UserNotFound
from tests.fakes.switch import Act
from tests.scenarios.house import CALLS, NUMBER, POLICY, House

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_a_user_may_have_two_calls_and_not_a_third(house: House) -> None:
    first, second = await house.place(), await house.place()
    with pytest.raises(UserBusy) as busy:
        await house.place()
    assert busy.value.limit == 2
    await house.cancel(first)
    third = await house.place()
    for call_id in (second, third):
        await house.cancel(call_id)


async def test_of_three_calls_placed_at_once_one_is_refused(house: House) -> None:
    house.store.slow = 0.05
    place, ann = house.service.place, house.people.users["ann"]
    attempts = [
        asyncio.create_task(place(house.people.account, ann.id, NUMBER, livemode=True, metadata={})) for _ in range(3)
    ]
    await house.clock.until(lambda: all(attempt.done() for attempt in attempts), "the three answers")
    refused = [attempt.exception() for attempt in attempts if attempt.exception()]
    assert [type(refusal) for refusal in refused] == [UserBusy]
    house.store.slow = 0.0
    for attempt in attempts:
        if attempt.exception() is None:
            await house.cancel(attempt.result().id)


async def test_calls_of_others_do_not_count(house: House) -> None:
    calls = [await house.place(), await house.place(), await house.place(who="bob")]
    for call_id in calls:
        await house.cancel(call_id)


async def test_an_emergency_call_is_never_one_too_many(house: House) -> None:
    calls = [await house.place(), await house.place(), await house.place("911")]
    assert await house.state(calls[2]) is CallState.RINGING_USER
    for call_id in calls:
        await house.cancel(call_id)


async def test_an_emergency_call_is_told_as_one(house: House) -> None:
    call_id = await house.place("911")
    assert (await house.events(call_id))[0].type == "call.emergency"
    await house.cancel(call_id)


async def test_an_emergency_call_that_is_asked_for_again_is_the_same_call(house: House) -> None:
    call_id = await house.place("911")
    assert [await house.place("9-1-1"), await house.place("911")] == [call_id, call_id]
    assert len(house.phone("ann-1").rings) == 1
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.01)
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    assert await house.place("911") == call_id  # they talk
    assert house.service.live == 1
    await house.cancel(call_id)


async def test_who_asks_for_help_again_after_it_failed_gets_another_call(house: House) -> None:
    in_vain = await house.dialling("911")
    house.carrier.last.reject(486)
    await house.clock.advance(0.01)
    assert await house.state(in_vain) is CallState.PLAYING_TONE
    again = await house.place("911")
    assert again != in_vain

    async def meddle(command: Command, act: Act) -> None:
        if not isinstance(command, HangUpLeg):
            await act()

    house.switch.meddle = meddle
    await house.cancel(again)
    assert await house.state(again) is CallState.RELEASING
    third = await house.place("911")
    assert third not in (in_vain, again)
    house.switch.meddle = None
    for call_id in (in_vain, again, third):
        await house.cancel(call_id)
        await house.end_of(call_id)


async def test_somebody_elses_emergency_and_another_number_are_other_calls(house: House) -> None:
    calls = [await house.place("911"), await house.place("911", who="bob"), await house.place("112")]
    assert len(set(calls)) == 3
    for call_id in calls:
        await house.cancel(call_id)


async def test_a_user_that_nobody_knows(house: House) -> None:
    with pytest.raises(UserNotFound):
        await house.service.place(house.people.account, "user_x", "+15551234567", livemode=True, metadata={})


async def test_without_asterisk_no_call_is_taken_and_nothing_is_recorded(house: House) -> None:
    house.switch.cut()
    with pytest.raises(SwitchUnavailable):
        await house.place()
    assert house.journal == []
    assert (await house.service.readiness())["asterisk"] != "ok"
    house.switch.mend()
    await house.clock.settle()
    assert await house.service.readiness() == {"asterisk": "ok", "database": "ok"}
    await house.cancel(await house.place())


async def test_an_asterisk_that_does_not_answer_is_given_no_call_but_emergency_calls(house: House) -> None:
    house.switch.answering = False
    with pytest.raises(SwitchUnavailable):
        await house.place()
    assert house.journal == []
    assert (await house.service.readiness())["asterisk"] == "does not answer"
    emergency = await house.place("911")
    house.switch.answering = True
    await house.cancel(await house.place())
    await house.cancel(emergency)


async def test_a_service_that_stops_takes_no_call(house: House) -> None:
    await house.service.stop()
    with pytest.raises(Stopping):
        await house.place()
    assert house.journal == []


async def test_a_call_that_fails_at_once_occupies_nobody(house: House) -> None:
    for name in ("ann-1", "ann-2"):
        house.phones[name].contacts.clear()
    for _ in range(3):
        assert (await house.end_of(await house.place())).reason is Reason.NO_DEVICE


async def test_an_emergency_call_that_no_asterisk_can_take_is_an_alarm(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.switch.cut()
    with pytest.raises(SwitchUnavailable):
        await house.place("911")
    (line,) = [record for record in caplog.records if record.message == "emergency call refused"]
    assert (line.levelname, line.__dict__["reason"]) == ("CRITICAL", "not connected to Asterisk")
    with pytest.raises(SwitchUnavailable):
        await house.place()
    assert caplog.messages.count("emergency call refused") == 1
    house.switch.mend()


async def test_who_asks_again_while_asterisk_is_lost_is_not_told_that_the_first_call_will_do(house: House) -> None:
    first = await house.place("911")
    house.switch.cut()
    with pytest.raises(SwitchUnavailable):
        await house.place("911")
    house.switch.mend()
    await house.clock.settle()
    assert await house.place("911") == first
    await house.cancel(first)


@pytest.mark.parametrize(
    ("dial_string", "level"),
    [("911", "CRITICAL"), ("933", "INFO"), (NUMBER, "INFO")],
    ids=["help", "a test", "no help"],
)
async def test_an_emergency_call_that_leads_nowhere_is_an_alarm(
    house: House, caplog: pytest.LogCaptureFixture, dial_string: str, level: str
) -> None:
    with caplog.at_level("INFO"):
        assert (await house.end_of(await house.place(dial_string, "dan"))).reason is Reason.NO_DEVICE
    assert [record.levelname for record in caplog.records if record.message == "call.end"] == [level]


async def test_an_emergency_call_that_is_given_up_is_no_alarm(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        await house.cancel(await house.place("911"))
    assert [record.levelname for record in caplog.records if record.message == "call.end"] == ["INFO"]


async def test_an_emergency_call_that_no_trunk_can_carry_is_an_alarm(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.service.reconfigure(CALLS, (), (), POLICY)
    with pytest.raises(DestinationNotAllowed):
        await house.place("911")
    (line,) = [record for record in caplog.records if record.message == "emergency call refused"]
    assert (line.levelname, line.__dict__["rule"]) == ("CRITICAL", "no_trunk")
    with pytest.raises(DestinationNotAllowed):
        await house.place()
    with pytest.raises(DestinationNotAllowed):  # nobody needs help
        await house.service.place(
            house.people.account, house.people.users["ann"].id, "911", livemode=False, metadata={}
        )
    assert caplog.messages.count("emergency call refused") == 1


async def test_a_number_for_help_may_be_written_in_the_digits_of_the_caller(house: House) -> None:
    call_id = await house.place("\u0669\u0661\u0661")
    assert (await house.call(call_id)).destination.party.number == "911"
    await house.cancel(call_id)
