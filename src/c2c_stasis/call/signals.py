"""What comes in: everything that can happen to a call, in the past tense."""

from msgspec import Struct

from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import LegState, Quality
from c2c_stasis.ids import LegId


class CallPlaced(Struct, frozen=True):
    """The call is recorded and may begin."""


class LegCreated(Struct, frozen=True):
    """The switch has made the leg's channel and given it to us; it may be dialled now."""

    leg_id: LegId


class LegInvited(Struct, frozen=True):
    """The INVITE of this leg is on its way."""

    leg_id: LegId


class LegRinging(Struct, frozen=True):
    """The far end rings (SIP 180)."""

    leg_id: LegId


class LegProgressed(Struct, frozen=True):
    """The far end sends early media (SIP 183)."""

    leg_id: LegId


class LegAnswered(Struct, frozen=True):
    """The far end answered (SIP 2xx)."""

    leg_id: LegId


class LegJoined(Struct, frozen=True):
    """The leg entered the call's bridge."""

    leg_id: LegId


class LegHangingUp(Struct, frozen=True):
    """The far end has ended this leg; its channel leaves the bridge and is gone in a moment."""

    leg_id: LegId


class LegLeft(Struct, frozen=True):
    """The leg left the call's bridge."""

    leg_id: LegId


class LegEnded(Struct, frozen=True):
    """The leg's channel is gone; `cause` is Q.850 (0 or None: not known), `sip_code` the SIP status if there was one.

    `quality` is what the switch measured of its media, if there was any.
    """

    leg_id: LegId
    cause: int | None = None
    sip_code: int | None = None
    quality: Quality | None = None


NO_REPLY = 0  # the status of a command that the switch did not answer at all


class CommandRefused(Struct, frozen=True):
    """The switch refused a command, with its HTTP status (or `NO_REPLY`) and message."""

    command: Command
    status: int
    message: str


class DeadlinePassed(Struct, frozen=True):
    """The call's deadline is over, or the time has come to ask again for something."""


class CancelRequested(Struct, frozen=True):
    """Somebody asked over the API to end this call."""


class SwitchRestarted(Struct, frozen=True):
    """The switch began anew: every channel it had is gone."""


class CallFound(Struct, frozen=True):
    """We are connected again and looked for this call's legs.

    `asked` are the legs we looked for, `legs` those that exist, with their states; an asked leg that is missing is gone.
    `joined` are those that stand in the call's bridge; `bridge` tells whether it exists at all. `after_restart` says that
    the service itself began anew, so that commands may have been lost. Of legs of the destination that wait or are dialled
    and silent, which looks the same, `dialled` and `undialled` are those of which the switch can tell.
    """

    asked: tuple[LegId, ...]
    legs: tuple[tuple[LegId, LegState], ...]
    joined: tuple[LegId, ...]
    bridge: bool
    after_restart: bool = False
    dialled: tuple[LegId, ...] = ()
    undialled: tuple[LegId, ...] = ()


class CallBroken(Struct, frozen=True):
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
    | LegHangingUp
    | LegLeft
    | LegEnded
    | CommandRefused
    | DeadlinePassed
    | CancelRequested
    | SwitchRestarted
    | CallFound
    | CallBroken
)
