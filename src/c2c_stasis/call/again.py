"""What is asked again until it has happened: that a leg which was let go ends, and that a leg enters the bridge.

A refusal is not the last word, and a reply is no proof: Asterisk answers 204 to an `addChannel` that never takes place.
"""

from msgspec.structs import replace

from c2c_stasis.call import forking
from c2c_stasis.call.commands import HangUpLeg, JoinLeg
from c2c_stasis.call.model import Call, CallState, Leg, LegState, Side
from c2c_stasis.call.move import Move

HANG_UP_AGAIN = 3.0  # seconds after which a leg that was let go and still lives is asked to end once more
JOIN_AGAIN = (
    1.0  # seconds after which a leg that has not entered the bridge is put there once more; it takes milliseconds
)
LONGEST_PAUSE = 48.0  # seconds; the pause doubles up to here each time that asking was in vain

_BRIDGED = {
    CallState.DIALLING_DESTINATION,
    CallState.RINGING_DESTINATION,
    CallState.JOINING,
    CallState.TALKING,
}


def hang_up(move: Move, leg: Leg, cause: int) -> None:
    """Ask for the end of a live leg, and again until it has ended."""
    move.set(replace(leg, release_cause=cause, again_at=move.at + HANG_UP_AGAIN, asked_in_vain=0))
    move.ask(HangUpLeg(leg.id, cause))


def join(move: Move, leg: Leg) -> Leg:
    """Put a leg into the bridge, and again until it is reported to be there."""
    move.ask(JoinLeg(leg.id))
    return move.set(replace(leg, again_at=move.at + JOIN_AGAIN, asked_in_vain=0))


def join_now(move: Move) -> None:
    """Do not wait any longer with legs that were put into the bridge in vain: the far end has something to say."""
    for leg in move.call.legs:
        if leg.again_at is not None and leg.asked_in_vain and not leg.released:
            join(move, leg)


def join_all(move: Move) -> None:
    """Put everybody who belongs into the bridge there once more."""
    for leg in move.call.legs:
        if belongs_in_bridge(move.call, leg) and not leg.in_bridge:
            join(move, leg)


def belongs_in_bridge(call: Call, leg: Leg) -> bool:
    """Whether this leg must be in the bridge for the user to hear anything: a winner, or a single destination."""
    if call.state not in _BRIDGED or not leg.live or leg.released:
        return False
    made = leg.state is not LegState.CREATING
    return leg.won or (leg.side is Side.B and made and not forking.forked(call, Side.B))


def ask_what_is_due(move: Move) -> None:
    """Ask again for what was asked long enough ago. A call that is being released does so by its rounds."""
    if move.call.state is CallState.RELEASING:
        return
    for leg in move.call.legs:
        if leg.again_at is None and not leg.in_bridge and belongs_in_bridge(move.call, leg):
            leg = move.set(replace(leg, again_at=move.at + JOIN_AGAIN))  # it left: its end may be on the way
        if leg.again_at is None or move.at < leg.again_at:
            continue
        first = HANG_UP_AGAIN if leg.released else JOIN_AGAIN
        pause = min(first * 2 ** (leg.asked_in_vain + 1), LONGEST_PAUSE)
        move.set(replace(leg, again_at=move.at + pause, asked_in_vain=leg.asked_in_vain + 1))
        move.ask(JoinLeg(leg.id) if leg.release_cause is None else HangUpLeg(leg.id, leg.release_cause))
