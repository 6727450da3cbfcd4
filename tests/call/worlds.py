"""A world around one call: a plausible Asterisk with phones behind it, and as much disorder as a history is given.

A world carries out the commands of the call on channels of its own and reports what a real Asterisk would report, late, twice,
out of order or not at all. On top of that come wild signals: anything about any leg at any time. Everything is drawn from
one random number generator, so a history can be told again.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

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
from c2c_stasis.call.model import Call, CallState, DestinationKind, Leg, LegOutcome, LegState, Limits, Party, Side, Tone
from c2c_stasis.call.recovery import in_doubt
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallBroken,
    CallFound,
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
    Signal,
    SwitchRestarted,
)
from c2c_stasis.ids import LegId
from tests.call.stories import ROUTES, call_of, dead_phone, phone, trunk

STATUSES = (NO_REPLY, 400, 404, 409, 412, 422, 500, 503)
CAUSES = (None, 0, 1, 3, 16, 17, 18, 19, 20, 21, 22, 23, 26, 27, 28, 34, 38, 41, 42, 44, 127)
SIP_CODES = (None, None, 302, 403, 404, 408, 480, 484, 486, 487, 500, 503, 600, 603, 607)
FAILURES = ((17, 486), (21, 603), (1, 404), (34, 503), (19, 480), (3, 420), (18, 408), (27, 502), (38, None), (0, None))
FLEETING = {CallState.RINGING_DESTINATION, CallState.JOINING, CallState.PLAYING_TONE}  # seen too seldom otherwise
LONGEST = 400  # signals in one history


@dataclass(frozen=True, slots=True)
class Moment:
    """A signal and when the call heard it, in seconds since the acceptance."""

    at: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class Temper:
    """How disorderly a world is: shares of things that go wrong."""

    wild: float = 0.0  # signals out of nowhere
    refused: float = 0.0  # commands refused
    lost: float = 0.0  # signals lost
    doubled: float = 0.0  # signals reported twice
    late: float = 0.0  # signals that others overtake
    deaf: float = 0.0  # histories in which the connection is lost for a while
    cancelled: float = 0.05  # histories in which somebody cancels
    willing: float = 0.8  # phones that answer


CALM = Temper()
BUSY = Temper(refused=0.01, lost=0.01, doubled=0.05, late=0.1, deaf=0.2, cancelled=0.1)
ROUGH = Temper(wild=0.1, refused=0.03, lost=0.03, doubled=0.1, late=0.2, deaf=0.4, cancelled=0.1)
MAD = Temper(wild=0.4, refused=0.03, lost=0.05, doubled=0.2, late=0.4, deaf=0.3, cancelled=0.1, willing=0.95)
TEMPERS = (CALM, BUSY, BUSY, ROUGH, MAD)


def random_call(rng: Random) -> Call:
    """A call of a random shape: phones that can be dialled and some that cannot, a trunk, an extension or an emergency."""
    own = _phones(rng, Side.A, rng.choice((1, 1, 2, 2, 2, 3, 4)))
    kind = rng.choice((DestinationKind.EXTERNAL, DestinationKind.EXTERNAL, *DestinationKind))
    far = [trunk()]
    if kind is DestinationKind.EXTENSION:
        far = _phones(rng, Side.B, rng.choice((0, 1, 1, 2, 2, 2, 3, 4)))
    limits = rng.choice((Limits(), Limits(5.0, 8.0, 20.0, 0.0, 2.0), Limits(20.5, 30.0, 60.0, 2.0, 5.0)))
    call = call_of(own, far, kind, limits)
    if kind is DestinationKind.EXTENSION:
        return call
    others = ROUTES[: rng.choice((0, 0, 1, 2))]
    always = rng.random() < (0.7 if kind is DestinationKind.EMERGENCY else 0.05)
    return replace(call, routes=others, on_any_failure=always, anonymous=rng.random() < 0.1)


def _phones(rng: Random, side: Side, number: int) -> list[Leg]:
    alive = 0.85 if side is Side.A else 0.7
    legs: list[Leg] = []
    for n in range(1, number + 1):
        if rng.random() < alive or (rng.random() < 0.8 and not any(leg.endpoint for leg in legs)):
            legs.append(phone(side, n))
        else:
            outcome = rng.choice((LegOutcome.UNREACHABLE, LegOutcome.BUSY))
            legs.append(dead_phone(side, n, registered=rng.random() < 0.5, outcome=outcome))
    return legs


@dataclass
class Channel:
    """A leg's channel as Asterisk has it."""

    state: LegState = LegState.READY
    joined: bool = False
    dialled: bool = False


@dataclass
class World:
    """The surroundings of one call; `hear` is how the call learns of a signal, and gives back what it asks for."""

    rng: Random
    temper: Temper
    call: Call
    hear: Callable[[Moment], tuple[Call, tuple[Command, ...]]]
    at: float = 0.0
    channels: dict[LegId, Channel] = field(default_factory=dict)
    bridge: bool = False
    deaf: bool = False
    heard: int = 0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _scheduled: int = 0

    def live(self) -> None:
        """Let the whole history happen, until the call has ended and a few late reports after that."""
        rng = self.rng
        if rng.random() < self.temper.wild:
            self._feed(self._wild())
        self._feed(CallPlaced())
        if rng.random() < self.temper.cancelled:
            self._later(rng.choice((0.01, 2.0, 6.0, 15.0)) * rng.random(), lambda: self._feed(CancelRequested()))
        if rng.random() < self.temper.deaf:
            self._later(rng.choice((0.1, 5.0, 12.0, 30.0)) * rng.random(), self._lose_connection)
        while self.call.live and self.heard < LONGEST:
            self._go_on()
        for _ in range(rng.randrange(3)):
            self._feed(self._wild())

    def _go_on(self) -> None:
        """One thing happens: something wild, the next thing that is due, or the deadline."""
        rng, due = self.rng, self.call.due
        if rng.random() < self.temper.wild * (2 if self.call.state in FLEETING else 1):
            self.at += rng.choice((0.0, 0.0, rng.random()))
            self._feed(self._wild())
            return
        if self._due and (due is None or self._due[0][0] <= due):
            at, _, happen = heapq.heappop(self._due)
            self.at = max(self.at, at)
            happen()
            return
        late = rng.choice((0.0, 0.0, 0.001, 2.0 if self.temper.late else 0.0))
        self.at = max(self.at, due or 0.0) + late
        self._feed(DeadlinePassed())

    def _later(self, seconds: float, happen: Callable[[], None]) -> None:
        self._scheduled += 1  # what is due at the same time happens in the order in which it was scheduled
        heapq.heappush(self._due, (self.at + seconds, self._scheduled, happen))

    def _feed(self, signal: Signal) -> None:
        self.heard += 1
        self.call, commands = self.hear(Moment(self.at, signal))
        for command in commands:
            self._execute(command)

    def _report(self, signal: Signal) -> None:
        """Report a signal the way a busy system does."""
        rng = self.rng
        if self.deaf or rng.random() < self.temper.lost:
            return
        if rng.random() < self.temper.late:
            self._later(rng.choice((0.01, 1.0)) * rng.random(), lambda: self._feed(signal))
        else:
            self._feed(signal)
        if rng.random() < self.temper.doubled:
            self._later(rng.random(), lambda: self._feed(signal))

    # --- Asterisk ---

    def _execute(self, command: Command) -> None:
        rng = self.rng
        if rng.random() < self.temper.refused:
            status = rng.choice(STATUSES)
            self._later(rng.random() * 0.01, lambda: self._feed(CommandRefused(command, status, "said Asterisk")))
            if status != NO_REPLY or rng.random() < 0.5:
                return  # not carried out; without a reply it may have been
        match command:
            case CreateLeg(leg_id=leg_id):
                self.channels[leg_id] = Channel()
                self._later(0.005 * rng.random(), lambda: self._report(LegCreated(leg_id)))
            case DialLeg(leg_id=leg_id):
                self._dial(leg_id)
            case HangUpLeg(leg_id=leg_id, cause=cause):
                self._later(0.02 * rng.random(), lambda: self._destroy(leg_id, cause, None))
            case CreateBridge():
                self.bridge = True
            case JoinLeg(leg_id=leg_id):
                slow = 3.0 if rng.random() < self.temper.late else 0.005
                self._later(slow * rng.random(), lambda: self._join(leg_id))
            case DestroyBridge():
                self.bridge = False
            case StartRingback() | StopRingback() | PlayTone():
                pass

    def _dial(self, leg_id: LegId) -> None:
        """The far end lives its life: it rings and answers, declines, or stays silent; and talks for a while."""
        channel = self.channels.get(leg_id)
        if channel is None or channel.state is not LegState.READY:
            self._feed(CommandRefused(DialLeg(leg_id, None, 0), 409, "Channel in invalid state"))
            return
        rng = self.rng
        channel.state, channel.dialled = LegState.DIALLED, True
        self._later(0.01 * rng.random(), lambda: self._report(LegInvited(leg_id)))
        rings = 0.02 + rng.choice((0.0, 0.1, 2.0)) * rng.random()
        first = rng.choice((self._ring, self._ring, self._ring, self._progress, None))
        if first is not None:
            self._later(rings, lambda: first(leg_id))
            if rng.random() < 0.2:
                self._later(rings + rng.random(), lambda: self._ring(leg_id))
        acts = rings + rng.choice((0.0, 0.01, 3.0, 3.0, 8.0, 40.0)) * rng.random()
        if rng.random() < self.temper.willing:
            self._later(acts, lambda: self._answer(leg_id))
        elif rng.random() < 0.8:
            cause, sip_code = rng.choice(FAILURES)
            self._later(acts, lambda: self._destroy(leg_id, cause, sip_code))

    def _ring(self, leg_id: LegId) -> None:
        channel = self.channels.get(leg_id)
        if channel is not None and channel.state is not LegState.UP:
            channel.state = LegState.RINGING
            self._report(LegRinging(leg_id))

    def _progress(self, leg_id: LegId) -> None:
        if leg_id in self.channels:
            self._report(LegProgressed(leg_id))

    def _answer(self, leg_id: LegId) -> None:
        channel = self.channels.get(leg_id)
        if channel is None:
            return
        channel.state = LegState.UP
        patience = self.rng.choice((1.0, 20.0, 60.0, 200.0, 200.0)) * self.rng.random()
        cause = self.rng.choice((16, 16, 16, 16, 16, 0, 44))
        self._later(0.01 + patience, lambda: self._destroy(leg_id, cause, None))
        self._report(LegAnswered(leg_id))

    def _join(self, leg_id: LegId) -> None:
        channel = self.channels.get(leg_id)
        if channel is not None and self.bridge:
            channel.joined = True
            self._report(LegJoined(leg_id))

    def _destroy(self, leg_id: LegId, cause: int, sip_code: int | None) -> None:
        channel = self.channels.pop(leg_id, None)
        if channel is None:
            return
        if channel.state is LegState.UP and self.rng.random() < 0.7:
            self._report(LegHangingUp(leg_id))
        if channel.joined:
            self._report(LegLeft(leg_id))
        self._report(LegEnded(leg_id, cause, sip_code))

    def _lose_connection(self) -> None:
        """Nothing is heard for a while; then everything is looked up, or Asterisk itself began anew."""
        self.deaf = True
        self._later(self.rng.choice((0.1, 3.0, 10.0)) * self.rng.random(), self._find_connection)

    def _find_connection(self) -> None:
        self.deaf = False
        if self.rng.random() < 0.15:
            self.channels.clear()
            self._feed(SwitchRestarted())
            return
        self._feed(self._look(after_restart=self.rng.random() < 0.4))

    def _look(self, *, after_restart: bool) -> CallFound:
        asked = tuple(
            leg.id for leg in self.call.legs if leg.live and (after_restart or leg.state is not LegState.CREATING)
        )
        legs = tuple((leg_id, _looks(channel.state)) for leg_id, channel in self.channels.items())
        joined = tuple(leg_id for leg_id, channel in self.channels.items() if channel.joined)
        doubtful = in_doubt(self.call, dict(legs)) if after_restart else []
        told = {leg_id: self.channels[leg_id].dialled for leg_id in doubtful if self.rng.random() < 0.9}
        return CallFound(
            asked,
            legs,
            joined,
            self.bridge,
            after_restart,
            tuple(leg_id for leg_id, dialled in told.items() if dialled),
            tuple(leg_id for leg_id, dialled in told.items() if not dialled),
        )

    # --- disorder ---

    def _wild(self) -> Signal:
        """Any signal about any leg, also about nobody's."""
        rng = self.rng
        leg_ids = [leg.id for leg in self.call.legs]
        leg_id = rng.choice([*leg_ids, phone(Side.A, 9).id])
        signals: tuple[Signal, ...] = (
            CallPlaced(),
            LegCreated(leg_id),
            LegInvited(leg_id),
            LegRinging(leg_id),
            LegProgressed(leg_id),
            LegAnswered(leg_id),
            LegAnswered(leg_id),
            LegJoined(leg_id),
            LegHangingUp(leg_id),
            LegLeft(leg_id),
            LegEnded(leg_id, rng.choice(CAUSES), rng.choice(SIP_CODES)),
            CommandRefused(self._any_command(leg_id), rng.choice(STATUSES), "said nobody"),
            CommandRefused(self._any_command(leg_id), rng.choice(STATUSES), "said nobody"),
            DeadlinePassed(),
            DeadlinePassed(),
            CallFound(
                tuple(rng.sample(leg_ids, rng.randint(0, len(leg_ids)))),
                tuple((found, rng.choice(list(LegState))) for found in leg_ids if rng.random() < 0.8),
                tuple(found for found in leg_ids if rng.random() < 0.5),
                rng.random() < 0.8,
                rng.random() < 0.5,
                tuple(found for found in leg_ids if rng.random() < 0.1),
            ),
            self._look(after_restart=rng.random() < 0.5),
            # What ends every call at once comes less often, that some live to see the rest.
            *rng.choice(((CancelRequested(),), (SwitchRestarted(),), (CallBroken("KeyError()"),), (), ())),
        )
        return rng.choice(signals)

    def _any_command(self, leg_id: LegId) -> Command:
        return self.rng.choice(
            (
                CreateLeg(leg_id, "PJSIP/x", Party(""), None, "US", 1),
                DialLeg(leg_id, None, 1),
                HangUpLeg(leg_id, 16),
                CreateBridge(),
                JoinLeg(leg_id),
                StartRingback(leg_id),
                StopRingback(leg_id),
                PlayTone(leg_id, Tone.BUSY, "US"),
                DestroyBridge(),
            )
        )


def _looks(state: LegState) -> LegState:
    """What can be seen of a channel: one that was dialled and is silent looks like one that was only made."""
    return state if state in (LegState.RINGING, LegState.UP) else LegState.READY
