"""What a call is: its legs, its state and its end, as frozen values.

Every moment inside a call is a number of seconds since the call was accepted, read from a monotonic clock: durations cannot
be negative and a change of the wall clock moves nothing. `accepted_at` is the one wall time; the others are derived from it.
"""

from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from c2c_stasis.ids import AccountId, CallId, DeviceId, LegId, LocationId, NumberId, PlatformId, UserId


class Side(StrEnum):
    """A is the user's side and is dialled first; B is the destination."""

    A = "a"
    B = "b"


class LegState(StrEnum):
    """Where a leg is. `UP` means answered (RFC 3261 2xx), `ENDED` that its channel is gone or never was."""

    PLANNED = "planned"
    CREATING = "creating"
    READY = "ready"
    DIALLED = "dialled"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


class LegOutcome(StrEnum):
    """How one leg ended, as the record tells it."""

    ANSWERED = "answered"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    REJECTED = "rejected"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"


class CallState(StrEnum):
    """Where a call is; `docs/call-states.md` draws how it moves."""

    ACCEPTED = "accepted"
    RINGING_USER = "ringing_user"
    DIALLING_DESTINATION = "dialling_destination"
    RINGING_DESTINATION = "ringing_destination"
    JOINING = "joining"
    TALKING = "talking"
    PLAYING_TONE = "playing_tone"
    RELEASING = "releasing"
    ENDED = "ended"


class Outcome(StrEnum):
    """Why the whole call ended, in six words."""

    COMPLETED = "completed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why the whole call ended, exactly; a closed list."""

    NORMAL = "normal"
    USER_NO_ANSWER = "user_no_answer"
    USER_REJECTED = "user_rejected"
    NO_DEVICE = "no_device"
    DEVICE_UNREACHABLE = "device_unreachable"
    DESTINATION_NO_ANSWER = "destination_no_answer"
    DESTINATION_BUSY = "destination_busy"
    DESTINATION_REJECTED = "destination_rejected"
    INVALID_NUMBER = "invalid_number"
    NO_ROUTE = "no_route"
    CONGESTION = "congestion"
    TRUNK_FAILED = "trunk_failed"
    CANCELLED_BY_API = "cancelled_by_api"
    CANCELLED_BY_USER = "cancelled_by_user"
    MAX_DURATION = "max_duration"
    MEDIA_TIMEOUT = "media_timeout"
    SWITCH_LOST = "switch_lost"
    SERVICE_RESTARTED = "service_restarted"
    INTERNAL_ERROR = "internal_error"


class EndedBy(StrEnum):
    """Who or what ended the call."""

    USER = "user"
    DESTINATION = "destination"
    API = "api"
    SYSTEM = "system"


class FailedLeg(StrEnum):
    """The side on which a call that was not completed failed."""

    USER = "user"
    DESTINATION = "destination"


FAILED_LEG = {Side.A: FailedLeg.USER, Side.B: FailedLeg.DESTINATION}


class Tone(StrEnum):
    """What the user hears when the destination cannot be reached (ITU-T E.182)."""

    BUSY = "busy"
    CONGESTION = "congestion"


class DestinationKind(StrEnum):
    """What kind of destination was dialled."""

    EXTERNAL = "external"
    EXTENSION = "extension"
    EMERGENCY = "emergency"


START_WITHIN = 10.0  # seconds from the acceptance to the first step; later the person has turned away from the screen


class Party(Struct, frozen=True):
    """A number and a name, as a phone shows them."""

    number: str
    name: str = ""


class Destination(Struct, frozen=True):
    """Where side B leads. `party.number` is E.164, the extension, or the emergency digits."""

    kind: DestinationKind
    party: Party
    user_id: UserId | None = None  # whose devices ring, when it is an extension


class Lack(StrEnum):
    """What an emergency call should have and has not."""

    TRUNK = "emergency_trunk"  # no trunk is marked for emergency calls: it goes through ordinary ones
    CALLBACK_NUMBER = "callback_number"  # no number is shown: nobody can call back
    LOCATION = "location"  # nobody has said where the user is


class EmergencyDetails(Struct, frozen=True):
    """What is known of an emergency call: whether it is only a test, where the user is, and what it should have and has not.

    `address` holds the parts of a postal address by their names; a location that nobody has said has none.
    """

    test: bool = False
    location_id: LocationId | None = None
    location_name: str = ""
    address: dict[str, str] = field(default_factory=dict)
    missing: tuple[Lack, ...] = ()


class Limits(Struct, frozen=True):
    """How long each part of a call may take, in seconds. `answer_timeout` is for all attempts at a destination together."""

    ring_timeout: float = 30.0
    answer_timeout: float = 60.0
    max_duration: float = 14_400.0
    tone_seconds: float = 4.0  # two periods of the slowest busy tone are clearly heard
    attempt_timeout: float = 12.0  # silence of a trunk when there is another; SIP gives up after 32 (RFC 3261, timer B)


class Identity(StrEnum):
    """What those who are called learn of the number that calls (RFC 3323, RFC 3325)."""

    SHOWN = "shown"
    ASSERTED = "asserted"  # withheld from who is called; the carrier is told, and asked to keep it
    WITHHELD = "withheld"  # told to nobody


class Route(Struct, frozen=True):
    """A way to the destination that was not tried yet: the trunk's name, and the complete dial string.

    A `trusted` trunk is told the number of an anonymous call.
    """

    trunk: str
    endpoint: str
    trusted: bool = False


class Quality(Struct, frozen=True):
    """What the switch measured of the media that it received of a leg.

    `jitter` is the mean interarrival jitter (RFC 3550) in seconds, `loss` the share of packets that never came, 0 to 1, and
    `rtt` the round trip in seconds; None is what nobody measured.
    """

    jitter: float
    loss: float | None = None
    rtt: float | None = None


class Leg(Struct, frozen=True):
    """One contact we dial; ours from the moment we decide to, whatever the switch has made of it.

    `endpoint` is the complete dial string, such as `PJSIP/d1`; empty for a device that cannot be dialled, which has ended
    before it began and only stands in the record.
    """

    id: LegId
    side: Side
    endpoint: str
    device_id: DeviceId | None = None
    device: str = ""  # the name of the Asterisk endpoint
    contact: str = ""
    user_agent: str = ""
    state: LegState = LegState.PLANNED
    outcome: LegOutcome | None = None
    won: bool = False
    in_bridge: bool = False
    left_bridge: bool = False  # it was there and is no more; mostly its end is on the way
    hanging_up: bool = False  # its far end, which had answered, has hung up; its end is on the way
    release_cause: int | None = None  # Q.850 cause with which we asked the switch to end it
    cause: int | None = None
    sip_code: int | None = None
    dialled_at: float | None = None
    invited_at: float | None = None
    progressed_at: float | None = None  # early media (183), before it rang
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    again_at: float | None = None  # when it is asked again to end or to enter the bridge, unless it has until then
    asked_in_vain: int = 0
    quality: Quality | None = None  # known at the end, if there was media
    trunk: str = ""  # the name of the trunk that it leads through
    trusted: bool = False  # that trunk is told the number of an anonymous call
    begun_at: float | None = None  # of an attempt after the first: when the one before it had failed

    @property
    def live(self) -> bool:
        """Whether the switch has, or may come to have, a channel for this leg."""
        return self.state not in (LegState.PLANNED, LegState.ENDED)

    @property
    def leaving(self) -> bool:
        """Whether nobody is to be told that somebody talks with it."""
        return self.left_bridge or self.hanging_up

    @property
    def released(self) -> bool:
        """Whether we have asked the switch to end this leg."""
        return self.release_cause is not None

    @property
    def alerted(self) -> bool:
        """Whether its far end rings, rang, or sends early media."""
        return self.ringing_at is not None or self.progressed_at is not None or self.state is LegState.RINGING

    @property
    def can_win(self) -> bool:
        """Whether an answer of this leg may still decide its side."""
        return self.live and not self.released and not self.won

    @property
    def dialled(self) -> bool:
        """Whether we have asked the switch to dial it; it is never asked twice."""
        return self.dialled_at is not None


class End(Struct, frozen=True):
    """How a call ended. `cause` is Q.850, `sip_code` the SIP status, both of the leg that decided."""

    outcome: Outcome
    reason: Reason
    ended_by: EndedBy
    failed_leg: FailedLeg | None = None
    cause: int | None = None
    sip_code: int | None = None


class Call(Struct, frozen=True):
    """One accepted request to connect a user with a destination.

    `deadline` is when the present state must have been left; a call that has not ended always has one. `end` is decided at
    the latest when the call starts to be released, and never changes afterwards.
    """

    id: CallId
    platform_id: PlatformId
    account_id: AccountId
    user_id: UserId
    dial_string: str
    destination: Destination
    caller: Party
    region: str
    limits: Limits
    legs: tuple[Leg, ...]
    accepted_at: float  # Unix seconds
    clock_zero: float  # the monotonic clock's reading at `accepted_at`
    boot: str = ""  # from which start of the machine that clock counts, as in `Now`
    state: CallState = CallState.ACCEPTED
    deadline: float | None = START_WITHIN
    end: End | None = None
    initiated_at: float | None = None
    answered_at: float | None = None
    connected_at: float | None = None
    bridged_at: float | None = None  # when both sides were in the bridge
    ended_at: float | None = None
    ended_at_estimated: bool = False  # it ended unheard: `ended_at` is when that was found out, not when it was
    committed_at: float | None = None  # when the acceptance was in the store; an emergency call does not wait for that
    release_rounds: int = 0
    events: int = 0
    livemode: bool = True
    metadata: dict[str, str] = field(default_factory=dict)
    did_id: NumberId | None = None  # the account's number that `caller` shows
    switch_started_at: float | None = None  # by the switch's own clock; another value: its channels are gone
    rule: str | None = None  # the rule of the policy that let it through; unknown of calls that older versions accepted
    key_id: str | None = None  # the platform key with which it was asked for; none with a session
    routes: tuple[Route, ...] = ()  # what is tried, in this order, when the trunk of the newest leg fails
    on_any_failure: bool = False  # the next route is tried also when the destination rang, is busy or declines
    anonymous: bool = False
    emergency_details: EmergencyDetails | None = None  # of an emergency call; unknown of those of older versions

    @property
    def live(self) -> bool:
        """Whether anything may still happen to this call."""
        return self.state is not CallState.ENDED

    @property
    def due(self) -> float | None:
        """When time alone brings something about: the deadline, or before it something that is asked again."""
        if self.deadline is None or self.state is CallState.RELEASING:
            return self.deadline
        return min([self.deadline, *(leg.again_at for leg in self.legs if leg.again_at is not None)])

    @property
    def direction(self) -> str:
        """Which way it goes: out through a trunk, or to an extension."""
        return "internal" if self.destination.kind is DestinationKind.EXTENSION else "outbound"

    @property
    def emergency(self) -> bool:
        """Whether the destination is an emergency number."""
        return self.destination.kind is DestinationKind.EMERGENCY

    @property
    def answer_by(self) -> float | None:
        """When the destination must have answered, through whichever trunk; None until the user has."""
        return None if self.answered_at is None else self.answered_at + self.limits.answer_timeout

    def leg(self, leg_id: LegId) -> Leg | None:
        """The leg with this id, if it is one of this call's."""
        return next((leg for leg in self.legs if leg.id == leg_id), None)

    def side(self, side: Side) -> tuple[Leg, ...]:
        """The legs of one side, in the order in which they are dialled."""
        return tuple(leg for leg in self.legs if leg.side is side)

    def winner(self, side: Side) -> Leg | None:
        """The leg that answered first on this side."""
        return next((leg for leg in self.legs if leg.side is side and leg.won), None)

    def with_leg(self, changed: Leg) -> "Call":
        """The same call with one leg replaced by its newer self."""
        return replace(self, legs=tuple(changed if leg.id == changed.id else leg for leg in self.legs))

    @property
    def duration(self) -> int | None:
        """Whole seconds from the user's answer to the end, 0 if the user never answered; None while there is no end."""
        if self.ended_at is None:
            return None
        return 0 if self.answered_at is None else round(self.ended_at - self.answered_at)

    @property
    def latest(self) -> float:
        """The latest moment that is known of this call."""
        moments = [
            self.committed_at,
            self.initiated_at,
            self.answered_at,
            self.connected_at,
            self.bridged_at,
            self.ended_at,
        ]
        for leg in self.legs:
            moments += [leg.dialled_at, leg.invited_at, leg.ringing_at, leg.answered_at, leg.ended_at]
        return max((moment for moment in moments if moment is not None), default=0.0)

    def wall(self, moment: float | None) -> float | None:
        """A moment of this call as Unix seconds."""
        return None if moment is None else self.accepted_at + moment


class Now(Struct, frozen=True):
    """One reading of both clocks: `wall` in Unix seconds, `mono` in seconds of the monotonic clock.

    The latter counts from a start of the machine whose name is `boot`; empty where nobody knows it.
    """

    wall: float
    mono: float
    boot: str = ""
