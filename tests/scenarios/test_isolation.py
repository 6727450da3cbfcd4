"""What goes wrong in one call stays in that call, and ends it as our own fault with every leg let go."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from c2c_stasis.call import machine
from c2c_stasis.call.commands import Command, CreateBridge, DialLeg, HangUpLeg, JoinLeg
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, CallState, End, EndedBy, FailedLeg, Now, Outcome, Reason
from c2c_stasis.call.move import Step
from c2c_stasis.call.signals import LegRinging, Signal
from c2c_stasis.errors import SwitchRefused
from c2c_stasis.ids import CallId
from c2c_stasis.ports import StoredEvent
from c2c_stasis.publish.envelope import Envelopes
from tests.fakes.switch import Act
from tests.scenarios.house import House, prove_log

pytestmark = pytest.mark.asyncio(loop_scope="function")

OUR_FAULT = (Outcome.FAILED, Reason.INTERNAL_ERROR, EndedBy.SYSTEM)


class Fault(RuntimeError):
    """What is injected."""


class FaultyEnvelopes(Envelopes):
    """Fails for some events."""

    def __init__(self, fails: Callable[[Call, Event], bool]) -> None:
        self._fails = fails

    def envelope(self, call: Call, event: Event, sequence: int) -> StoredEvent:
        if self._fails(call, event):
            raise Fault
        return super().envelope(call, event, sequence)


def once(matches: Callable[[Call, Event], bool]) -> Callable[[Call, Event], bool]:
    """Match the first time only."""
    left = [True]

    def first(call: Call, event: Event) -> bool:
        if not (left and matches(call, event)):
            return False
        left.clear()
        return True

    return first


async def survives(house: House, other: CallId) -> None:
    """Another call that was there all the time is as well as ever."""
    assert await house.state(other) is CallState.RINGING_USER
    await house.cancel(other)
    assert (await house.end_of(other)).reason is Reason.CANCELLED_BY_API


@pytest.mark.parametrize(
    "at",
    [
        EventType.LEG_RINGING,
        EventType.LEG_ANSWERED,
        EventType.CALL_INITIATED,
        EventType.LEG_BRIDGED,
        EventType.CALL_ANSWERED,
    ],
)
async def test_a_fault_while_an_event_is_put_into_its_envelope(house: House, at: EventType) -> None:
    other = await house.place(who="bob")
    house.publisher = FaultyEnvelopes(once(lambda call, event: event.type is at and call.id != other))
    call_id = await house.place()
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.01)
    for ring in house.carrier.rings:
        ring.answer()
    await house.clock.advance(0.01)
    end = await house.end_of(call_id)
    assert end.reason is Reason.INTERNAL_ERROR
    assert all(ring.ended for name in ("ann-1", "ann-2") for ring in house.phones[name].rings)
    prove_log(await house.events(call_id), ended=True)
    await survives(house, other)


async def test_a_fault_in_the_last_event_is_told_when_it_passes(house: House) -> None:
    house.publisher = FaultyEnvelopes(once(lambda call, event: event.type is EventType.CALL_END))
    call_id = await house.talking()
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    prove_log(await house.events(call_id), ended=True)


async def test_a_call_whose_events_all_fail_is_let_go(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Then its log cannot be complete, but nothing rings for ever and its record says how it ended."""
    house.leaves_something = True
    call_id = await house.talking()
    house.publisher = FaultyEnvelopes(lambda call, event: call.id == call_id)
    house.carrier.last.hang_up()
    await house.clock.advance(30.0)
    assert house.switch.empty
    assert house.service.live == 0
    stored = await house.stored(call_id)
    assert stored.state is CallState.ENDED
    assert stored.end is not None
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    house.store.inner.events[call_id].append(_a_stand_in(house, stored))  # type: ignore[attr-defined]  # memory


def _a_stand_in(house: House, call: Call) -> StoredEvent:
    """The end that could not be told, so that the house's own proof has one."""
    last = house.store.inner.events[call.id][-1].sequence  # type: ignore[attr-defined]  # memory
    return Envelopes().envelope(call, Event(EventType.CALL_END, 0.0), last + 1)


async def test_a_fault_in_the_rules(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await house.place(who="bob")
    genuine = machine.step

    def step(call: Call, signal: Signal, now: Now) -> Step:
        if isinstance(signal, LegRinging) and call.id != other:
            raise Fault
        return genuine(call, signal, now)

    monkeypatch.setattr(machine, "step", step)
    call_id = await house.place()
    end = await house.end_of(call_id)
    assert (end.outcome, end.reason, end.ended_by) == OUR_FAULT
    await survives(house, other)


async def test_rules_that_fail_at_everything(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await house.place(who="bob")
    genuine = machine.step
    broken: list[CallId] = []

    def step(call: Call, signal: Signal, now: Now) -> Step:
        if call.id in broken:
            raise Fault
        return genuine(call, signal, now)

    monkeypatch.setattr(machine, "step", step)
    call_id = await house.place()
    broken.append(call_id)
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    assert all(ring.ended for name in ("ann-1", "ann-2") for ring in house.phones[name].rings)
    stored = await house.stored(call_id)
    assert stored.end == End(Outcome.FAILED, Reason.INTERNAL_ERROR, EndedBy.SYSTEM, FailedLeg.USER, None, None)
    await survives(house, other)


@pytest.mark.parametrize("kind", [CreateBridge, JoinLeg, DialLeg])
async def test_a_fault_while_a_command_is_carried_out(house: House, kind: type[Command]) -> None:
    other = await house.place(who="bob")

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, kind):
            raise Fault
        await act()

    house.switch.meddle = meddle
    call_id = await house.place()
    for ring in (house.phones["ann-1"].rings, house.phones["ann-2"].rings):
        if ring:
            ring[-1].answer()
    await house.end_of(call_id, 40.0)
    house.switch.meddle = None
    await survives(house, other)


async def test_a_record_that_fails_in_an_unknown_way_is_told_and_stops_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = await house.ringing_user()
    genuine = house.store.record
    failed: list[Any] = []

    async def record(call: Call, events: list[StoredEvent], *, within: float = 0.0) -> None:
        if not failed and any(event.type == EventType.LEG_ANSWERED for event in events):
            failed.append(events)
            await genuine(call, events)  # it is written, but who wrote it does not know
            raise Fault
        await genuine(call, events)

    monkeypatch.setattr(house.store, "record", record)
    house.ring_of("ann-1").answer()
    await house.clock.advance(1.0)
    assert failed
    assert len(house.carrier.rings) == 1
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)
    await house.cancel(call_id)


async def test_a_hang_up_that_is_refused_is_repeated_and_ends_the_call_all_the_same(house: House) -> None:
    call_id = await house.talking()
    refused: list[Command] = []

    async def meddle(command: Command, act: Act) -> None:
        if isinstance(command, HangUpLeg):
            refused.append(command)
            raise SwitchRefused(500, "no")
        await act()

    house.switch.meddle = meddle
    await house.cancel(call_id)
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    assert len(refused) == 2 * 3  # each leg in each round
    house.switch.meddle = None
    house.switch.cut()
    await house.clock.settle()
    house.switch.mend()  # and what is left is swept when we look next
