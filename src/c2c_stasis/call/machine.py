"""The rules of a call: `step` takes one signal and says what the call becomes, what to ask of the switch and what to tell.

Read `step` first, then the handler of the signal you care about. The states and the moves between them are drawn in
`docs/call-states.md`.
"""

from typing import assert_never

from msgspec.structs import replace

from c2c_stasis.call import again, attempts, causes, forking
from c2c_stasis.call.commands import (
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.ending import fail, let_go, on_ended, play_tone, release, release_again
from c2c_stasis.call.model import Call, CallState, End, EndedBy, Leg, LegState, Now, Outcome, Reason, Side
from c2c_stasis.call.move import Move, Step
from c2c_stasis.call.recovery import on_found, on_switch_restarted
from c2c_stasis.call.reports import (
    JOIN_WITHIN,
    on_answered,
    on_created,
    on_hanging_up,
    on_invited,
    on_joined,
    on_left,
    on_placed,
    on_progressed,
    on_ringing,
)
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallBroken,
    CallFound,
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
    Signal,
    SwitchRestarted,
)
from c2c_stasis.ids import LegId

HELP_JOINS_WITHIN = 60.0  # seconds that the bridge of an emergency call may take, instead of `JOIN_WITHIN`


def step(call: Call, signal: Signal, now: Now) -> Step:
    """Apply one signal to a call.

    Every signal is answered in every state. One that means nothing in the present state changes nothing: Asterisk may report
    a leg that this call has already let go, and reports travel slower than decisions.
    """
    move = Move(call, now)
    if not call.live:
        return move.done()
    match signal:
        case CallPlaced():
            on_placed(move)
        case LegCreated(leg_id):
            on_created(move, leg_id)
        case LegInvited(leg_id):
            on_invited(move, leg_id)
        case LegRinging(leg_id):
            on_ringing(move, leg_id)
        case LegProgressed(leg_id):
            on_progressed(move, leg_id)
        case LegAnswered(leg_id):
            on_answered(move, leg_id)
        case LegJoined(leg_id):
            on_joined(move, leg_id)
        case LegHangingUp(leg_id):
            on_hanging_up(move, leg_id)
        case LegLeft(leg_id):
            on_left(move, leg_id)
        case LegEnded():
            on_ended(move, signal)
        case CommandRefused():
            on_refused(move, signal)
        case DeadlinePassed():
            on_deadline(move)
        case CancelRequested():
            on_cancel(move)
        case SwitchRestarted():
            on_switch_restarted(move)
        case CallFound():
            on_found(move, signal)
        case CallBroken():
            if not (call.emergency and call.state is CallState.TALKING):
                fail(move, Reason.INTERNAL_ERROR)
        case _:
            assert_never(signal)
    again.ask_what_is_due(move)
    return move.done()


def on_refused(move: Move, signal: CommandRefused) -> None:
    """Do without what the switch refused, or end a call that cannot do without it."""
    match signal.command:
        case CreateLeg(leg_id=leg_id):
            _on_not_created(move, leg_id, signal.status)
        case DialLeg(leg_id=leg_id):
            _on_not_dialled(move, leg_id)
        case CreateBridge():
            if not move.call.emergency:  # which makes it again when somebody is to enter it
                fail(move, Reason.SWITCH_LOST)
        case JoinLeg(leg_id=leg_id):
            _on_not_joined(move, leg_id, signal.status)
        case PlayTone():
            if move.call.state is CallState.PLAYING_TONE:
                release(move, None)
        case HangUpLeg() | StartRingback() | StopRingback() | DestroyBridge():
            return  # hang-ups are asked again in time; ringback is a comfort; a bridge left over is swept
        case _:
            assert_never(signal.command)


def _on_not_created(move: Move, leg_id: LegId, status: int) -> None:
    leg = move.leg(leg_id)
    if leg is None or leg.state is not LegState.CREATING:
        return  # its channel was reported meanwhile: only the reply got lost
    if status == NO_REPLY:
        move.ask(HangUpLeg(leg_id, causes.NORMAL))  # it may have been made all the same
    _never_came(move, leg)


def _never_came(move: Move, leg: Leg) -> None:
    # 500 "Allocation failed": this endpoint cannot be called now (not registered, unknown, no codec)
    cause = causes.NETWORK_OUT_OF_ORDER if leg.device_id is None else causes.SUBSCRIBER_ABSENT
    on_ended(move, LegEnded(leg.id, cause))


def _on_not_dialled(move: Move, leg_id: LegId) -> None:
    leg = move.leg(leg_id)
    if leg is None or leg.state is not LegState.DIALLED or leg.invited_at is not None:
        return  # it was dialled all the same
    let_go(move, leg, causes.OUT_OF_ORDER)  # its end then decides


def _on_not_joined(move: Move, leg_id: LegId, status: int) -> None:
    leg = move.leg(leg_id)
    if leg is None or leg.released or leg.in_bridge:
        return  # it is there all the same, or no longer needed there
    if status in (400, 422):
        return  # the channel is going: its end follows and decides
    if move.call.emergency:
        move.ask(CreateBridge())  # perhaps it is not there; who calls for help is put into it again in time
    else:
        fail(move, Reason.SWITCH_LOST)


def on_deadline(move: Move) -> None:
    """Leave a state in which the call has been long enough."""
    call = move.call
    if call.deadline is not None and move.at < call.deadline:
        return  # a timer of an earlier state
    match call.state:
        case CallState.ACCEPTED:
            fail(move, Reason.SERVICE_RESTARTED)
        case CallState.RINGING_USER:
            release(move, forking.out_of_time(call, Side.A))
        case CallState.DIALLING_DESTINATION if (silent := attempts.given_up(call, move.at)) is not None:
            _give_up(move, silent)
        case CallState.DIALLING_DESTINATION | CallState.RINGING_DESTINATION:
            play_tone(move, forking.out_of_time(call, Side.B))
        case CallState.JOINING if _may_join_yet(call, move.at):
            again.join_all(move)
            move.call = replace(move.call, deadline=move.at + JOIN_WITHIN)
        case CallState.JOINING:
            fail(move, Reason.SWITCH_LOST)
        case CallState.TALKING:
            release(move, End(Outcome.COMPLETED, Reason.MAX_DURATION, EndedBy.SYSTEM, None, causes.NORMAL))
        case CallState.PLAYING_TONE:
            release(move, None)
        case CallState.RELEASING:
            release_again(move)
        case CallState.ENDED:
            raise AssertionError(call.state)
        case _:
            assert_never(call.state)


def _may_join_yet(call: Call, at: float) -> bool:
    """Whether who called for help and was answered is put into the bridge again, and not hung up."""
    return call.emergency and at < max(leg.answered_at or 0.0 for leg in call.legs) + HELP_JOINS_WITHIN


def _give_up(move: Move, leg: Leg) -> None:
    """Wait no longer for a trunk that stays silent, for there is another; that one's turn comes when this leg has ended."""
    if leg.state is LegState.CREATING:
        move.ask(HangUpLeg(leg.id, causes.NORMAL))  # it may be made all the same
        _never_came(move, leg)
        return
    let_go(move, leg, causes.OUT_OF_ORDER)
    attempts.wait(move)


def on_cancel(move: Move) -> None:
    """End the call because the API asked for it: a conversation is completed, everything before one is cancelled."""
    if move.call.connected_at is not None:
        release(move, End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.API, None, causes.NORMAL))
    else:
        release(move, End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API, None, causes.NORMAL))
