"""What we ask of the switch, in the imperative.

The commands of one step do not depend on one another and may be carried out at the same time; what depends on the result of
a command is decided in a later step.
"""

from msgspec import Struct

from c2c_stasis.call.model import Identity, Party, Tone
from c2c_stasis.ids import LegId


class CreateLeg(Struct, frozen=True):
    """Make the leg's channel without dialling it.

    It hears the tones of `region` (ISO 3166-1). `caller` is what the far end of a leg dialled on this leg's behalf shows,
    `shown` what this leg's own phone shows. The switch itself ends the channel after `lifetime` seconds, whatever becomes
    of us. `identity` is what becomes of `caller`: of a leg that is dialled on another's behalf, at its own far end.
    """

    leg_id: LegId
    endpoint: str
    caller: Party
    shown: Party | None
    region: str
    lifetime: int
    identity: Identity = Identity.SHOWN


class DialLeg(Struct, frozen=True):
    """Send the INVITE of a created leg, on behalf of `caller` if there is one; give up after `timeout` seconds."""

    leg_id: LegId
    caller: LegId | None
    timeout: int


class HangUpLeg(Struct, frozen=True):
    """End a leg in any state, with this Q.850 cause."""

    leg_id: LegId
    cause: int


class CreateBridge(Struct, frozen=True):
    """Make the call's mixing bridge."""


class JoinLeg(Struct, frozen=True):
    """Put a leg into the call's bridge."""

    leg_id: LegId


class StartRingback(Struct, frozen=True):
    """Let an answered leg hear that the other side rings."""

    leg_id: LegId


class StopRingback(Struct, frozen=True):
    """End the ringback of a leg."""

    leg_id: LegId


class PlayTone(Struct, frozen=True):
    """Let an answered leg hear a tone of its country."""

    leg_id: LegId
    tone: Tone
    region: str


class DestroyBridge(Struct, frozen=True):
    """Remove the call's bridge."""


Command = (
    CreateLeg | DialLeg | HangUpLeg | CreateBridge | JoinLeg | StartRingback | StopRingback | PlayTone | DestroyBridge
)
