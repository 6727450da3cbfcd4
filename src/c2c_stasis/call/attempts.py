"""Legs that come to be, and the ways to a destination in the public network: one after another, the next one when it may be.

A destination is dialled once per attempt, and the next attempt begins when the one before it has ended and nothing rang: the
trunk failed, not the destination. All attempts together have the time that the destination has to answer.
"""

from math import ceil

from msgspec.structs import replace

from c2c_stasis.call import causes
from c2c_stasis.call.commands import CreateLeg
from c2c_stasis.call.model import Call, CallState, Identity, Leg, LegState, Side
from c2c_stasis.call.move import Move
from c2c_stasis.ids import leg_id

DIAL_WITHIN = 10.0  # seconds a user who has answered waits for the destination's channel, in silence
LIFETIME_MARGIN = 60  # seconds by which Asterisk's last timer is later than the longest call
EMERGENCY_LIFETIME = 12 * 3600  # seconds; nothing of ours ends an emergency call before


def create(move: Move, leg: Leg) -> None:
    """Ask for a leg's channel. To ask twice makes no second one, for the leg names it."""
    call = move.call
    move.set(replace(leg, state=LegState.CREATING))
    shown = call.destination.party if leg.side is Side.A else None
    limits = call.limits
    longest = ceil(limits.ring_timeout + limits.answer_timeout + limits.max_duration) + LIFETIME_MARGIN
    lifetime = EMERGENCY_LIFETIME if call.emergency else longest
    move.ask(CreateLeg(leg.id, leg.endpoint, call.caller, shown, call.region, lifetime, _identity(call, leg)))


def _identity(call: Call, leg: Leg) -> Identity:
    if not call.anonymous:
        return Identity.SHOWN
    return Identity.ASSERTED if leg.trusted else Identity.WITHHELD


def newest(call: Call) -> Leg | None:
    """The attempt at a destination in the public network that was made last; None when phones of ours are the destination."""
    legs = call.side(Side.B)
    return legs[-1] if legs and legs[-1].device_id is None else None


def goes_on(call: Call, ended: Leg) -> bool:
    """Whether the next route is tried now that this leg has ended."""
    if not call.routes or ended.side is not Side.B:
        return False
    if call.on_any_failure or not ended.dialled:
        return True
    if ended.alerted or ended.answered_at is not None:
        return False  # somebody was called, and must not be called again
    end = causes.destination_end(ended.cause, ended.sip_code, rang=False)
    return end.reason in causes.NEXT_ROUTE_AFTER


def begin_next(move: Move) -> None:
    """Make the leg of the next route; it is dialled as soon as it is there and the user has answered."""
    call = move.call
    route, *others = call.routes
    number = len(call.side(Side.B)) + 1
    name, at = leg_id(call.id, Side.B, number), move.at
    leg = Leg(name, Side.B, route.endpoint, trunk=route.trunk, trusted=route.trusted, begun_at=at)
    move.call = replace(call, legs=(*call.legs, leg), routes=tuple(others))
    create(move, leg)
    if call.state is CallState.RINGING_DESTINATION:
        move.to(CallState.DIALLING_DESTINATION, call.deadline)
    if call.answered_at is not None:
        wait(move)


def wait(move: Move) -> None:
    """Give the switch a bounded time, to end an attempt or to make the channel of the next one: the user hears nothing."""
    answer_by = _answer_by(move.call, move.at)
    assert answer_by is not None  # the user has answered
    move.call = replace(move.call, deadline=min(move.at + DIAL_WITHIN, answer_by))


def silent_until(call: Call, at: float) -> float | None:
    """Until when an attempt that is dialled at this moment may stay silent."""
    answer_by = _answer_by(call, at)
    if answer_by is None or not call.routes:
        return answer_by
    return min(at + call.limits.attempt_timeout, answer_by)


def _answer_by(call: Call, at: float) -> float | None:
    """Until when the destination must have answered. An emergency centre has that time anew through each trunk."""
    if call.answer_by is None or not call.emergency:
        return call.answer_by
    return max(call.answer_by, at + call.limits.answer_timeout)


def given_up(call: Call, at: float) -> Leg | None:
    """The attempt that has been silent for long enough, while there are another route and time left for it."""
    leg = newest(call)
    answer_by = _answer_by(call, at)
    if leg is None or not call.routes or answer_by is None or at >= answer_by:
        return None
    return leg if leg.can_win and not leg.alerted else None


def note_alert(move: Move, leg: Leg) -> None:
    """A far end rang while our CANCEL was on its way: it must not be called again through another trunk."""
    if leg.side is Side.B and leg.device_id is None and leg.ringing_at is None:
        move.set(replace(leg, ringing_at=move.at))
