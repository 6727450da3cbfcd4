"""What a call does when we could not hear for a while: the connection, the service or the switch began anew."""

from msgspec.structs import replace

from c2c_stasis.call import again, forking
from c2c_stasis.call.causes import NORMAL
from c2c_stasis.call.commands import CreateBridge, StartRingback, StopRingback
from c2c_stasis.call.ending import close, fail, finish, on_ended, release
from c2c_stasis.call.model import Call, CallState, End, EndedBy, Leg, LegState, Outcome, Reason, Side
from c2c_stasis.call.move import Move
from c2c_stasis.call.reports import (
    DIAL_WITHIN,
    JOIN_WITHIN,
    create,
    on_answered,
    on_created,
    on_joined,
    on_left,
    on_ringing,
)
from c2c_stasis.call.signals import CallFound, LegEnded
from c2c_stasis.ids import LegId

SETS_OUT_WITHIN = 5.0  # seconds from the click in which a call sets out again whose first commands got lost


def on_switch_restarted(move: Move) -> None:
    """Every channel is gone with the switch that had it: the call ends, with nothing left to let go."""
    if move.call.state is CallState.ACCEPTED:
        return  # nothing was asked of the switch yet
    for leg in move.call.legs:
        if leg.live:
            close(move, leg, None, None)
    if move.call.state is CallState.RELEASING:
        finish(move)
    else:
        fail(move, Reason.SWITCH_LOST)
        _ended_unheard(move)


def on_found(move: Move, found: CallFound) -> None:
    """Catch up with what happened while we could not hear, as if the signals had arrived, then ask again for what got lost."""
    before = move.call
    if before.state is CallState.ACCEPTED:
        return  # the call has not set out yet
    there = dict(found.legs)
    never_made: list[Leg] = []
    if found.after_restart and before.state in (CallState.RINGING_USER, CallState.DIALLING_DESTINATION):
        never_made = _set_out_again(move, found)
    _trust(move, there)
    answered = [leg for leg in before.legs if there.get(leg.id) is LegState.UP]
    gone = [leg for leg in before.legs if leg.id in found.asked and leg.id not in there and leg not in never_made]
    others = [leg for leg in before.legs if leg.id in there and leg not in answered]
    # Who answered may have talked before the other left; but nobody is dialled any more for a user who has left.
    for leg in answered:
        _catch_up(move, leg, LegState.UP, joined=leg.id in found.joined)
    went_on = move.call.ended_at is None
    _both_left(move, gone)
    if _went_unheard(move.call, gone):
        _forget(move, gone)
        fail(move, Reason.SERVICE_RESTARTED if found.after_restart else Reason.SWITCH_LOST)
    for leg in gone:
        on_ended(move, LegEnded(leg.id))
    if went_on and move.call.ended_at is not None:
        _ended_unheard(move)
    for leg in others:
        _catch_up(move, leg, there[leg.id], joined=leg.id in found.joined)
    if found.after_restart and _undecided(move.call, before):
        fail(move, Reason.SERVICE_RESTARTED)
    if move.call.state is CallState.JOINING:
        # Both have answered: that we were away for longer than joining takes is no reason to cut them off.
        move.call = replace(move.call, deadline=move.at + JOIN_WITHIN)
    _ask_again(move)


def _ended_unheard(move: Move) -> None:
    """Mark that the call ended at a moment that nobody knows, at the latest now."""
    move.call = replace(move.call, ended_at_estimated=True)


def _both_left(move: Move, gone: list[Leg]) -> None:
    """End a conversation that both have left unheard: nobody knows who went first, nor with which cause."""
    winners = [leg for leg in gone if leg.won and leg.live]
    if len(winners) < len(Side) or move.call.end is not None:
        return
    for leg in winners:
        close(move, leg, None, None)
    release(move, End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.SYSTEM))


def _went_unheard(call: Call, gone: list[Leg]) -> bool:
    """Whether the destination was dialled and went while nobody listened: it may have declined, or talked with the user, for
    the two are in one bridge as soon as it answers. Nobody is to be told that it did not answer."""
    if call.state not in (CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION):
        return False
    lost = [leg for leg in gone if leg.side is Side.B and leg.dialled and not leg.released]
    return bool(lost) and not any(leg.can_win for leg in call.side(Side.B) if leg not in gone)


def _forget(move: Move, gone: list[Leg]) -> None:
    """Close legs of which nobody knows how they ended."""
    for lost in gone:
        leg = move.leg(lost.id)
        if leg is not None and leg.live:
            close(move, leg if leg.won or leg.released else replace(leg, release_cause=NORMAL), None, None)


def _set_out_again(move: Move, found: CallFound) -> list[Leg]:
    """Ask once more for what our predecessor asked for in vain, and give those legs; a call that is too old for that fails.

    Nobody wants a phone that rings long after the click, nor waits in silence for long after an answer.
    """
    call, there = move.call, dict(found.legs)
    soon = SETS_OUT_WITHIN if call.answered_at is None else call.answered_at + DIAL_WITHIN
    if move.at > soon:
        if _begun_in_vain(call, found):
            fail(move, Reason.SERVICE_RESTARTED)
        return []
    if not found.bridge:
        move.ask(CreateBridge())
    missing = set(found.asked) - there.keys()
    never_made = [leg for leg in call.legs if leg.state is LegState.CREATING and leg.can_win and leg.id in missing]
    for leg in never_made:
        create(move, leg)
    return never_made


def _begun_in_vain(call: Call, found: CallFound) -> bool:
    """Whether our first commands got lost: no phone may ring for a call without a bridge, or without another side."""
    there = dict(found.legs)
    bare = [side for side in Side if not any(leg.id in there for leg in call.side(side))]
    lost = [leg for leg in call.legs if leg.state is LegState.CREATING and leg.id in found.asked and leg.side in bare]
    return bool(lost) or not found.bridge


def _trust(move: Move, there: dict[LegId, LegState]) -> None:
    """Take legs that ring or are answered for dialled, though the record was slower than the command."""
    call = move.call
    answered = any(leg.won or (leg.can_win and there.get(leg.id) is LegState.UP) for leg in call.side(Side.A))
    for leg in call.legs:
        heard = there.get(leg.id) in (LegState.RINGING, LegState.UP)
        if leg.live and not leg.dialled and heard and (answered or leg.side is Side.A):
            move.set(replace(leg, state=LegState.DIALLED, dialled_at=move.at))


def _catch_up(move: Move, leg: Leg, state: LegState, *, joined: bool) -> None:
    on_created(move, leg.id)  # also one that we had given up and that is there all the same
    if joined:
        on_joined(move, leg.id)
    else:
        on_left(move, leg.id)
    if state is LegState.RINGING:
        on_ringing(move, leg.id)
    if state is LegState.UP:
        on_answered(move, leg.id)


def _undecided(call: Call, before: Call) -> bool:
    """Whether nobody knows of any leg that is waited for if it was dialled; none is dialled again, for that cancels it."""
    side = {CallState.RINGING_USER: Side.A, CallState.DIALLING_DESTINATION: Side.B}.get(call.state)
    hopes = [leg for leg in call.legs if leg.side is side and leg.can_win]
    were_dialled = {leg.id for leg in before.legs if leg.dialled}
    lost = [leg for leg in hopes if leg.id in were_dialled and leg.invited_at is None and not leg.alerted]
    return bool(hopes) and lost == hopes


def _ask_again(move: Move) -> None:
    """Repeat the commands that may have got lost and that do no harm when they did not."""
    call = move.call
    for leg in call.legs:
        if leg.live and leg.release_cause is not None:
            again.hang_up(move, leg, leg.release_cause)
        elif again.belongs_in_bridge(call, leg) and not leg.in_bridge:
            again.join(move, leg)
    winner = call.winner(Side.A)
    if winner is None or not forking.forked(call, Side.B):
        return
    if call.state in (CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION):
        move.ask(StartRingback(winner.id))
    if call.state in (CallState.JOINING, CallState.TALKING):
        move.ask(StopRingback(winner.id))  # else it would sound through the whole conversation
