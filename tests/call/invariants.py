"""What must hold after every step of every history, whatever the switch reports.

`Watcher` takes the steps of one call one after another and raises `Violation` at the first that breaks a rule.
"""

from collections import Counter
from dataclasses import dataclass, field

from c2c_stasis.call.again import LONGEST_PAUSE, belongs_in_bridge
from c2c_stasis.call.causes import ANSWERED_ELSEWHERE
from c2c_stasis.call.commands import (
    Command,
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.machine import HELP_JOINS_WITHIN, step
from c2c_stasis.call.model import (
    Call,
    CallState,
    EndedBy,
    FailedLeg,
    Leg,
    LegOutcome,
    LegState,
    Now,
    Outcome,
    Reason,
    Side,
)
from c2c_stasis.call.move import MOVES, Step
from c2c_stasis.call.reports import JOIN_WITHIN
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallFound,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegProgressed,
    LegRinging,
    Signal,
    SwitchRestarted,
)
from c2c_stasis.ids import LegId

# Deadlines from any state to the end: ring, answer, join or talk, tone, three rounds of release. Each further route has two.
ENDS_WITHIN = 8
FORBIDDEN = 403  # a carrier that does not serve us

A_MOMENT = 1e-6  # seconds; later than the deadline whatever the rounding of the clock's readings

ORDER = (EventType.CALL_RINGING, EventType.CALL_INITIATED, EventType.CALL_ANSWERED, EventType.CALL_END)
ONCE = {*ORDER, EventType.CALL_EMERGENCY}
ONCE_A_LEG = {
    EventType.LEG_CREATED,
    EventType.LEG_DIALLED,
    EventType.LEG_RINGING,
    EventType.LEG_ANSWERED,
    EventType.LEG_ENDED,
}

U, D = FailedLeg.USER, FailedLeg.DESTINATION
# Every way to end: which reasons an outcome may have, and which side failed.
ENDS: dict[tuple[Outcome, Reason], set[FailedLeg | None]] = {
    (Outcome.COMPLETED, Reason.NORMAL): {None},
    (Outcome.COMPLETED, Reason.MAX_DURATION): {None},
    (Outcome.COMPLETED, Reason.MEDIA_TIMEOUT): {None},
    (Outcome.COMPLETED, Reason.SWITCH_LOST): {None},
    (Outcome.COMPLETED, Reason.INTERNAL_ERROR): {None},
    (Outcome.NO_ANSWER, Reason.USER_NO_ANSWER): {U},
    (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER): {D},
    (Outcome.BUSY, Reason.DESTINATION_BUSY): {D},
    (Outcome.REJECTED, Reason.USER_REJECTED): {U},
    (Outcome.REJECTED, Reason.DESTINATION_REJECTED): {D},
    (Outcome.FAILED, Reason.NO_DEVICE): {U, D},
    (Outcome.FAILED, Reason.DEVICE_UNREACHABLE): {U, D},
    (Outcome.FAILED, Reason.INVALID_NUMBER): {D},
    (Outcome.FAILED, Reason.NO_ROUTE): {D},
    (Outcome.FAILED, Reason.CONGESTION): {D},
    (Outcome.FAILED, Reason.TRUNK_FAILED): {D},
    (Outcome.FAILED, Reason.MEDIA_TIMEOUT): {U},
    (Outcome.FAILED, Reason.SWITCH_LOST): {U, D},
    (Outcome.FAILED, Reason.SERVICE_RESTARTED): {U, D},
    (Outcome.FAILED, Reason.INTERNAL_ERROR): {U, D},
    (Outcome.CANCELLED, Reason.CANCELLED_BY_API): {None},
    (Outcome.CANCELLED, Reason.CANCELLED_BY_USER): {None},
}


class Violation(AssertionError):
    """A rule of every call was broken."""


def require(holds: bool, rule: str) -> None:
    if not holds:
        raise Violation(rule)


@dataclass
class Watcher:
    """One call under watch: what was asked and told so far."""

    asked: Counter[type[Command]] = field(default_factory=Counter)
    made: set[LegId] = field(default_factory=set)
    dialled: set[LegId] = field(default_factory=set)
    hung_up: set[LegId] = field(default_factory=set)
    gone: set[LegId] = field(default_factory=set)
    turned_up: set[LegId] = field(default_factory=set)
    lost: set[LegId] = field(default_factory=set)  # what this step has learned to have been asked for in vain
    bridge_lost: bool = False
    told: list[Event] = field(default_factory=list)
    rang: set[LegId] = field(default_factory=set)  # of legs of the destination: what we heard of them

    def watch(self, before: Call, signal: Signal, taken: Step, at: float) -> None:
        """Check one step. Raises `Violation`."""
        after = taken.call
        self._note(before, signal)
        for command in taken.commands:
            self._check_command(before, after, command)
        self._check_events(after, taken.events, at)
        self._check_attempts(before, after, at)
        _check_step(before, signal, taken)
        undialled = signal.undialled if isinstance(signal, CallFound) else ()
        _check_call(before, after, undialled)
        _check_race(before, taken)
        _check_repeats(taken, at)
        _check_again(before, taken, at)
        if isinstance(signal, LegAnswered):
            _check_late_answer(before, signal.leg_id, taken)
        if (
            isinstance(signal, DeadlinePassed)
            and before.live
            and (before.deadline is not None and at >= before.deadline)
        ):
            require(after != before, "a deadline that has passed changes something")
        if isinstance(signal, DeadlinePassed) and after.due is not None:
            moved = after.state is not before.state  # into a state that may last no time at all
            require(after.due > at or moved, "what is due by time is done, or the runner would never rest")
        if not after.live:
            self._check_end(before, after)

    def _check_attempts(self, before: Call, after: Call, at: float) -> None:
        """A destination is dialled once per attempt, one attempt after another, and never again once it rang."""
        tried = [leg for leg in after.side(Side.B) if leg.device_id is None]
        require(sum(leg.live for leg in tried) <= 1, "one attempt at a time")
        require(len(after.routes) + len(tried) <= len(before.routes) + len(tried), "routes become fewer")
        if after.state is CallState.DIALLING_DESTINATION and after.deadline is not None and not after.emergency:
            require(after.answer_by is not None, "the destination is dialled after the user has answered")
            assert after.answer_by is not None
            require(after.deadline <= after.answer_by, "all attempts together have the time to answer")
        if len(tried) < 2 or len(after.legs) == len(before.legs):
            return
        last, new = tried[-2], tried[-1]
        require(new.endpoint == before.routes[0].endpoint, "the routes are tried in their order")
        require(not last.live, "the next attempt begins when the one before it has ended")
        require(after.winner(Side.B) is None, "nobody is dialled after an answer")
        require(after.end is None, "nobody is dialled for a call that has been decided")
        if after.on_any_failure:
            return
        require(last.id not in self.rang, "a destination that rang is not dialled again")
        require(
            last.outcome not in (LegOutcome.BUSY, LegOutcome.REJECTED) or last.sip_code == FORBIDDEN,
            "who is busy or declines is not dialled again",
        )

    def _note(self, before: Call, signal: Signal) -> None:
        self._note_alerts(before, signal)
        self.lost, self.bridge_lost = set(), False
        if isinstance(signal, CommandRefused) and isinstance(signal.command, JoinLeg):
            self.bridge_lost = before.emergency  # which makes it again rather than end
        if isinstance(signal, CallFound) and signal.after_restart:
            self.lost = set(signal.asked) - {leg_id for leg_id, _ in signal.legs}
            self.bridge_lost = not signal.bridge
            self.dialled -= set(signal.undialled)  # so says who must know
        match signal:
            case LegCreated(leg_id):
                self.turned_up.add(leg_id)
            case LegEnded(leg_id):
                self.gone.add(leg_id)
            case SwitchRestarted():
                self.gone |= {leg.id for leg in before.legs}
            case CallFound(asked=asked, legs=legs):
                self.gone |= set(asked) - {leg_id for leg_id, _ in legs}
                self.turned_up |= {leg_id for leg_id, _ in legs}
            case CommandRefused(CreateLeg(leg_id=leg_id), status) if status != NO_REPLY:
                self.gone.add(leg_id)

    def _note_alerts(self, before: Call, signal: Signal) -> None:
        """What we know of far ends that rang or answered, whether or not they had been let go."""
        heard: list[LegId] = []
        match signal:
            case LegRinging(leg_id) | LegProgressed(leg_id) | LegAnswered(leg_id):
                heard = [leg_id]
            case CallFound(legs=legs):
                heard = [leg_id for leg_id, state in legs if state in (LegState.RINGING, LegState.UP)]
        for leg in before.legs:
            if leg.id in heard and leg.live and (leg.dialled or isinstance(signal, CallFound)):
                self.rang.add(leg.id)

    def _check_command(self, before: Call, after: Call, command: Command) -> None:
        require(before.live, "nothing is asked after the end")
        self.asked[type(command)] += 1
        leg = after.leg(getattr(command, "leg_id", LegId("")))
        match command:
            case CreateBridge():
                require(self.asked[CreateBridge] == 1 or self.bridge_lost, "the bridge is made once")
            case DestroyBridge():
                require(not after.live and self.asked[DestroyBridge] == 1, "the bridge goes last and once")
            case CreateLeg(leg_id=leg_id):
                require(leg_id not in self.made - self.lost, "a leg is made once")
                require(leg_id not in self.dialled, "a leg that was dialled is not made again")
                require(leg is not None and leg.endpoint != "", "a leg that is made leads somewhere")
                self.made.add(leg_id)
            case DialLeg(leg_id=leg_id, caller=caller):
                self._check_dial(after, leg, caller)
                self.dialled.add(leg_id)
            case HangUpLeg(leg_id=leg_id):
                require(leg_id in self.made | self.turned_up, "only a leg that was made is hung up")
                self.hung_up.add(leg_id)
            case JoinLeg():
                require(leg is not None and leg.live, "only a live leg enters the bridge")
            case PlayTone() | StartRingback():
                require(leg is not None and leg.live and leg.won and not leg.released, "only the user hears our tones")
                require(leg is not None and leg.side is Side.A, "only the user hears our tones")
            case StopRingback():
                require(leg is not None and leg.won and leg.side is Side.A, "only the user's ringback is stopped")

    def _check_dial(self, after: Call, leg: Leg | None, caller: LegId | None) -> None:
        require(leg is not None and leg.id in self.made, "only a leg that was made is dialled")
        assert leg is not None
        require(leg.id not in self.dialled, "no leg is dialled twice")
        if leg.side is Side.A:
            require(caller is None, "a phone of the user is called on nobody's behalf")
            return
        winner = after.winner(Side.A)
        require(winner is not None and winner.state is LegState.UP, "a destination is dialled after a phone answered")
        require(winner is not None and winner.id == caller, "a destination is dialled on behalf of the phone that won")

    def _check_events(self, after: Call, events: tuple[Event, ...], at: float) -> None:
        for event in events:
            require(not self.told or self.told[-1].at <= event.at == at, "events are told in the order of time")
            require(not self.told or self.told[-1].type is not EventType.CALL_END, "nothing is told after the end")
            self.told.append(event)
        if not events:
            return
        calls = [event.type for event in self.told if event.type in ONCE]
        require(len(calls) == len(set(calls)), "an event of the call is told once")
        places = [ORDER.index(kind) for kind in calls if kind in ORDER]
        require(places == sorted(places), "events of the call come in their order")
        if EventType.CALL_INITIATED in calls:
            require(EventType.CALL_RINGING in calls, "a call rings before it is initiated")
        if EventType.CALL_ANSWERED in calls:
            require(EventType.CALL_INITIATED in calls, "a call is initiated before it is answered")
        legs = Counter((event.type, event.leg_id) for event in self.told if event.type in ONCE_A_LEG)
        require(all(count == 1 for count in legs.values()), "an event of a leg is told once")
        ended = {event.leg_id for event in self.told if event.type is EventType.LEG_ENDED}
        silent = {event.leg_id for event in events if event.type is not EventType.LEG_ENDED} - {None}
        require(not (silent & (ended - {event.leg_id for event in events})), "nothing is told of a leg after its end")
        require(after.events == len(self.told), "the counter counts the events")

    def _check_end(self, before: Call, after: Call) -> None:
        require(not any(leg.live for leg in after.legs), "nothing is live after the end")
        require(all(leg.state is LegState.ENDED for leg in after.legs), "every leg has ended")
        require(all(leg.outcome is not None for leg in after.legs), "every leg has an outcome")
        require(after.deadline is None, "an ended call has no deadline")
        if not before.live:
            return
        require(self.told[-1].type is EventType.CALL_END, "the last word is call.end")
        require(self.made <= self.gone | self.hung_up, "every leg is reported gone or was asked to end")
        require(
            self.made == {leg.id for leg in self._ended_legs(after)}, "every leg that was made is told to have ended"
        )
        require(bool(self.asked[DestroyBridge]) == bool(self.asked[CreateBridge]), "a bridge that was made is removed")
        _check_verdict(after)

    def _ended_legs(self, after: Call) -> list[Leg]:
        told = {event.leg_id for event in self.told if event.type is EventType.LEG_ENDED}
        return [leg for leg in after.legs if leg.id in told]


def _check_step(before: Call, signal: Signal, taken: Step) -> None:
    after = taken.call
    if not before.live:
        require(taken == Step(before), "nothing happens after the end")
    if taken.events:
        require(after is not before, "who tells has changed")
    require(len(set(taken.commands)) == len(taken.commands), "the same is asked once in a step")
    move = (before.state, after.state)
    require(
        before.state is after.state or move in MOVES or isinstance(signal, CallFound), f"{move} is no move of a call"
    )


def _check_call(before: Call, after: Call, undialled: tuple[LegId, ...]) -> None:
    require(after.state is CallState.ENDED or after.deadline is not None, "a live call has a deadline")
    if before.end is not None:
        require(after.end == before.end, "the end stays as it was decided")
    if after.state in (CallState.PLAYING_TONE, CallState.RELEASING, CallState.ENDED):
        require(after.end is not None, "a call that goes knows why")
    for side in Side:
        winners = [leg for leg in after.side(side) if leg.won]
        require(len(winners) <= 1, "one winner a side")
        was = before.winner(side)
        require(was is None or [was.id] == [leg.id for leg in winners], "who won has won")
    require((after.winner(Side.A) is None) == (after.answered_at is None), "answered means that a phone won")
    near, far = after.winner(Side.A), after.winner(Side.B)
    require(far is not None or after.connected_at is None, "connected means that a destination won")
    talks = after.state is CallState.TALKING or (
        after.state is CallState.JOINING and before.state is not CallState.JOINING
    )
    user = before.winner(Side.A)  # who may have come back in the same step
    left = (near is not None and near.leaving) or (user is not None and user.leaving)
    require(
        not talks or after.connected_at is not None or left,
        "who has answered is connected, unless the user had left the bridge",
    )
    require(after.state is not CallState.TALKING or after.connected_at is not None, "who talks is connected")
    require(after.initiated_at == after.answered_at, "a destination is initiated when the phone is answered")
    _check_moments([after.answered_at, after.connected_at, after.ended_at])
    require(len(after.legs) - len(before.legs) in (0, 1), "a step makes one attempt at most")
    require([leg.id for leg in before.legs] == [leg.id for leg in after.legs[: len(before.legs)]], "legs stay")
    for old, leg in zip(before.legs, after.legs, strict=False):
        _check_leg(old, leg, undialled=leg.id in undialled)


def _check_leg(old: Leg, leg: Leg, *, undialled: bool) -> None:
    _check_moments([leg.dialled_at, leg.invited_at, leg.ended_at])
    _check_moments([leg.dialled_at, leg.ringing_at, leg.ended_at])
    _check_moments([leg.dialled_at, leg.answered_at, leg.ended_at])
    require(old.state is not LegState.ENDED or leg.state is LegState.ENDED, "an ended leg stays ended")
    require(old.outcome is None or leg.outcome is old.outcome, "the outcome of a leg stays")
    require(old.release_cause is None or leg.release_cause == old.release_cause, "a leg is let go with one cause")
    require(old.dialled_at is None or leg.dialled_at == old.dialled_at or undialled, "a leg is dialled once")
    require(not (leg.won and leg.answered_at is None), "a winner answered")
    nobody_s = not leg.dialled or leg.released or leg.answered_at is not None
    require(not (nobody_s and leg.sip_code), "a SIP status is one that the far end sent as its last word")


def _check_moments(moments: list[float | None]) -> None:
    known = [moment for moment in moments if moment is not None]
    require(known == sorted(known), "moments come in their order")


def _check_race(before: Call, taken: Step) -> None:
    """Who wins lets every other leg of the side go as answered elsewhere, in the same step."""
    for side in Side:
        winner = taken.call.winner(side)
        if winner is None or before.winner(side) is not None:
            continue
        for leg in before.side(side):
            after = taken.call.leg(leg.id)
            if leg.can_win and leg.id != winner.id and after is not None and after.live:
                require(HangUpLeg(leg.id, ANSWERED_ELSEWHERE) in taken.commands, "a loser was answered elsewhere")


def _check_repeats(taken: Step, at: float) -> None:
    """Nobody relies on a reply: a leg that was let go and lives is asked again, and so is one that the bridge has lost."""
    call = taken.call
    if not call.live or call.state is CallState.RELEASING:
        return  # there it is asked by rounds
    for leg in call.legs:
        if leg.live and (leg.released or belongs_in_bridge(call, leg) > leg.in_bridge):
            what = "ends" if leg.released else "enters the bridge"
            require(leg.again_at is not None, f"a leg is asked again until it {what}")
            require(
                leg.again_at is None or at < leg.again_at <= at + LONGEST_PAUSE, "asking again is not put off for ever"
            )
        if not leg.live:
            require(leg.again_at is None, "a leg that has ended is left in peace")


def _check_again(before: Call, taken: Step, at: float) -> None:
    """What was due is asked in the very step in which time or anything else comes along."""
    for old in before.legs:
        leg = taken.call.leg(old.id)
        if leg is None or not leg.live or old.again_at is None or at < old.again_at:
            continue
        if taken.call.live and taken.call.state is not CallState.RELEASING and leg.release_cause is not None:
            require(HangUpLeg(leg.id, leg.release_cause) in taken.commands, "a released leg that lives is asked again")


def _check_late_answer(before: Call, leg_id: LegId, taken: Step) -> None:
    leg = before.leg(leg_id)
    if leg is not None and leg.live and leg.release_cause is not None and leg.dialled and before.live:
        require(HangUpLeg(leg_id, leg.release_cause) in taken.commands, "a late answer is hung up again")


def _check_verdict(call: Call) -> None:
    end = call.end
    assert end is not None
    require((end.outcome, end.reason) in ENDS, f"{end} is in the table of ends")
    require(end.failed_leg in ENDS[end.outcome, end.reason], f"{end} names the side that failed")
    require(call.ended_at is not None, "a call that has ended knows when")
    answered, connected = call.answered_at is not None, call.connected_at is not None
    if end.outcome is Outcome.COMPLETED:
        require(connected, "completed means connected")
    if end.failed_leg is D and end.outcome is not Outcome.FAILED:
        require(not connected, "a destination that did not answer is not connected")
    if end.failed_leg is U and end.reason is not Reason.MEDIA_TIMEOUT:
        require(not answered, "a user's side that failed did not answer")
    if end.reason is Reason.CANCELLED_BY_USER:
        require(answered and not connected, "a user who cancels has answered")
    require(
        (end.ended_by is EndedBy.API) <= (end.reason in (Reason.NORMAL, Reason.CANCELLED_BY_API)),
        "the API only hangs up",
    )


def ends_by_deadlines(call: Call, at: float) -> None:
    """Check that a call ends when nothing ever happens again but its deadlines."""
    rest = call
    joins = int(HELP_JOINS_WITHIN / JOIN_WITHIN) if call.emergency else 0
    for _ in range(ENDS_WITHIN + 2 * len(call.routes) + joins):
        if not rest.live:
            return
        at = max(at, rest.deadline or 0.0) + A_MOMENT
        rest = step(rest, DeadlinePassed(), Now(rest.accepted_at + at, rest.clock_zero + at)).call
    require(not rest.live, "deadlines alone end a call")
