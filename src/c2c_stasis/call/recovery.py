"""What a call does when we could not hear for a while: the connection, the service or the switch began anew."""

from collections.abc import Mapping
from math import inf

from msgspec.structs import replace

from c2c_stasis.call import again, attempts, forking
from c2c_stasis.call.attempts import DIAL_WITHIN, create
from c2c_stasis.call.causes import NORMAL
from c2c_stasis.call.commands import CreateBridge, StartRingback, StopRingback
from c2c_stasis.call.ending import close, fail, finish, on_ended, release
from c2c_stasis.call.model import Call, CallState, End, EndedBy, Leg, LegState, Outcome, Reason, Side
from c2c_stasis.call.move import Move
from c2c_stasis.call.reports import (
    JOIN_WITHIN,
    dial_destination,
    on_answered,
    on_created,
    on_invited,
    on_joined,
    on_left,
    on_ringing,
)
from c2c_stasis.call.signals import CallFound, LegEnded
from c2c_stasis.ids import LegId

_SETTING_OUT = (CallState.RINGING_USER, CallState.DIALLING_DESTINATION)
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
    if found.after_restart and before.state in _SETTING_OUT:
        never_made = _set_out_again(move, found)
    _correct(move, found)
    _trust(move, found)
    answered = [leg for leg in before.legs if there.get(leg.id) is LegState.UP]
    gone = [leg for leg in before.legs if leg.id in found.asked and leg.id not in there and leg not in never_made]
    others = [leg for leg in before.legs if leg.id in there and leg not in answered]
    _stay_on_this_route(move, found, gone)
    for leg in gone:  # nothing is asked of them any more
        move.set(replace(move.leg(leg.id) or leg, again_at=None, asked_in_vain=0))
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
    _dial_at_last(move, found)
    if found.after_restart and not before.emergency and _undecided(move.call, before, found):
        fail(move, Reason.SERVICE_RESTARTED)
    if move.call.state is CallState.JOINING:
        # Both have answered: that we were away for longer than joining takes is no reason to cut them off.
        move.call = replace(move.call, deadline=move.at + JOIN_WITHIN)
    _ask_again(move)


def _stay_on_this_route(move: Move, found: CallFound, gone: list[Leg]) -> None:
    """Try no other route after an attempt that rang, or that ended unheard: it may have rung. What our predecessor recorded of
    it may be older than what it did."""
    there = dict(found.legs)
    lost = any(leg.live and (leg.dialled or found.after_restart) for leg in gone if leg.side is Side.B)
    rang = any(there.get(leg.id) in (LegState.RINGING, LegState.UP) for leg in move.call.side(Side.B))
    if (lost or rang) and not move.call.on_any_failure:
        move.call = replace(move.call, routes=())


def _ended_unheard(move: Move) -> None:
    """Mark that the call ended at a moment that nobody knows, at the latest now."""
    move.call = replace(move.call, ended_at_estimated=True)


def _both_left(move: Move, gone: list[Leg]) -> None:
    """End a conversation that both have left unheard: nobody knows who went first, nor with which cause."""
    winners = [leg for leg in gone if leg.won and leg.live]
    if len(winners) < len(Side) or move.call.end is not None or move.call.connected_at is None:
        return
    for leg in winners:
        close(move, leg, None, None)
    release(move, End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.SYSTEM))


def _went_unheard(call: Call, gone: list[Leg]) -> bool:
    """Whether the destination was dialled and went while nobody listened: it may have declined, or talked with the user, for
    the two are in one bridge as soon as it answers. Nobody is to be told that it did not answer; but who still waits for help
    gets the next trunk."""
    if call.state not in (CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION):
        return False
    if call.on_any_failure and call.routes and not any(leg.won for leg in gone):
        return False
    lost = [leg for leg in gone if leg.side is Side.B and leg.dialled and not leg.released]
    ids = {leg.id for leg in gone}  # what is noted of these legs may have changed meanwhile
    return bool(lost) and not any(leg.can_win for leg in call.side(Side.B) if leg.id not in ids)


def _forget(move: Move, gone: list[Leg]) -> None:
    """Close legs of which nobody knows how they ended."""
    for lost in gone:
        leg = move.leg(lost.id)
        if leg is not None and leg.live:
            close(move, leg if leg.won or leg.released else replace(leg, release_cause=NORMAL), None, None)


def _set_out_again(move: Move, found: CallFound) -> list[Leg]:
    """Ask once more for what our predecessor asked for in vain, and give those legs; a call that is too old for that fails.

    Nobody wants a phone that rings long after the click, nor waits in silence for long after an answer; but for help they do.
    """
    call, there = move.call, dict(found.legs)
    if move.at > _soon(call):
        if _begun_in_vain(call, found) or _waits_in_vain(call, found):
            fail(move, Reason.SERVICE_RESTARTED)
        return []
    if not found.bridge:
        move.ask(CreateBridge())
    missing = set(found.asked) - there.keys()
    never_made = [leg for leg in call.legs if leg.state is LegState.CREATING and leg.can_win and leg.id in missing]
    for leg in never_made:
        create(move, leg)
    if never_made and call.emergency:
        _begin_its_time_anew(move)
    return never_made


def _soon(call: Call) -> float:
    """Until when a call sets out again. Who asked for help is rung as late as the phones would have rung, and who waits at the
    phone for help is never too late."""
    if call.answered_at is None:
        return call.limits.ring_timeout if call.emergency else SETS_OUT_WITHIN
    return inf if call.emergency else _attempt_began(call, call.answered_at) + DIAL_WITHIN


def _begin_its_time_anew(move: Move) -> None:
    """Give what is made only now the time that it would have had."""
    if move.call.answered_at is not None:
        attempts.wait(move)
    else:
        move.call = replace(move.call, deadline=move.at + move.call.limits.ring_timeout)


def _attempt_began(call: Call, answered_at: float) -> float:
    """When the present attempt at the destination began: with the user's answer, or when the one before it had failed."""
    leg = attempts.newest(call)
    return answered_at if leg is None or leg.begun_at is None else max(answered_at, leg.begun_at)


def _begun_in_vain(call: Call, found: CallFound) -> bool:
    """Whether our first commands got lost: no phone may ring for a call without a bridge, or without another side."""
    there = dict(found.legs)
    bare = [side for side in Side if not any(leg.id in there for leg in call.side(side))]
    lost = [leg for leg in call.legs if leg.state is LegState.CREATING and leg.id in found.asked and leg.side in bare]
    return bool(lost) or not found.bridge


def _waits_in_vain(call: Call, found: CallFound) -> bool:
    """Whether a user who has answered waits for a destination that nobody has dialled."""
    there = dict(found.legs)
    hopes = [leg for leg in call.side(Side.B) if leg.can_win]
    if call.routes and any(leg.live and leg.released and leg.id in there for leg in call.side(Side.B)):
        return False  # when this attempt has ended, another one begins
    return call.winner(Side.A) is not None and not any(
        leg.id in found.dialled
        or there.get(leg.id) in (LegState.RINGING, LegState.UP)
        or (leg.dialled and leg.id not in found.undialled)
        for leg in hopes
    )


def in_doubt(call: Call, there: Mapping[LegId, LegState]) -> list[LegId]:
    """The legs of the destination that our predecessor may have dialled, or not: only the switch can tell.

    A dial is recorded before it is asked for, but when the record is slow; so either may have happened without the other.
    """
    answered = any(leg.won or there.get(leg.id) is LegState.UP for leg in call.side(Side.A))
    if not answered or call.state not in _SETTING_OUT:
        return []
    return [leg.id for leg in call.side(Side.B) if _silent(leg) and there.get(leg.id) is LegState.READY]


def _silent(leg: Leg) -> bool:
    """Whether nothing was heard yet of a leg that may win, not even that its INVITE went out."""
    return leg.can_win and leg.invited_at is None and not leg.alerted and leg.state is not LegState.UP


def _correct(move: Move, found: CallFound) -> None:
    """Believe the switch rather than our record of what was dialled."""
    for leg in move.call.side(Side.B):
        if leg.id in found.undialled and _silent(leg) and leg.dialled:
            move.set(replace(leg, state=LegState.READY, dialled_at=None))


def _dial_at_last(move: Move, found: CallFound) -> None:
    """Dial what our predecessor meant to dial, and take for invited what it dialled."""
    winner = move.call.winner(Side.A)
    for leg in move.call.side(Side.B):
        if leg.id in found.undialled and leg.state is LegState.READY and leg.can_win and winner is not None:
            dial_destination(move, leg, winner)
        elif leg.id in found.dialled:
            on_invited(move, leg.id)


def _trust(move: Move, found: CallFound) -> None:
    """Take legs that ring, are answered, or are dialled as the switch says for dialled, though the record was slower."""
    call, there = move.call, dict(found.legs)
    answered = any(leg.won or (leg.can_win and there.get(leg.id) is LegState.UP) for leg in call.side(Side.A))
    for leg in call.legs:
        heard = there.get(leg.id) in (LegState.RINGING, LegState.UP) or leg.id in found.dialled
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


def _undecided(call: Call, before: Call, found: CallFound) -> bool:
    """Whether nobody knows of any leg of the destination if it was dialled, not even the switch; none is dialled again, for
    that cancels it."""
    if call.state is not CallState.DIALLING_DESTINATION:
        return False
    hopes = [leg for leg in call.side(Side.B) if leg.can_win]
    dialled = {leg.id for leg in before.legs if leg.dialled and leg.id not in found.undialled}
    return bool(hopes) and all(leg.id in dialled and _silent(leg) for leg in hopes)


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
