"""What a call does when we could not hear for a while: the connection, the service or the switch began anew."""

from dataclasses import replace
from typing import assert_never

from c2c_stasis.call.commands import HangUpLeg, JoinLeg
from c2c_stasis.call.ending import close, fail, finish, on_ended
from c2c_stasis.call.model import Call, CallState, Leg, LegState, Reason, Side
from c2c_stasis.call.move import Move
from c2c_stasis.call.reports import on_answered, on_created, on_joined, on_left, on_ringing
from c2c_stasis.call.signals import CallFound
from c2c_stasis.ids import LegId


def on_switch_restarted(move: Move) -> None:
    if move.call.state is CallState.ACCEPTED:
        return  # nothing was asked of the switch yet
    for leg in move.call.legs:
        if leg.live:
            close(move, leg, None, None)
    if move.call.state is CallState.RELEASING:
        finish(move)
    else:
        fail(move, Reason.SWITCH_LOST)


def on_found(move: Move, found: CallFound) -> None:
    """Catch up with what happened while we could not hear, as if the signals had arrived."""
    if move.call.state is CallState.ACCEPTED:
        return  # the call has not set out yet
    before = move.call
    there = dict(found.legs)
    for leg in move.call.legs:
        if leg.live and leg.id in there:
            _catch_up(move, leg.id, there[leg.id], joined=leg.id in found.joined)
    for leg_id in found.asked:
        if leg_id not in there:
            on_ended(move, leg_id, None, None)
    if found.after_restart:
        _mend_after_restart(move, before, found)


def _catch_up(move: Move, leg_id: LegId, state: LegState, *, joined: bool) -> None:
    leg = move.leg(leg_id)
    if leg is not None and not leg.dialled and state in (LegState.RINGING, LegState.UP):
        move.set(replace(leg, state=LegState.DIALLED, dialled_at=move.at))  # the record was slower than the command
    on_created(move, leg_id)
    if joined:
        on_joined(move, leg_id)
    else:
        on_left(move, leg_id)
    if state is LegState.RINGING:
        on_ringing(move, leg_id)
    if state is LegState.UP:
        on_answered(move, leg_id)


def _mend_after_restart(move: Move, before: Call, found: CallFound) -> None:
    """Repeat what is safe to repeat, and end what cannot be told from a lost command."""
    call = move.call
    match call.state:
        case CallState.RINGING_USER:
            if not found.bridge:
                fail(move, Reason.SERVICE_RESTARTED)
        case CallState.DIALLING_DESTINATION if any(_lost(leg) for leg in before.side(Side.B)):
            # A leg that is dialled is never dialled again (that would cancel it), and whether it was is not known.
            fail(move, Reason.SERVICE_RESTARTED)
        case (
            CallState.DIALLING_DESTINATION
            | CallState.RINGING_DESTINATION
            | CallState.JOINING
            | CallState.TALKING
            | CallState.PLAYING_TONE
        ):
            for side in (Side.A, Side.B):
                winner = call.winner(side)
                if winner is not None and winner.live and not winner.in_bridge:
                    move.ask(JoinLeg(winner.id))
        case CallState.RELEASING:
            for leg in call.legs:
                if leg.live and leg.release_cause is not None:
                    move.ask(HangUpLeg(leg.id, leg.release_cause))
        case CallState.ACCEPTED | CallState.ENDED:
            return  # nothing was asked yet, or nothing is left to mend
        case _:
            assert_never(call.state)


def _lost(leg: Leg) -> bool:
    """Whether the switch may never have heard our command to dial this leg."""
    return leg.state is LegState.DIALLED and leg.invited_at is None
