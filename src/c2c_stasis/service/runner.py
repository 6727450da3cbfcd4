"""One live call: its signals, one at a time: step, record, give out the commands, wait for the next signal or the deadline."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from c2c_stasis.arilog import AriLog
from c2c_stasis.call import ending, machine
from c2c_stasis.call.commands import Command, CreateLeg, DestroyBridge, DialLeg, HangUpLeg
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, CallState, Now, Outcome, Reason
from c2c_stasis.call.move import Move, Step
from c2c_stasis.call.signals import NO_REPLY, CallBroken, CancelRequested, CommandRefused, DeadlinePassed, Signal
from c2c_stasis.errors import StoreUnavailable, SwitchRefused, SwitchUnavailable
from c2c_stasis.metrics import Metrics
from c2c_stasis.policy.usage import Usage
from c2c_stasis.ports import Clock, Publisher, Store, StoredEvent, Switch
from c2c_stasis.service.measuring import measure
from c2c_stasis.service.orders import Orders
from c2c_stasis.service.permission import count

logger = logging.getLogger(__name__)

RECORD_WITHIN = 0.25  # seconds a step waits for its record before it acts all the same; the record follows
# The same for an emergency call, which is dialled first and recorded then: this is what a healthy disk takes, so that after a
# crash our successor mostly knows that it was dialled.
EMERGENCY_RECORD_WITHIN = 0.02
PATIENCE = 0.05  # seconds that a record which nobody waits for may wait for others of its call
# And that of a device which is dialled meanwhile: it rings later than that, and until then nothing but the record can tell our
# successor that it was dialled. To dial it again would cancel it (Asterisk 22.10.1).
DIALLED_WITHIN = 0.005
MOST_FAILURES = 5  # of our own code in one call, before it is given up
ASTERISK_FAILED = 500  # what ARI answers when a channel cannot be made
# Asterisk says the same "Allocation failed" of a carrier that does not answer its OPTIONS as of too few files (22.10.1).
TRUNK_HINT = "the trunk's carrier may be unreachable: c2c-stasis trunks check tells"
DEAF_PATIENCE = 60.0  # seconds that a call whose time is over waits to hear what became of it: it may talk, unheard

# The story of a call in the log, in six lines or so; everything else is told at DEBUG.
_STORY = {
    EventType.CALL_RINGING,
    EventType.CALL_INITIATED,
    EventType.CALL_ANSWERED,
    EventType.CALL_END,
    EventType.CALL_EMERGENCY,
}

# Calls that end so have met something that somebody must mend; a phone that is switched off is no such thing.
_OURS_TO_MEND = {Reason.TRUNK_FAILED, Reason.CONGESTION, Reason.SWITCH_LOST, Reason.INTERNAL_ERROR}
# Who called for help and met one of these is without it, whoever has to mend what.
_WITHOUT_HELP = _OURS_TO_MEND | {
    Reason.NO_DEVICE,
    Reason.DEVICE_UNREACHABLE,
    Reason.DESTINATION_NO_ANSWER,
    Reason.DESTINATION_BUSY,
    Reason.DESTINATION_REJECTED,
    Reason.INVALID_NUMBER,
    Reason.NO_ROUTE,
}


class Runner:
    """Drives one call from its first step to its end. `call` is its newest state.

    `in_touch` tells whether the switch can be heard and nothing that happened while it could not is still to be caught up with;
    `followed`, whether somebody waits to hear of the call. `usage` is told since when it costs, and that it is over.
    """

    def __init__(
        self,
        call: Call,
        *,
        store: Store,
        switch: Switch,
        publisher: Publisher,
        clock: Clock,
        in_touch: Callable[[], bool],
        followed: Callable[[], bool] = lambda: False,
        ari_log: AriLog | None = None,
        metrics: Metrics | None = None,
        usage: Usage | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._usage = usage or Usage()
        self.call = call
        self.unrecorded: list[StoredEvent] = []  # events of which the store has not said that it has them
        self.behind = False  # whether the store failed to take the newest record; it may have kept it
        self._store = store
        self._switch = switch
        self._publisher = publisher
        self._clock = clock
        self._in_touch = in_touch
        self._followed = followed
        self._ari_log = ari_log or AriLog()
        self._since = clock.now().mono
        self._signals: deque[Signal] = deque()
        self._waking: asyncio.Future[None] | None = None  # done when somebody who sleeps shall look again
        self._records: set[asyncio.Future[None]] = set()
        self._orders = Orders(self._carry_out)

    def put(self, signal: Signal) -> None:
        """Add a signal; it is applied after those that came before it."""
        self._signals.append(signal)
        self._wake()

    @property
    def ending(self) -> bool:
        """Whether the call is over, or will be as soon as its legs are gone and its cancellation, if any, was read."""
        over = self.call.state in (CallState.RELEASING, CallState.ENDED)
        return over or any(isinstance(signal, CancelRequested) for signal in self._signals)

    async def recorded(self) -> bool:
        """Wait, for a bounded time, until what has happened so far is in the store, and tell whether it is."""
        waiting = (await asyncio.wait(self._records, timeout=self._record_within))[1] if self._records else ()
        return not waiting and not self.behind

    async def run(self, first: Sequence[Command] = ()) -> None:
        """Carry out the commands of a step that was handed over to the store already, then live until the call has ended."""
        try:
            self._orders.give(first)
            await self._live()
            await self._orders.done()
            if self._records:
                await asyncio.wait(self._records)
        finally:
            await self._orders.drop()  # when we are stopped: our successor asks again

    async def _live(self) -> None:
        failures = 0
        while self.call.live:
            signal, now = await self._next(), self._clock.now()
            try:
                await self._apply(signal, now)
            except Exception as error:
                if self._ari_log.on:
                    self._ari_log.broken(self.call, signal, now, error)
                logger.exception("call broken", extra={"call_id": self.call.id, "signal": repr(signal)})
                failures += 1
                if failures > MOST_FAILURES:
                    self._abandon()
                else:
                    self.put(CallBroken(repr(error)))  # only this call suffers: its legs are let go and its end is told

    def record(self, step: Step) -> asyncio.Future[None]:
        """Hand a step to the store, which writes the records of one call in the order in which they are handed over."""
        return self._hand_over(step, envelopes(self._publisher, step.call, step.events))

    async def _next(self) -> Signal:
        """The next signal, or `DeadlinePassed` when the deadline comes first. Signals go first when both are there."""
        while not self._signals:
            left = self._time_left()
            if left <= 0:
                return DeadlinePassed()
            await self._sleep(left)
        return self._signals.popleft()

    async def _sleep(self, seconds: float) -> None:
        """Wait for a signal, at most so long. A call does so some twenty times, so this is made of the loop's own parts."""
        loop = asyncio.get_running_loop()
        self._waking = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._waking
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if self._waking is not None and not self._waking.done():
            self._waking.set_result(None)

    def _time_left(self) -> float:
        call, now = self.call, self._clock.now().mono
        assert call.due is not None  # a live call always has a deadline
        assert call.deadline is not None
        if self._in_touch() or call.state is CallState.RELEASING:
            return call.clock_zero + call.due - now
        return max(call.clock_zero + call.deadline, self._since) + DEAF_PATIENCE - now  # to hear again wakes us

    async def _apply(self, signal: Signal, now: Now) -> None:
        before = self.call
        step = machine.step(before, signal, now)
        unchanged = step.call is before and not step.commands
        # Until the envelopes are made a failure leaves everything as it was.
        events = [] if unchanged else envelopes(self._publisher, step.call, step.events)
        if self._ari_log.on:
            self._ari_log.step(before, signal, now, step)
        if unchanged:  # asking again changes nothing in the record
            return
        self.call = step.call
        count(self._usage, before, step.call)
        first = _record_first(before, step)
        record = self._hand_over(step, events, within=0.0 if first else self._may_wait(step))
        commands = step.commands
        if first:
            urgent = [command for command in commands if _stops_a_phone(before, command)]
            self._orders.give(urgent)
            await asyncio.wait({record}, timeout=self._record_within)
            commands = tuple(command for command in commands if command not in urgent)
        self._orders.give(commands)

    @property
    def _record_within(self) -> float:
        if not self.call.emergency:
            return RECORD_WITHIN
        return 0.0 if self._store.failing else EMERGENCY_RECORD_WITHIN

    def _may_wait(self, step: Step) -> float:
        """Seconds that the record of a step may wait for others of its call, when nothing is done only after it."""
        if self._followed() and any(event.type in _STORY for event in step.events):
            return 0.0
        return DIALLED_WITHIN if any(isinstance(command, DialLeg) for command in step.commands) else PATIENCE

    def _abandon(self) -> None:
        """End the call without the rules that failed again and again; its last events are told if they can be."""
        now = self._clock.now()
        step = _abandoned(self.call, now)
        if self._ari_log.on:
            self._ari_log.step(self.call, None, now, step)
        try:
            events = envelopes(self._publisher, step.call, step.events)
        except Exception:
            logger.exception("end of the call not told", extra={"call_id": self.call.id})
            step, events = Step(replace(step.call, events=self.call.events), step.commands), []
        count(self._usage, self.call, step.call)
        self.call = step.call
        self._hand_over(step, events)
        self._orders.give(step.commands)

    def _hand_over(self, step: Step, events: list[StoredEvent], *, within: float = 0.0) -> asyncio.Future[None]:
        tell(step.call, step.events)
        measure(self._metrics, step.call, step.events)
        self.unrecorded = [*self.unrecorded, *events]
        # No task of ours around it: a call hands over some twenty records, and waits for four of them.
        record = asyncio.ensure_future(self._store.record(step.call, events, within=within))
        self._records.add(record)
        record.add_done_callback(partial(self._written, step.call))
        return record

    def _written(self, call: Call, record: asyncio.Future[None]) -> None:
        self._records.discard(record)
        if record.cancelled():
            return
        error = record.exception()
        behind, self.behind = self.behind, error is not None
        if error is None:
            self.unrecorded = [event for event in self.unrecorded if event.sequence > call.events]
        elif isinstance(error, StoreUnavailable):
            # The store keeps the record and writes it when it can; the call must not wait for that. Told once a call: in an
            # outage every step of every call comes here.
            level = logging.DEBUG if behind else logging.ERROR
            logger.log(level, "record delayed", extra={"call_id": call.id, "error": str(error)})
        else:  # the next one tells where the call is by then
            logger.error("record lost", exc_info=error, extra={"call_id": call.id})

    async def _carry_out(self, command: Command) -> None:
        try:
            await self._switch.execute(self.call, command)
        except SwitchRefused as refusal:
            self._refused(command, refusal.status, refusal.message)
        except SwitchUnavailable as error:
            self._refused(command, NO_REPLY, str(error))
        except Exception as error:
            logger.exception("command broken", extra={"call_id": self.call.id, "command": repr(command)})
            self._refused(command, NO_REPLY, repr(error))

    def _refused(self, command: Command, status: int, message: str) -> None:
        level = logging.DEBUG if isinstance(command, DestroyBridge) else logging.INFO
        extra = {"call_id": self.call.id, "command": type(command).__name__, "status": status, "error": message}
        if isinstance(command, CreateLeg):  # mostly an endpoint that Asterisk has not: somebody must correct it
            level, extra = logging.WARNING, extra | {"endpoint": command.endpoint}
            leg = self.call.leg(command.leg_id)
            if leg is not None and not leg.device and status >= ASTERISK_FAILED:
                extra["hint"] = TRUNK_HINT
        logger.log(level, "command refused", extra=extra)
        self.put(CommandRefused(command, status, message))


def _record_first(before: Call, step: Step) -> bool:
    """Whether a restart between this step's commands and its record could do harm: a destination dialled twice, or not at all
    because nobody knows that the trunk before had failed."""
    if len(step.call.legs) > len(before.legs):
        return True
    if any(isinstance(command, DialLeg) and command.caller for command in step.commands):
        return True
    return bool(step.commands) and step.call.state is not before.state


def _stops_a_phone(before: Call, command: Command) -> bool:
    """Whether this lets go of a phone that got its INVITE: no phone rings on for a slow disk.

    That needs no record: after a restart it would only be asked again.
    """
    leg = before.leg(command.leg_id) if isinstance(command, HangUpLeg) else None
    return leg is not None and leg.invited_at is not None


def _abandoned(call: Call, now: Now) -> Step:
    """The end of a call that our own code cannot bring there in order."""
    move = Move(call, now)
    ending.fail(move, Reason.INTERNAL_ERROR)
    for leg in move.call.legs:
        if leg.live:
            ending.close(move, leg, leg.release_cause, None)
    if move.call.live:
        ending.finish(move)
    return move.done()


def envelopes(publisher: Publisher, call: Call, events: Sequence[Event]) -> list[StoredEvent]:
    """The stored form of a step's events, numbered on from those that the call had before."""
    first = call.events - len(events) + 1
    return [publisher.envelope(call, event, first + i) for i, event in enumerate(events)]


def tell(call: Call, events: Sequence[Event]) -> None:
    """Write a step's events into the log: one grep for the call id tells the whole story."""
    for event in events:
        level = _level(call, event)
        if not logger.isEnabledFor(level):
            continue
        leg = call.leg(event.leg_id) if event.leg_id else None
        extra: dict[str, object] = {"call_id": call.id, "after_s": round(event.at, 3)}
        if leg is not None:
            extra |= {"leg": leg.id.rpartition(".")[2], "device": leg.device or leg.trunk or "trunk"}
            if leg.outcome is not None:
                extra |= {"outcome": leg.outcome.value, "cause": leg.cause, "sip_code": leg.sip_code}
        if event.type is EventType.CALL_END and call.end is not None:
            extra |= {"outcome": call.end.outcome.value, "reason": call.end.reason.value}
            extra |= {"ended_by": call.end.ended_by.value}
        logger.log(level, event.type.value, extra=extra)


def _level(call: Call, event: Event) -> int:
    if event.type not in _STORY:
        return logging.DEBUG
    if event.type is not EventType.CALL_END or call.end is None:
        return logging.INFO
    if _for_help(call) and call.end.reason in _WITHOUT_HELP and call.end.outcome is not Outcome.COMPLETED:
        return logging.CRITICAL
    return logging.WARNING if call.end.reason in _OURS_TO_MEND else logging.INFO


def _for_help(call: Call) -> bool:
    """Whether somebody may be in need: it is no test, neither by its number nor by its key."""
    return call.emergency and call.livemode and not (call.emergency_details and call.emergency_details.test)
