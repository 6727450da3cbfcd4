"""What a call does when we could not hear for a while: the connection, the service or the switch began anew."""

from dataclasses import replace

from c2c_stasis.call import forking
from c2c_stasis.call.commands import HangUpLeg, JoinLeg, StartRingback, StopRingback
from c2c_stasis.call.ending import close, fail, finish, on_ended
from c2c_stasis.call.model import Call, CallState, Leg, LegState, Reason, Side
from c2c_stasis.call.move import Move
from c2c_stasis.call.reports import on_answered, on_created, on_joined, on_left, on_ringing
from c2c_stasis.call.signals import CallFound


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
    """Catch up with what happened while we could not hear, as if the signals had arrived, then ask again for what got lost."""
    before = move.call
    if before.state is CallState.ACCEPTED:
        return  # the call has not set out yet
    if found.after_restart and before.state is CallState.RINGING_USER and not found.bridge:
        fail(
            move, Reason.SERVICE_RESTARTED
        )  # our first commands got lost: no phone may ring for a call without a bridge
    there = dict(found.legs)
    for leg in move.call.legs:
        if leg.live and not leg.dialled and there.get(leg.id) in (LegState.RINGING, LegState.UP):
            move.set(replace(leg, state=LegState.DIALLED, dialled_at=move.at))  # the record was slower than the command
    for leg in move.call.legs:
        if leg.live and leg.id in there:
            _catch_up(move, leg, there[leg.id], joined=leg.id in found.joined)
    for leg in before.legs:
        if leg.id in found.asked and leg.id not in there:
            on_ended(move, leg.id, None, None)
    if found.after_restart and _undecided(move.call, before):
        fail(move, Reason.SERVICE_RESTARTED)
    _ask_again(move)


def _catch_up(move: Move, leg: Leg, state: LegState, *, joined: bool) -> None:
    on_created(move, leg.id)
    if joined:
        on_joined(move, leg.id)
    else:
        on_left(move, leg.id)
    if leg.side is Side.B and move.call.winner(Side.A) is None:
        return  # its caller is gone, which the rest of what was found will tell
    if state is LegState.RINGING:
        on_ringing(move, leg.id)
    if state is LegState.UP:
        on_answered(move, leg.id)


def _undecided(call: Call, before: Call) -> bool:
    """Whether it cannot be known if the destination was dialled; it is never dialled again, for that would cancel it."""
    lost = {leg.id for leg in before.legs if leg.state is LegState.DIALLED and leg.invited_at is None}
    hopes = [leg for leg in call.side(Side.B) if leg.can_win]
    return call.state is CallState.DIALLING_DESTINATION and bool(hopes) and all(leg.id in lost for leg in hopes)


def _ask_again(move: Move) -> None:
    """Repeat the commands that may have got lost and that do no harm when they did not."""
    call = move.call
    for leg in call.legs:
        if leg.live and leg.release_cause is not None:
            move.ask(HangUpLeg(leg.id, leg.release_cause))
        elif leg.live and leg.won and not leg.in_bridge:
            move.ask(JoinLeg(leg.id))
    winner = call.winner(Side.A)
    if winner is None or not forking.forked(call, Side.B):
        return
    if call.state in (CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION):
        move.ask(StartRingback(winner.id))
    if call.state in (CallState.JOINING, CallState.TALKING):
        move.ask(StopRingback(winner.id))  # else it would sound through the whole conversation
