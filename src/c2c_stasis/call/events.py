"""What we tell the world, in the past tense; `type` is the public name."""

from enum import StrEnum

from msgspec import Struct

from c2c_stasis.ids import LegId


class EventType(StrEnum):
    """The public names of events. `call.*` go to everyone who listens, `leg.*` to the event log of the call."""

    CALL_RINGING = "call.ringing"
    CALL_INITIATED = "call.initiated"
    CALL_ANSWERED = "call.answered"
    CALL_END = "call.end"
    CALL_EMERGENCY = "call.emergency"
    LEG_CREATED = "leg.created"
    LEG_DIALLED = "leg.dialled"
    LEG_RINGING = "leg.ringing"
    LEG_PROGRESS = "leg.progress"
    LEG_ANSWERED = "leg.answered"
    LEG_BRIDGED = "leg.bridged"
    LEG_ENDED = "leg.ended"


class Event(Struct, frozen=True):
    """Something that happened `at` seconds after the call was accepted, to the call or to one of its legs."""

    type: EventType
    at: float
    leg_id: LegId | None = None
