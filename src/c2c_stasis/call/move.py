"""One step in the making, and the moves that a call may make between its states."""

from msgspec import Struct
from msgspec.structs import replace

from c2c_stasis.call.commands import Command
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, CallState, Leg, Now
from c2c_stasis.ids import LegId

# Every move between two states, with what brings it about. A move that is not here is a programming error; the diagram in
# docs/call-states.md is drawn from this table.
MOVES: dict[tuple[CallState, CallState], str] = {
    (CallState.ACCEPTED, CallState.RINGING_USER): "placed",
    (CallState.ACCEPTED, CallState.ENDED): "nobody can ring, cancelled, or too late",
    (CallState.RINGING_USER, CallState.DIALLING_DESTINATION): "a device answered first",
    (CallState.RINGING_USER, CallState.RELEASING): "cancelled, ring timeout, all declined",
    (CallState.RINGING_USER, CallState.ENDED): "nothing is left to release",
    (CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION): "180 or 183",
    (CallState.DIALLING_DESTINATION, CallState.JOINING): "destination answered, not both in the bridge yet",
    (CallState.DIALLING_DESTINATION, CallState.TALKING): "destination answered",
    (CallState.DIALLING_DESTINATION, CallState.PLAYING_TONE): "destination not reached",
    (CallState.DIALLING_DESTINATION, CallState.RELEASING): "cancelled, user hung up",
    (CallState.DIALLING_DESTINATION, CallState.ENDED): "nothing is left to release",
    (CallState.RINGING_DESTINATION, CallState.DIALLING_DESTINATION): "emergency, next trunk after any failure",
    (CallState.RINGING_DESTINATION, CallState.JOINING): "destination answered, not both in the bridge yet",
    (CallState.RINGING_DESTINATION, CallState.TALKING): "destination answered",
    (CallState.RINGING_DESTINATION, CallState.PLAYING_TONE): "busy, refused, answer timeout",
    (CallState.RINGING_DESTINATION, CallState.RELEASING): "cancelled, user hung up",
    (CallState.RINGING_DESTINATION, CallState.ENDED): "nothing is left to release",
    (CallState.JOINING, CallState.TALKING): "both are in the bridge",
    (CallState.JOINING, CallState.RELEASING): "either hung up, cancelled, bridge failed",
    (CallState.JOINING, CallState.ENDED): "nothing is left to release",
    (CallState.TALKING, CallState.RELEASING): "either hung up, cancelled, longest duration",
    (CallState.TALKING, CallState.ENDED): "nothing is left to release",
    (CallState.PLAYING_TONE, CallState.RELEASING): "tone over, cancelled",
    (CallState.PLAYING_TONE, CallState.ENDED): "user hung up",
    (CallState.RELEASING, CallState.ENDED): "every leg is gone",
}


class Step(Struct, frozen=True):
    """What one signal does: the call afterwards, what to ask of the switch, what to tell the world."""

    call: Call
    commands: tuple[Command, ...] = ()
    events: tuple[Event, ...] = ()


class Move:
    """One step in the making: the changing call and what was decided so far."""

    def __init__(self, call: Call, now: Now) -> None:
        self.call = call
        self.at = max(0.0, now.mono - call.clock_zero)
        self._commands: list[Command] = []
        self._events: list[Event] = []

    def done(self) -> Step:
        """The finished step."""
        return Step(self.call, tuple(self._commands), tuple(self._events))

    def ask(self, command: Command) -> None:
        """Ask something of the switch."""
        if command not in self._commands:  # catching up may come to the same command twice
            self._commands.append(command)

    def tell(self, event_type: EventType, leg: Leg | None = None) -> None:
        """Tell the world that something happened now, to the call or to one leg."""
        self.call = replace(self.call, events=self.call.events + 1)
        self._events.append(Event(event_type, self.at, leg.id if leg else None))

    def leg(self, leg_id: LegId) -> Leg | None:
        """The leg if it is one of ours and its channel may exist."""
        leg = self.call.leg(leg_id)
        return leg if leg and leg.live else None

    def to(self, state: CallState, deadline: float | None) -> None:
        """Move the call to another state, which it must have left by the deadline."""
        assert (self.call.state, state) in MOVES
        self.call = replace(self.call, state=state, deadline=deadline)

    def set(self, leg: Leg) -> Leg:
        """Put the newer self of a leg in the place of the elder, and give it back."""
        self.call = self.call.with_leg(leg)
        return leg
