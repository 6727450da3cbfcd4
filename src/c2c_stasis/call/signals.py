"""What comes in: everything that can happen to a call, in the past tense."""

from dataclasses import dataclass

from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import LegState
from c2c_stasis.ids import LegId


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """The call is recorded and may begin."""


@dataclass(frozen=True, slots=True)
class LegCreated:
    """The switch has made the leg's channel and given it to us; it may be dialled now."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegInvited:
    """The INVITE of this leg is on its way."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegRinging:
    """The far end rings (SIP 180)."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegProgressed:
    """The far end sends early media (SIP 183)."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """The far end answered (SIP 2xx)."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegJoined:
    """The leg entered the call's bridge."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegLeft:
    """The leg left the call's bridge."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The leg's channel is gone; `cause` is Q.850 (0 or None: not known), `sip_code` the SIP status if there was one."""

    leg_id: LegId
    cause: int | None = None
    sip_code: int | None = None


NO_REPLY = 0  # the status of a command that the switch did not answer at all


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """The switch refused a command, with its HTTP status (or `NO_REPLY`) and message."""

    command: Command
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The call's deadline is over, or the time has come to ask again for something."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody asked over the API to end this call."""


@dataclass(frozen=True, slots=True)
class SwitchRestarted:
    """The switch began anew: every channel it had is gone."""


@dataclass(frozen=True, slots=True)
class CallFound:
    """We are connected again and looked for this call's legs.

    `asked` are the legs we looked for, `legs` those that exist, with their states; an asked leg that is missing is gone.
    `joined` are those that stand in the call's bridge; `bridge` tells whether it exists at all. `after_restart` says that
    the service itself began anew, so that commands may have been lost.
    """

    asked: tuple[LegId, ...]
    legs: tuple[tuple[LegId, LegState], ...]
    joined: tuple[LegId, ...]
    bridge: bool
    after_restart: bool = False


@dataclass(frozen=True, slots=True)
class CallBroken:
    """Our own code failed while it handled this call."""

    error: str


Signal = (
    CallPlaced
    | LegCreated
    | LegInvited
    | LegRinging
    | LegProgressed
    | LegAnswered
    | LegJoined
    | LegLeft
    | LegEnded
    | CommandRefused
    | DeadlinePassed
    | CancelRequested
    | SwitchRestarted
    | CallFound
    | CallBroken
)
