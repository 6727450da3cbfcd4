"""What the switch and the far ends report of a leg: made, invited, ringing, answered, joined."""

from math import ceil

from msgspec.structs import replace

from c2c_stasis.call import again, attempts, causes, forking
from c2c_stasis.call.attempts import DIAL_WITHIN, EMERGENCY_LIFETIME, create
from c2c_stasis.call.commands import CreateBridge, DialLeg, HangUpLeg, StartRingback, StopRingback
from c2c_stasis.call.ending import let_go, release
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import Call, CallState, Leg, LegState, Side
from c2c_stasis.call.move import Move
from c2c_stasis.ids import LegId

JOIN_WITHIN = 5.0  # seconds; entering a bridge takes milliseconds
DIAL_MARGIN = 5  # seconds by which Asterisk's own dial timer is later than ours, so that ours decides


def on_placed(move: Move) -> None:
    """Set out: make the bridge and the legs, or end at once when a side has nobody to call."""
    call = move.call
    if call.state is not CallState.ACCEPTED:
        return  # placed twice: the first time counts
    if call.emergency:
        move.tell(EventType.CALL_EMERGENCY)
    for side in (Side.A, Side.B):
        if not forking.hopeful(call, side):
            release(move, forking.nobody_left(call, side))
            return
    move.ask(CreateBridge())
    for leg in forking.dialable(call, Side.A):
        create(move, leg)
    if not forking.forked(call, Side.B):
        # Several are made when the user has answered: until then their phones would show as in use.
        for destination in forking.dialable(call, Side.B):
            create(move, destination)
    move.to(CallState.RINGING_USER, move.at + call.limits.ring_timeout)


def on_created(move: Move, leg_id: LegId) -> None:
    """A channel exists and is ours: dial it, or let it wait in the bridge for the user's answer."""
    leg = move.call.leg(leg_id)
    if leg is not None and leg.state is LegState.ENDED:
        move.ask(HangUpLeg(leg.id, causes.NORMAL))  # we had given up waiting for its channel
        return
    if leg is None or leg.state is not LegState.CREATING:
        return
    leg = move.set(replace(leg, state=LegState.READY))
    if leg.release_cause is not None:
        move.ask(HangUpLeg(leg.id, leg.release_cause))  # the first hang-up may have come before the channel
        return
    move.tell(EventType.LEG_CREATED, leg)
    if leg.side is Side.A:
        _dial(move, leg, None, move.call.limits.ring_timeout)
        return
    if not forking.forked(move.call, Side.B):
        # In the bridge before it is dialled: ringback and early media reach the user by themselves.
        leg = again.join(move, leg)
    winner = move.call.winner(Side.A)
    if winner is not None and not winner.hanging_up:  # else nobody would be there to talk with
        dial_destination(move, leg, winner)


def dial_destination(move: Move, leg: Leg, winner: Leg) -> None:
    """Dial a leg of the destination on behalf of the device that was answered."""
    _dial(move, leg, winner, _answer_within(move.call))


def _dial(move: Move, leg: Leg, caller: Leg | None, timeout: float) -> None:
    move.set(replace(leg, state=LegState.DIALLED, dialled_at=move.at))
    move.ask(DialLeg(leg.id, caller.id if caller else None, ceil(timeout) + DIAL_MARGIN))
    if caller is not None:
        move.call = replace(move.call, deadline=attempts.silent_until(move.call, move.at))


def on_invited(move: Move, leg_id: LegId) -> None:
    """The INVITE went out, so this leg was truly dialled."""
    leg = move.leg(leg_id)
    if leg is None or not leg.dialled or leg.invited_at is not None:
        return
    leg = move.set(replace(leg, invited_at=move.at))
    move.tell(EventType.LEG_DIALLED, leg)


def on_ringing(move: Move, leg_id: LegId) -> None:
    """A far end rings."""
    leg = move.leg(leg_id)
    if leg is None or leg.ringing_at is not None or leg.state not in (LegState.DIALLED, LegState.RINGING):
        return
    if leg.released:
        attempts.note_alert(move, leg)  # it rang while our CANCEL was on its way
        return
    first = leg.side is Side.A and not forking.rang(move.call, Side.A)
    leg = move.set(replace(leg, state=LegState.RINGING, ringing_at=move.at))
    if first:
        move.tell(EventType.CALL_RINGING)
    move.tell(EventType.LEG_RINGING, leg)
    _destination_alerts(move, leg)


def on_progressed(move: Move, leg_id: LegId) -> None:
    """A far end sends early media, which the user hears if it is the destination's."""
    leg = move.leg(leg_id)
    if leg is None or leg.state is not LegState.DIALLED:
        return
    if leg.side is Side.A or leg.released:
        on_ringing(move, leg_id)  # a phone that sends early media of its own alerts its owner all the same
        return
    leg = move.set(replace(leg, state=LegState.RINGING, progressed_at=move.at))
    move.tell(EventType.LEG_PROGRESS, leg)
    _destination_alerts(move, leg)


def _destination_alerts(move: Move, leg: Leg) -> None:
    if leg.side is Side.B and move.call.state is CallState.DIALLING_DESTINATION:
        # An emergency centre that rings may take its time; nobody else gives up for the caller.
        deadline = move.at + EMERGENCY_LIFETIME if move.call.emergency else move.call.answer_by
        move.to(CallState.RINGING_DESTINATION, deadline)
        again.join_now(move)


def on_answered(move: Move, leg_id: LegId) -> None:
    """Somebody answered: the first of a side wins, and everyone else is hung up."""
    leg = move.leg(leg_id)
    if leg is None or not leg.dialled:
        return
    if leg.release_cause is not None:
        move.set(replace(leg, state=LegState.UP, answered_at=leg.answered_at or move.at))
        move.ask(HangUpLeg(leg.id, leg.release_cause))  # the answer crossed our CANCEL: now it takes a BYE
        return
    if leg.state is LegState.UP:
        return
    ringing_for_user = move.call.state is CallState.RINGING_USER
    if leg.side is Side.A:
        assert ringing_for_user  # in every later state each other leg of side A has been released
        _user_answered(move, leg)
    else:
        _destination_answered(move, leg)


def _user_answered(move: Move, leg: Leg) -> None:
    if not forking.rang(move.call, Side.A):
        move.tell(EventType.CALL_RINGING)  # answered without a 180: the order of events stays the same for everyone
    leg = _win(move, leg)
    move.call = replace(move.call, answered_at=move.at, initiated_at=move.at)
    again.join(move, leg)
    move.to(CallState.DIALLING_DESTINATION, move.at + min(DIAL_WITHIN, move.call.limits.answer_timeout))
    move.tell(EventType.CALL_INITIATED)
    planned = forking.dialable(move.call, Side.B)
    if planned:  # several legs cannot ring inside the bridge (Asterisk picks softmix, and the user hears silence)
        move.ask(StartRingback(leg.id))
        for destination in planned:
            create(move, destination)
        return
    for destination in move.call.side(Side.B):
        if destination.state is LegState.READY:
            dial_destination(move, destination, leg)


def _answer_within(call: Call) -> float:
    return EMERGENCY_LIFETIME if call.emergency else call.limits.answer_timeout


def _destination_answered(move: Move, leg: Leg) -> None:
    leg = _win(move, leg)
    winner = move.call.winner(Side.A)
    assert winner is not None  # no leg of side B is dialled before a device answered
    if forking.forked(move.call, Side.B):
        move.ask(StopRingback(winner.id))
    if not leg.in_bridge:
        again.join(move, leg)
    again.join_now(move)
    if not winner.leaving:  # else the answer crossed the hang-up of the user: they talk if that was none
        _connect(move)
    if _both_joined(move.call):
        _talk(move)
    else:
        move.to(CallState.JOINING, move.at + JOIN_WITHIN)


def _win(move: Move, leg: Leg) -> Leg:
    leg = move.set(replace(leg, state=LegState.UP, won=True, answered_at=move.at))
    move.tell(EventType.LEG_ANSWERED, leg)
    if leg.in_bridge:
        move.tell(EventType.LEG_BRIDGED, leg)  # a single destination waited there for its answer
    for loser in forking.losers(move.call, leg):
        let_go(move, loser, causes.ANSWERED_ELSEWHERE)
    return leg


def _connect(move: Move) -> None:
    move.call = replace(move.call, connected_at=move.at)
    move.tell(EventType.CALL_ANSWERED)


def _talk(move: Move) -> None:
    if move.call.connected_at is None:
        _connect(move)
    move.call = replace(move.call, bridged_at=move.at)
    longest = EMERGENCY_LIFETIME if move.call.emergency else move.call.limits.max_duration
    move.to(CallState.TALKING, move.at + longest)


def _both_joined(call: Call) -> bool:
    winners = (call.winner(Side.A), call.winner(Side.B))
    return all(leg is not None and leg.in_bridge and not leg.leaving for leg in winners)


def on_joined(move: Move, leg_id: LegId) -> None:
    """A leg is in the bridge; with both winners there the conversation begins."""
    leg = move.leg(leg_id)
    if leg is None or leg.in_bridge:
        return
    # One that was let go is not asked any less to end.
    again_at = leg.again_at if leg.released else None
    leg = move.set(replace(leg, in_bridge=True, left_bridge=False, again_at=again_at, asked_in_vain=0))
    if leg.state is LegState.UP and not leg.released:  # a destination that waits there undialled is nobody's news
        move.tell(EventType.LEG_BRIDGED, leg)
    if move.call.state is CallState.JOINING and _both_joined(move.call):
        _talk(move)


def on_hanging_up(move: Move, leg_id: LegId) -> None:
    """Who has answered hangs up: whoever answers from now on is too late. The end, which decides, follows."""
    leg = move.leg(leg_id)
    if leg is not None and leg.state is LegState.UP and not leg.hanging_up:
        move.set(replace(leg, hanging_up=True))


def on_left(move: Move, leg_id: LegId) -> None:
    """A leg is no longer in the bridge, mostly because it ends."""
    leg = move.leg(leg_id)
    if leg is not None:
        left = leg.in_bridge or leg.left_bridge
        move.set(
            replace(leg, in_bridge=False, left_bridge=left)
        )  # its end follows within milliseconds, and that decides
