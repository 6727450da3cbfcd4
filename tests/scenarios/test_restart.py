"""The service ends and another one begins over the same store and the same Asterisk, where calls live on meanwhile."""

import json

import msgspec
import pytest

from c2c_stasis.api.records import record_of
from c2c_stasis.call.commands import Command, CreateLeg, DialLeg
from c2c_stasis.call.model import CallState, End, EndedBy, Outcome, Reason
from c2c_stasis.call.recovery import SETS_OUT_WITHIN
from c2c_stasis.call.signals import LegCreated, LegInvited
from c2c_stasis.errors import SwitchUnavailable
from c2c_stasis.ids import CallId, LegId
from c2c_stasis.lab.script import Script
from c2c_stasis.trace import from_record
from tests.fakes.store import MemoryStore
from tests.fakes.switch import Act
from tests.scenarios.house import ANSWER, LONGEST, NUMBER, RING, House, body_of

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest.fixture(params=["in memory", "on disk"])
def any_house(request: pytest.FixtureRequest) -> House:
    """The same stories over both stores."""
    house: House = request.getfixturevalue("house" if request.param == "in memory" else "old_house")
    return house


async def test_who_talks_goes_on_and_the_end_is_recorded(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    await house.restart_service(after=30.0)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert await house.end_of(call_id) == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)
    call = await house.stored(call_id)
    assert call.ended_at is not None
    assert call.connected_at is not None
    assert call.ended_at - call.connected_at == pytest.approx(30.0, abs=0.1)
    end = body_of((await house.events(call_id))[-1])["data"]
    assert end["duration_seconds"] == pytest.approx(30.0, abs=0.1)


@pytest.mark.parametrize("set_by", [-3_600.0, 3_600.0])
async def test_a_wall_clock_that_was_set_while_nobody_served_changes_nothing(any_house: House, set_by: float) -> None:
    house = any_house
    call_id = await house.talking()
    await house.close()
    house.clock.set_by = set_by
    await house.clock.advance(30.0)
    await house.begin_again()
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    call = await house.stored(call_id)
    assert call.ended_at is not None
    assert call.connected_at is not None
    assert call.ended_at - call.connected_at == pytest.approx(30.0, abs=0.1)


async def test_a_clock_that_was_set_back_lets_nothing_end_before_it_began(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    await house.close()
    house.clock.boot = "another"
    house.clock.set_by = -3_600.0
    await house.begin_again()
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    call = await house.stored(call_id)
    assert call.ended_at is not None
    assert call.connected_at is not None
    assert call.ended_at >= call.connected_at
    assert call.duration is not None
    assert call.duration >= 0


async def test_who_hung_up_while_nobody_served_is_recorded_and_the_other_let_go(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    await house.close()
    house.ring_of("ann-1").hang_up()
    await house.clock.advance(10.0)
    assert not house.carrier.last.ended
    await house.begin_again()
    assert all(ring.ended for ring in house.carrier.rings)
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_phones_that_ring_go_on_ringing(any_house: House) -> None:
    house = any_house
    call_id = await house.ringing_user()
    await house.restart_service(after=2.0)
    house.ring_of("ann-2").answer()
    await house.clock.advance(0.01)
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    assert await house.state(call_id) is CallState.TALKING
    assert house.ring_of("ann-1").cause == 26
    house.carrier.last.hang_up()
    await house.end_of(call_id)


async def test_the_time_to_ring_goes_on_from_where_it_was(house: House) -> None:
    call_id = await house.ringing_user()
    await house.clock.advance(10.0)
    await house.restart_service(after=10.0)
    assert (await house.end_of(call_id, RING - 20.0 + 0.1)).reason is Reason.USER_NO_ANSWER


async def test_a_phone_that_answered_while_nobody_served_wins(house: House) -> None:
    call_id = await house.ringing_user()
    await house.close()
    house.ring_of("ann-1").answer()
    await house.clock.advance(3.0)
    await house.begin_again()
    assert await house.state(call_id) is CallState.DIALLING_DESTINATION
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_destination_that_answered_while_nobody_served_talks_however_long_that_took(house: House) -> None:
    """The time to answer is over by the clock, but it was answered in time: they talk."""
    call_id = await house.dialling()
    house.carrier.last.ring()
    await house.clock.advance(1.0)
    await house.close()
    house.carrier.last.answer()
    await house.clock.advance(ANSWER + 60.0)
    await house.begin_again()
    assert await house.state(call_id) is CallState.TALKING
    assert not house.carrier.last.ended
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_the_longest_duration_counts_through_a_restart(house: House) -> None:
    call_id = await house.talking()
    await house.clock.advance(300.0)
    await house.restart_service(after=100.0)
    assert (await house.end_of(call_id, 201.0)).reason is Reason.MAX_DURATION


@pytest.mark.parametrize("seconds", [0.0, 4.0, 6.0])
async def test_a_call_whose_first_commands_died_with_the_service_sets_out_again_unless_that_was_long_ago(
    house: House, seconds: float
) -> None:
    """It was recorded and answered with 202, and then nothing was asked of the switch any more."""

    async def meddle(command: Command, act: Act) -> None:
        await house.forever()

    house.switch.meddle = meddle
    call_id = await house.place()
    await house.close()
    house.switch.meddle = None
    await house.clock.advance(seconds)
    await house.begin_again()
    await house.clock.advance(1.0)
    rings = [len(phone.rings) for phone in house.phones.values() if phone.rings]
    if seconds > SETS_OUT_WITHIN:
        assert (await house.end_of(call_id)).reason is Reason.SERVICE_RESTARTED
        assert rings == []
    else:
        assert await house.state(call_id) is CallState.RINGING_USER
        assert rings == [1, 1]
        await house.cancel(call_id)


async def half_arrives(house: House) -> CallId:
    """A call of which only the first device's channel was made when the service was killed."""

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, CreateLeg) and command.leg_id.endswith("a1"):
            await act()
        else:
            await house.forever()

    house.switch.meddle = meddle
    house.switch.weather = lambda signal: () if isinstance(signal, LegCreated) else (0.0,)
    call_id = await house.place()
    await house.close()
    assert house.switch.channels
    house.switch.meddle, house.switch.weather = None, lambda _: (0.0,)
    return call_id


async def test_half_of_the_first_commands_arrived_and_the_rest_is_asked_again(house: House) -> None:
    call_id = await half_arrives(house)
    await house.begin_again()
    await house.clock.advance(1.0)
    assert [len(phone.rings) for phone in house.phones.values() if phone.rings] == [1, 1]
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    assert len(house.carrier.rings) == 1
    await house.cancel(call_id)


async def test_half_of_the_first_commands_arrived_long_ago_and_what_was_made_is_released(house: House) -> None:
    call_id = await half_arrives(house)
    await house.clock.advance(6.0)
    await house.begin_again()
    assert (await house.end_of(call_id)).reason is Reason.SERVICE_RESTARTED


async def stopped_at_the_dial(house: House, *, before: bool) -> CallId:
    """The service ends when it dials the destination, before Asterisk does so, or after it and before anything is told."""
    call_id = await house.ringing_user()
    house.carrier.script = Script(ring_after=20.0, answer_after=21.0)

    lost: Command | None = None

    async def meddle(command: Command, act: Act) -> None:
        nonlocal lost
        if isinstance(command, DialLeg) and before:
            lost = command
            await house.forever()
        await act()

    house.switch.meddle = meddle
    if not before:
        house.switch.weather = lambda signal: () if isinstance(signal, LegInvited) else (0.0,)
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    await house.close()
    house.switch.meddle, house.switch.weather = None, lambda _: (0.0,)
    if before:
        house.switch.asked = [one for one in house.switch.asked if one != lost]  # it never arrived
    return call_id


async def test_a_destination_that_was_to_be_dialled_is_dialled_when_somebody_serves_again(house: House) -> None:
    call_id = await stopped_at_the_dial(house, before=True)
    assert house.carrier.rings == []
    await house.begin_again()
    await house.clock.advance(30.0)
    assert (await house.state(call_id)) is CallState.TALKING
    assert len(house.carrier.rings) == 1
    await house.cancel(call_id)
    await house.end_of(call_id)


async def test_a_destination_that_was_dialled_and_is_silent_is_waited_for_and_not_dialled_again(house: House) -> None:
    call_id = await stopped_at_the_dial(house, before=False)
    await house.clock.advance(10.0)
    await house.begin_again()
    await house.clock.advance(30.0)
    assert (await house.state(call_id)) is CallState.TALKING
    assert len(house.carrier.rings) == 1
    await house.cancel(call_id)
    await house.end_of(call_id)


async def test_nobody_is_left_in_silence_for_a_destination_that_was_not_dialled(house: House) -> None:
    call_id = await stopped_at_the_dial(house, before=True)
    await house.clock.advance(10.0)
    await house.begin_again()
    assert (await house.end_of(call_id)).reason is Reason.SERVICE_RESTARTED
    assert house.carrier.rings == []


async def test_when_not_even_the_switch_can_tell_the_destination_is_not_dialled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await stopped_at_the_dial(house, before=True)

    async def nobody_knows(_: LegId) -> None:
        return None

    monkeypatch.setattr(house.switch, "was_dialled", nobody_knows)
    await house.begin_again()
    assert (await house.end_of(call_id)).reason is Reason.SERVICE_RESTARTED
    assert house.carrier.rings == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_switch_that_is_lost_while_it_is_asked_what_was_dialled_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    call_id = await stopped_at_the_dial(house, before=before)
    tries: list[LegId] = []
    was_dialled = house.switch.was_dialled

    async def lost_at_first(leg_id: LegId) -> bool | None:
        tries.append(leg_id)
        if len(tries) < 3:
            raise SwitchUnavailable("lost again")
        return await was_dialled(leg_id)

    monkeypatch.setattr(house.switch, "was_dialled", lost_at_first)
    await house.begin_again()
    await house.clock.advance(30.0)
    assert len(tries) == 3
    assert (await house.state(call_id)) is CallState.TALKING
    assert len(house.carrier.rings) == 1
    await house.cancel(call_id)
    await house.end_of(call_id)


async def test_a_tone_that_played_ends_in_time_and_the_call_keeps_its_reason(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.reject(486)
    await house.clock.advance(1.0)
    await house.restart_service(after=60.0)
    assert (await house.end_of(call_id)).reason is Reason.DESTINATION_BUSY


async def test_a_call_that_was_being_let_go_is_let_go(house: House) -> None:
    call_id = await house.talking()

    async def meddle(command: Command, act: Act) -> None:
        await house.forever()

    house.switch.meddle = meddle
    await house.cancel(call_id)
    await house.close()
    house.switch.meddle = None
    await house.begin_again()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_the_switch_began_anew_as_well(house: House) -> None:
    call_id = await house.talking()
    await house.close()
    await house.clock.advance(5.0)
    house.switch.restart()
    house.switch.mend()
    await house.begin_again()
    assert (await house.end_of(call_id)).reason is Reason.SWITCH_LOST


async def test_a_call_can_be_shown_and_ended_before_the_switch_is_connected_again(house: House) -> None:
    house.leaves_something = True
    call_id = await house.talking()
    await house.close()
    house.switch.cut()
    await house.begin_again()
    assert await house.state(call_id) is CallState.TALKING
    await house.cancel(call_id)
    assert await house.state(call_id) is CallState.RELEASING
    house.switch.mend()
    await house.clock.advance(0.01)
    end = await house.end_of(call_id)
    assert (end.outcome, end.ended_by) == (Outcome.COMPLETED, EndedBy.API)
    assert house.switch.empty


async def test_ended_calls_are_not_taken_over(house: House) -> None:
    call_id = await house.talking()
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    await house.restart_service()
    assert house.service.live == 0


async def test_calls_of_our_predecessor_count_for_their_user(house: House) -> None:
    calls = [await house.place(), await house.place()]
    await house.restart_service()
    with pytest.raises(Exception, match="already has 2 calls"):
        await house.place()
    for call_id in calls:
        await house.cancel(call_id)


async def test_a_service_that_stops_lets_calls_live_and_every_record_arrive(any_house: House) -> None:
    house = any_house
    call_id = await house.talking()
    house.store.slow = 0.05
    house.carrier.last.hang_up()
    await house.clock.settle()
    await house.close()
    house.store.slow = 0.0
    await house.clock.advance(1.0)
    before = len(await house.events(call_id))
    await house.begin_again()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    assert len(await house.events(call_id)) > before


async def test_ten_restarts_in_the_middle_of_everything(house: House) -> None:
    """At whatever moment the service is ended: no destination is dialled twice, and every call ends."""
    for moment in range(40):
        call = await house.service.place(
            house.people.account, house.people.users["ann"].id, NUMBER, livemode=True, metadata={}
        )
        await house.clock.advance(0.0005 * moment)
        await house.restart_service(after=0.01)
        for name in ("ann-1", "ann-2"):
            for ring in house.phones[name].rings:
                ring.answer()
        await house.clock.advance(0.0005 * moment)
        await house.restart_service(after=0.01)
        for ring in house.carrier.rings:
            ring.answer()
        await house.clock.advance(0.01)
        for ring in house.carrier.rings:
            ring.hang_up()
        await house.end_of(call.id, ANSWER + 20.0)
        assert len(house.carrier.rings) <= 1
        house.carrier.rings.clear()


# --- calls that are not in our hands ---


async def test_a_live_call_that_this_version_cannot_read_goes_on_talking(house: House) -> None:
    call_id = await house.talking()
    store = house.store.inner
    assert isinstance(store, MemoryStore)
    store.unreadable.add(call_id)
    await house.restart_service()
    await house.clock.advance(10.0)
    assert not house.carrier.last.ended
    assert house.service.live == 0
    store.unreadable.clear()  # the version that can read it is back
    await house.restart_service()
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_under_another_name_of_the_application_calls_are_left_alone_and_taken_over_under_the_old_one(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = await house.talking()
    ringing = await house.place(who="bob")
    await house.close()
    house.switch.app = "another"
    await house.begin_again()
    await house.clock.advance(LONGEST + 60.0)  # whatever our own timers would do
    assert not house.carrier.last.ended
    assert not house.ring_of("ann-1").ended
    left = {record.__dict__["call_id"] for record in caplog.records if "left alone" in record.message}
    assert left == {call_id, ringing}
    with pytest.raises(SwitchUnavailable):
        await house.cancel(call_id)
    await house.close()
    house.switch.app = "c2c"
    await house.begin_again()
    await house.end_of(call_id)
    await house.end_of(ringing)


async def test_a_call_that_was_left_alone_and_has_ended_since_is_settled_by_the_next_start(house: House) -> None:
    call_id = await house.talking()
    await house.close()
    house.switch.app = "another"
    await house.begin_again()
    house.ring_of("ann-1").hang_up()
    house.carrier.last.hang_up()
    await house.clock.advance(1.0)
    assert (await house.stored(call_id)).state is CallState.TALKING
    house.leaves_something = True
    await house.restart_service()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    assert house.switch.empty


async def test_of_a_talk_that_nobody_heard_the_record_says_so_and_no_ladder_makes_it_up(house: House) -> None:
    call_id = await house.dialling()
    house.carrier.last.ring()
    await house.clock.advance(1.0)
    await house.close()
    house.carrier.last.answer()
    await house.clock.advance(5.0)
    house.carrier.last.hang_up()
    await house.clock.advance(5.0)
    await house.begin_again()

    end = await house.end_of(call_id)

    assert (end.outcome, end.reason) == (Outcome.FAILED, Reason.SERVICE_RESTARTED)
    told = json.loads(msgspec.json.encode(record_of(await house.stored(call_id))))
    drawn = from_record.ladder(told, [body_of(event) for event in await house.events(call_id)], "here")
    assert [(row.text, row.to) for row in drawn.rows if "b1" in (row.origin, row.to)] == [
        ("INVITE", "b1"),
        ("180 Ringing", "asterisk"),
    ]
    assert f"{NUMBER} is gone" in [row.text for row in drawn.rows]
