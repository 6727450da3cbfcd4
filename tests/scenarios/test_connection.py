"""Asterisk cannot be heard for a while: what happened meanwhile is found out, and nobody who talks is cut off."""

from collections.abc import Iterable, Sequence

import pytest

from c2c_stasis.call.commands import Command, CreateBridge, CreateLeg, HangUpLeg
from c2c_stasis.call.model import CallState, End, EndedBy, FailedLeg, Outcome, Party, Reason
from c2c_stasis.call.signals import LegAnswered, LegCreated, LegEnded, LegInvited, LegJoined, LegRinging, Signal
from c2c_stasis.errors import SwitchUnavailable
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.service.leftovers import MOST_LATE
from c2c_stasis.service.runner import DEAF_PATIENCE, Runner
from tests.fakes.switch import Act, Channel
from tests.scenarios.house import ANSWER, NUMBER, RING, House

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def heard_again(house: House) -> None:
    house.switch.mend()
    await house.clock.advance(0.01)


# --- events that got lost ---


async def test_a_phone_that_answered_unheard_wins_when_we_hear_again(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.cut()
    house.ring_of("ann-2").answer()
    await heard_again(house)
    assert await house.state(call_id) is CallState.DIALLING_DESTINATION
    assert house.ring_of("ann-1").cause == 26
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_destination_that_answered_unheard_talks(house: House) -> None:
    call_id = await house.dialling()
    house.switch.cut()
    house.carrier.last.answer()
    await heard_again(house)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_talk_that_began_unheard_is_not_cut_when_the_time_to_answer_is_over(house: House) -> None:
    call_id = await house.dialling()
    await house.clock.advance(ANSWER - 5.0)
    house.switch.cut()
    house.carrier.last.answer()
    await house.clock.advance(30.0)
    assert not house.carrier.last.ended
    await heard_again(house)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_time_that_is_over_while_we_look_waits_for_what_we_find(house: House) -> None:
    call_id = await house.ringing_user()
    await house.clock.advance(RING - 2.0)
    house.switch.cut()
    house.ring_of("ann-2").answer()
    house.switch.look_takes = 5.0
    house.switch.mend()
    await house.clock.advance(4.0)  # we hear again, and do not know yet what we missed
    assert await house.state(call_id) is CallState.RINGING_USER
    await house.clock.advance(2.0)
    assert await house.state(call_id) is CallState.DIALLING_DESTINATION
    await house.cancel(call_id)


async def test_phones_that_rang_unanswered_are_let_go_when_we_hear_again(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.cut()
    await house.clock.advance(RING + 1.0)  # Asterisk's own timer is five seconds later
    await heard_again(house)
    assert (await house.end_of(call_id)).reason is Reason.USER_NO_ANSWER


async def test_a_call_does_not_wait_for_ever_to_hear_again(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.cut()
    await house.clock.advance(RING + DEAF_PATIENCE - 1.0)
    assert await house.state(call_id) is CallState.RINGING_USER
    assert (await house.end_of(call_id, 30.0)).reason is Reason.USER_NO_ANSWER
    await heard_again(house)
    assert house.switch.empty


async def test_both_hung_up_unheard(house: House) -> None:
    call_id = await house.talking()
    house.switch.cut()
    house.carrier.last.hang_up()
    house.ring_of("ann-1").hang_up()
    await heard_again(house)
    end = await house.end_of(call_id)
    assert (end.outcome, end.reason) == (Outcome.COMPLETED, Reason.NORMAL)


async def test_one_hung_up_unheard_and_the_other_is_let_go(house: House) -> None:
    call_id = await house.talking()
    house.switch.cut()
    house.carrier.last.hang_up()
    await house.clock.advance(5.0)
    assert not house.ring_of("ann-1").ended
    await heard_again(house)
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    assert house.ring_of("ann-1").ended


async def test_the_user_who_hung_up_unheard_gets_no_destination(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.cut()
    house.ring_of("ann-1").answer()
    house.ring_of("ann-1").hang_up()
    await heard_again(house)
    house.ring_of("ann-2").reject(486)
    await house.end_of(call_id)
    assert house.carrier.rings == []


async def test_nothing_happened_meanwhile(house: House) -> None:
    call_id = await house.talking()
    asked = len(house.switch.asked)
    for _ in range(5):
        house.switch.cut()
        await house.clock.advance(1.0)
        await heard_again(house)
    assert await house.state(call_id) is CallState.TALKING
    assert len(house.switch.asked) == asked
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_the_events_are_lost_but_commands_still_arrive(house: House) -> None:
    call_id = await house.talking()
    house.switch.cut(reachable=True)
    await house.cancel(call_id)
    assert not house.switch.channels
    await heard_again(house)
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


# --- what happens while we look ---


async def test_what_is_reported_while_we_look_is_newer_than_what_we_saw(house: House) -> None:
    call_id = await house.dialling()
    house.switch.cut()
    await house.clock.settle()
    house.switch.look_takes = 0.5
    house.switch.mend()
    await house.clock.advance(0.1)  # the look has seen the destination ring, and its answer is on the way
    house.carrier.last.answer()
    await house.clock.advance(0.1)
    house.carrier.last.hang_up()
    await house.clock.advance(0.5)
    end = await house.end_of(call_id)
    assert end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)


async def test_a_leg_that_joins_while_we_look_stays_joined(house: House) -> None:
    call_id = await house.ringing_user()
    house.switch.cut()
    await house.clock.settle()
    house.switch.look_takes = 0.5
    house.switch.mend()
    await house.clock.advance(0.1)
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.5)
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_call_placed_while_we_look_is_none_of_the_leftovers(house: House) -> None:
    house.switch.cut()
    await house.clock.settle()
    house.switch.look_takes = 0.5
    house.switch.mend()
    await house.clock.advance(0.1)
    call_id = await house.place()
    await house.clock.advance(1.0)
    assert await house.state(call_id) is CallState.RINGING_USER
    await house.cancel(call_id)


async def test_a_channel_that_is_still_being_made_is_neither_there_nor_gone(house: House) -> None:
    """Asterisk lists a channel some milliseconds before it may be dialled; to dial it then is refused."""
    call = await house.service.place(
        house.people.account, house.people.users["ann"].id, NUMBER, livemode=True, metadata={}
    )
    await house.clock.settle()  # the channels are there, and not ours yet
    made = list(house.switch.channels.values())
    assert made
    assert not any(channel.ours for channel in made)
    await house.service.connected()
    await house.clock.advance(0.01)
    assert [ring.ended for name in ("ann-1", "ann-2") for ring in house.phones[name].rings] == [False, False]
    await house.cancel(call.id)


# --- Asterisk began anew ---


async def test_calls_of_a_switch_that_restarted_are_lost_and_say_so(house: House) -> None:
    talking, ringing = await house.talking(), await house.place(who="bob")
    house.switch.restart()
    await house.clock.advance(1.0)
    await heard_again(house)
    assert await house.end_of(talking) == End(Outcome.COMPLETED, Reason.SWITCH_LOST, EndedBy.SYSTEM)
    end = await house.end_of(ringing)
    assert (end.outcome, end.reason, end.failed_leg) == (Outcome.FAILED, Reason.SWITCH_LOST, FailedLeg.USER)


@pytest.mark.parametrize("apart", [-3600.0, 3600.0])
async def test_a_switch_whose_clock_is_an_hour_off_has_not_restarted(house: House, apart: float) -> None:
    house.switch.started_at += apart
    call_id = await house.talking()
    house.switch.cut()
    house.carrier.last.hang_up()
    house.ring_of("ann-1").hang_up()
    await heard_again(house)
    assert (await house.end_of(call_id)).reason is Reason.NORMAL


@pytest.mark.parametrize("apart", [-3600.0, 3600.0])
async def test_a_switch_that_restarted_with_a_clock_an_hour_off_has_lost_its_calls(house: House, apart: float) -> None:
    call_id = await house.talking()
    house.switch.restart()
    house.switch.started_at += apart
    await heard_again(house)
    assert (await house.end_of(call_id)).reason is Reason.SWITCH_LOST


async def test_new_calls_are_taken_after_the_switch_restarted(house: House) -> None:
    house.switch.restart()
    await heard_again(house)
    call_id = await house.talking()
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


# --- leftovers and strangers ---


async def test_leftovers_of_our_calls_are_swept_and_strangers_are_let_alone(house: House) -> None:
    house.leaves_something = True
    call_id = await house.ringing_user()
    kept = dict(house.switch.channels), dict(house.switch.bridges)
    await house.cancel(call_id)
    house.switch.channels.update(kept[0])
    house.switch.bridges.update(kept[1])
    stranger = LegId("call_01h2xcejqtf2nbrexx3vqjhp41.a1")
    house.switch.channels[stranger] = Channel(stranger, house.phone("bob-1"), "PJSIP/bob-1", Party(""))
    house.switch.bridges[call_of(stranger)] = {stranger}
    house.switch.cut()
    await house.clock.settle()
    await heard_again(house)
    assert list(house.switch.channels) == [stranger]
    assert list(house.switch.bridges) == [call_of(stranger)]


async def test_leftovers_stay_while_the_store_cannot_tell_whose_they_are(house: House) -> None:
    house.leaves_something = True
    call_id = await house.ringing_user()
    kept = dict(house.switch.channels)
    await house.cancel(call_id)
    house.switch.channels.update(kept)
    house.store.down = True
    house.switch.cut()
    await house.clock.settle()
    await heard_again(house)
    assert house.switch.connected
    assert len(house.switch.channels) == len(kept)
    house.store.down = False
    house.switch.cut()
    await house.clock.settle()
    await heard_again(house)
    assert house.switch.empty


async def test_a_channel_that_is_made_after_its_call_has_ended_is_released(house: House) -> None:
    """Asterisk hung for some seconds: we gave up, and then it did what it had been asked."""
    late: list[Act] = []

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, CreateLeg | CreateBridge):
            late.append(act)
            raise SwitchUnavailable("no answer")
        await act()

    house.switch.meddle = meddle
    call_id = await house.place()
    await house.end_of(call_id)
    for act in late:
        await act()
    assert house.switch.channels
    await house.clock.advance(0.1)
    assert house.switch.empty
    assert all(phone.rings == [] for phone in house.phones.values())


async def test_ten_thousand_channels_of_nobody_are_looked_up_together(house: House) -> None:
    """Whoever reports them keeps nobody waiting, and finds no end of our memory."""
    other = await house.place(who="bob")
    asked: list[int] = []
    looked_up = house.store.ended_calls

    async def ended_calls(call_ids: Iterable[CallId]) -> set[CallId]:
        wanted = list(call_ids)
        asked.append(len(wanted))
        return await looked_up(wanted)

    house.store.ended_calls = ended_calls  # type: ignore[method-assign]
    for number in range(10_000):
        leg_id = LegId(f"call_{number:026}.a1")
        house.service.receive(leg_id, LegCreated(leg_id))
    await house.clock.advance(0.1)
    assert asked == [MOST_LATE]
    assert not any(isinstance(one, HangUpLeg) for one in house.switch.asked)
    assert await house.state(other) is CallState.RINGING_USER
    await house.cancel(other)


async def test_a_bridge_that_is_made_after_its_call_has_ended_is_removed_soon_although_nobody_tells_of_it(
    house: House,
) -> None:
    """Asterisk hung for some seconds: the call ended without its bridge, and then there was one."""
    late: list[Act] = []

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, CreateBridge):
            late.append(act)
            raise SwitchUnavailable("no answer")
        await act()

    house.switch.meddle = meddle
    call_id = await house.place()
    await house.end_of(call_id)
    house.switch.meddle = None
    for act in late:
        await act()
    assert list(house.switch.bridges) == [call_id]
    await house.clock.advance(6.5)  # seen after two seconds and after four more
    assert house.switch.empty


async def test_leftovers_are_looked_for_once_a_minute_also_after_a_look_that_failed(house: House) -> None:
    house.leaves_something = True
    await house.clock.advance(130.0)
    call_id = await house.ringing_user()
    kept = dict(house.switch.bridges)
    await house.cancel(call_id)
    house.switch.bridges.update(kept)
    house.store.down = True
    await house.clock.advance(61.0)
    house.store.down = False
    await house.clock.advance(121.0)
    assert house.switch.empty


async def test_a_phone_that_rings_on_after_its_call_has_ended_is_let_go_when_it_is_answered(house: House) -> None:
    """Every hang-up was lost."""

    async def meddle(command: Command, act: Act) -> None:
        if not isinstance(command, HangUpLeg):
            await act()

    house.switch.meddle = meddle
    call_id = await house.ringing_user()
    await house.cancel(call_id)
    await house.end_of(call_id)
    assert not house.ring_of("ann-1").ended
    for name in ("ann-1", "ann-2"):
        house.ring_of(name).answer()
    await house.clock.advance(0.1)
    assert [house.ring_of(name).ended for name in ("ann-1", "ann-2")] == [True, True]
    house.switch.cut()
    await house.clock.settle()
    await heard_again(house)  # what nobody hears of, such as the destination's channel, is swept then
    assert house.switch.empty


async def test_what_is_left_of_a_call_that_our_own_code_lost_is_swept(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: Runner) -> Signal:
        raise RuntimeError("a fault of ours")

    await house.talking()
    monkeypatch.setattr(Runner, "_next", broken)
    for _ in range(2):  # the first look reaches the call, which breaks; the second finds what is left
        assert not house.switch.empty
        house.switch.cut(reachable=True)
        await heard_again(house)
    assert house.switch.empty
    assert "call lost" in caplog.text


async def test_a_new_channel_of_a_stranger_is_let_alone(house: House) -> None:
    house.leaves_something = True
    stranger = LegId("call_01h2xcejqtf2nbrexx3vqjhp41.a1")
    house.switch.channels[stranger] = Channel(stranger, house.phone("bob-1"), "PJSIP/bob-1", Party(""))
    house.service.receive(stranger, LegCreated(stranger))
    await house.clock.advance(0.1)
    assert list(house.switch.channels) == [stranger]


# --- signals that are late, early, doubled ---


@pytest.mark.parametrize("signal", [LegInvited, LegRinging, LegJoined, LegEnded, LegAnswered])
async def test_a_signal_that_comes_twice_counts_once(house: House, signal: type[Signal]) -> None:
    house.switch.weather = lambda one: (0.0, 0.005) if isinstance(one, signal) else (0.0,)
    call_id = await house.dialling()
    house.carrier.last.ring()
    house.carrier.last.answer()
    await house.clock.advance(0.02)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("late", [LegInvited, LegRinging, LegJoined])
async def test_a_signal_that_comes_after_its_successor(house: House, late: type[Signal]) -> None:
    house.switch.weather = lambda one: (0.05,) if isinstance(one, late) else (0.0,)
    call_id = await house.place()
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.02)
    house.carrier.last.ring()
    house.carrier.last.answer()
    await house.clock.advance(0.2)
    assert await house.state(call_id) is CallState.TALKING
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_an_end_that_is_never_reported_is_found_by_asking_again(house: House) -> None:
    lost: list[Signal] = []

    def weather(signal: Signal) -> Sequence[float]:
        if isinstance(signal, LegEnded) and not lost:
            lost.append(signal)
            return ()
        return (0.0,)

    call_id = await house.talking()
    house.switch.weather = weather
    await house.cancel(call_id)
    assert (await house.end_of(call_id, 15.0)).outcome is Outcome.COMPLETED
    assert lost
