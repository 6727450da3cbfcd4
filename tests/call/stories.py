"""Calls to tell stories about, and a teller that feeds them signals and keeps what was asked and told.

The call of most stories: Ann (two phones) calls +15551234567 through the trunk. Times are seconds since the acceptance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from c2c_stasis.call.commands import Command, CreateLeg
from c2c_stasis.call.events import EventType
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import (
    Call,
    CallState,
    Destination,
    DestinationKind,
    End,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Now,
    Party,
    Route,
    Side,
)
from c2c_stasis.call.signals import (
    CallPlaced,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
    Signal,
)
from c2c_stasis.ids import AccountId, CallId, DeviceId, LegId, PlatformId, UserId, leg_id

CALL_ID = CallId("call_01h2xcejqtf2nbrexx3vqjhp41")
A1, A2, A3 = (leg_id(CALL_ID, "a", number) for number in (1, 2, 3))
B1, B2, B3 = (leg_id(CALL_ID, "b", number) for number in (1, 2, 3))

ANN = Party("+15557654321", "Ann")
NUMBER = Party("+15551234567")
BOB = Party("1002", "Bob")

ACCEPTED_AT = 1_700_000_000.0
CLOCK_ZERO = 5_000.0

RING, ANSWER, LONGEST, TONE = 30.0, 60.0, 14_400.0, 4.0
LIMITS = Limits(RING, ANSWER, LONGEST, TONE)
DIAL_A, DIAL_B = 35, 65  # Asterisk's own dial timers
LIFETIME = 14_550  # ring + answer + longest + 60
TWELVE_HOURS = 43_200

TRUNK = "PJSIP/+15551234567@carrier"
SECOND = Route("second", "PJSIP/+15551234567@second")
THIRD = Route("third", "PJSIP/15551234567@third")
ROUTES = (SECOND, THIRD)


def phone(side: Side, number: int) -> Leg:
    """The leg of a registered phone."""
    name = f"{'ann' if side is Side.A else 'bob'}-{number}"
    contact = f"sip:{name}@192.0.2.{number}"
    return Leg(leg_id(CALL_ID, side.value, number), side, f"PJSIP/{name}", DeviceId(f"ep_{name}"), name, contact)


def dead_phone(
    side: Side, number: int, *, registered: bool = False, outcome: LegOutcome = LegOutcome.UNREACHABLE
) -> Leg:
    """The leg of a phone that cannot be dialled; it only stands in the record."""
    contact = phone(side, number).contact if registered else ""
    return replace(
        phone(side, number), endpoint="", contact=contact, state=LegState.ENDED, outcome=outcome, ended_at=0.0
    )


def trunk() -> Leg:
    """The one leg of a destination in the public network."""
    return Leg(B1, Side.B, TRUNK, trunk="carrier")


def phones(side: Side, count: int) -> tuple[Leg, ...]:
    return tuple(phone(side, number) for number in range(1, count + 1))


def call_of(own: Sequence[Leg], far: Sequence[Leg], kind: DestinationKind, limits: Limits = LIMITS) -> Call:
    """An accepted call with these legs."""
    party = {DestinationKind.EXTENSION: BOB, DestinationKind.EMERGENCY: Party("911")}.get(kind, NUMBER)
    return Call(
        id=CALL_ID,
        platform_id=PlatformId("plat_1"),
        account_id=AccountId("acct_1"),
        user_id=UserId("user_ann"),
        dial_string=party.number,
        destination=Destination(kind, party, UserId("user_bob") if kind is DestinationKind.EXTENSION else None),
        caller=ANN,
        region="US",
        limits=limits,
        legs=(*own, *far),
        accepted_at=ACCEPTED_AT,
        clock_zero=CLOCK_ZERO,
    )


def outward_call(devices: int = 2, kind: DestinationKind = DestinationKind.EXTERNAL) -> Call:
    """Ann calls a number in the public network."""
    return call_of(phones(Side.A, devices), [trunk()], kind)


def routed_call(
    *routes: Route, kind: DestinationKind = DestinationKind.EXTERNAL, on_any_failure: bool = False, devices: int = 1
) -> Call:
    """Ann calls a number in the public network, and these trunks are tried after the first."""
    return replace(outward_call(devices, kind), routes=routes, on_any_failure=on_any_failure)


def internal_call(devices: int = 1, far_devices: int = 2) -> Call:
    """Ann calls Bob's extension."""
    return call_of(phones(Side.A, devices), phones(Side.B, far_devices), DestinationKind.EXTENSION)


@dataclass
class Told:
    """What a few signals brought about: everything that was asked of the switch and told to the world, in order."""

    commands: list[Command] = field(default_factory=list)
    events: list[EventType | tuple[EventType, LegId]] = field(default_factory=list)


NOTHING = Told()


class Story:
    """A call that lives through signals; `at` is the time now."""

    def __init__(self, call: Call, at: float = 0.0) -> None:
        self.call = call
        self.at = at

    def hear(self, *signals: Signal) -> Told:
        """Feed signals one after another; what they brought about, together."""
        told = Told()
        for signal in signals:
            taken = step(self.call, signal, Now(ACCEPTED_AT + self.at, CLOCK_ZERO + self.at))
            self.call = taken.call
            told.commands += taken.commands
            assert all(event.at == self.at for event in taken.events)
            told.events += [(event.type, event.leg_id) if event.leg_id else event.type for event in taken.events]
        return told

    def wait(self, seconds: float) -> "Story":
        """Let time pass."""
        self.at += seconds
        return self

    def leg(self, wanted: LegId) -> Leg:
        found = self.call.leg(wanted)
        assert found is not None
        return found

    @property
    def state(self) -> CallState:
        return self.call.state

    @property
    def end(self) -> End:
        assert self.call.end is not None
        return self.call.end


def reached(*leg_ids: LegId) -> list[Signal]:
    """The far ends of these legs were sent an INVITE and ring."""
    return [signal for leg in leg_ids for signal in (LegInvited(leg), LegRinging(leg))]


def created(*leg_ids: LegId) -> list[Signal]:
    return [LegCreated(leg) for leg in leg_ids]


def gone(*leg_ids: LegId) -> list[Signal]:
    """The channels of these legs ended after we asked for it."""
    return [LegEnded(leg) for leg in leg_ids]


def ringing_user(call: Call | None = None) -> Story:
    """One second in: every phone of Ann rings; a single destination leg waits in the bridge."""
    story = Story(call or outward_call())
    made = [command.leg_id for command in story.hear(CallPlaced()).commands if isinstance(command, CreateLeg)]
    story.hear(*created(*made))
    story.hear(*[LegJoined(leg) for leg in made if leg == B1])
    story.hear(*reached(*[leg for leg in made if leg in (A1, A2, A3)]))
    return story.wait(1.0)


def dialling(call: Call | None = None) -> Story:
    """Two seconds in: Ann has answered on her first phone, is in the bridge, and the destination is being dialled."""
    story = ringing_user(call)
    made = story.hear(LegAnswered(A1)).commands
    story.hear(LegJoined(A1))
    story.hear(*created(*[command.leg_id for command in made if isinstance(command, CreateLeg)]))
    story.hear(*gone(A2, A3))
    story.hear(*[LegInvited(leg.id) for leg in story.call.side(Side.B) if leg.live])
    return story.wait(1.0)


def ringing_destination(call: Call | None = None) -> Story:
    """Three seconds in: the destination rings."""
    story = dialling(call)
    story.hear(*[LegRinging(leg.id) for leg in story.call.side(Side.B) if leg.live])
    return story.wait(1.0)


def talking(call: Call | None = None) -> Story:
    """Four seconds in: both sides hear one another."""
    story = ringing_destination(call)
    story.hear(LegAnswered(B1), LegJoined(B1), *gone(B2, B3))
    assert story.state is CallState.TALKING
    return story.wait(1.0)


def playing_tone(call: Call | None = None) -> Story:
    """Four seconds in: the destination is busy and Ann hears it."""
    story = ringing_destination(call)
    story.hear(*[LegEnded(leg.id, 17, 486) for leg in story.call.side(Side.B) if leg.live])
    assert story.state is CallState.PLAYING_TONE
    return story.wait(1.0)


def releasing(call: Call | None = None) -> Story:
    """Five seconds in: Bob hung up, Ann's phone is asked to."""
    story = talking(call)
    story.hear(LegEnded(B1, 16))
    assert story.state is CallState.RELEASING
    return story.wait(1.0)
