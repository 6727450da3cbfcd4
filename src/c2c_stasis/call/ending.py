"""How a call comes to its end: legs that end, the tone that explains it, letting go, and the last word."""

from typing import assert_never

from msgspec.structs import replace

from c2c_stasis.call import again, attempts, causes, forking
from c2c_stasis.call.commands import DestroyBridge, HangUpLeg, PlayTone, StopRingback
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import (
    FAILED_LEG,
    Call,
    CallState,
    End,
    EndedBy,
    FailedLeg,
    Leg,
    LegOutcome,
    LegState,
    Outcome,
    Reason,
    Side,
)
from c2c_stasis.call.move import Move
from c2c_stasis.call.signals import LegEnded

RELEASE_ROUND = 3.0  # seconds between two attempts to hang up what is still there
RELEASE_ROUNDS = 3


def on_ended(move: Move, signal: LegEnded) -> None:
    """A channel is gone: note how, and end the call or explain it to the user if it cannot go on without it."""
    leg = move.leg(signal.leg_id)
    if leg is None:
        return
    leg = close(move, replace(leg, quality=signal.quality), signal.cause, signal.sip_code)
    match move.call.state:
        case CallState.RINGING_USER:
            if attempts.goes_on(move.call, leg):
                attempts.begin_next(move)
            elif not forking.hopeful(move.call, leg.side):
                release(move, forking.nobody_left(move.call, leg.side))
        case CallState.DIALLING_DESTINATION | CallState.RINGING_DESTINATION:
            _ended_before_the_talk(move, leg)
        case CallState.JOINING | CallState.TALKING:
            if leg.won:
                release(move, _gave_up(leg) if move.call.connected_at is None else _hung_up(leg))
        case CallState.PLAYING_TONE:
            if leg.won:
                release(move, None)
        case CallState.RELEASING:
            finish_when_empty(move)
        case CallState.ACCEPTED | CallState.ENDED:  # no leg is live in these states
            raise AssertionError(move.call.state)
        case _:
            assert_never(move.call.state)


def close(move: Move, leg: Leg, cause: int | None, sip_code: int | None) -> Leg:
    """Write down that a leg has ended and tell it; nothing is asked of the switch, and what it means is decided elsewhere.

    `sip_code` is kept only where the far end sent it, as its final answer to our INVITE. For a leg that we hang up Asterisk
    reports a status all the same, made from our cause (22.10.1).
    """
    declined = leg.dialled and not leg.released and leg.answered_at is None
    sip_code = sip_code if declined else None
    ended = replace(
        leg,
        state=LegState.ENDED,
        in_bridge=False,
        again_at=None,
        ended_at=move.at,
        cause=cause,
        sip_code=sip_code,
        outcome=_leg_outcome(move.call, leg, cause, sip_code),
    )
    move.set(ended)
    move.tell(EventType.LEG_ENDED, ended)
    return ended


def _leg_outcome(call: Call, leg: Leg, cause: int | None, sip_code: int | None) -> LegOutcome:
    if leg.won:
        return LegOutcome.ANSWERED
    if leg.release_cause is None:
        if not leg.dialled:
            return LegOutcome.UNREACHABLE  # nobody out there has heard of it, whatever the cause says
        return causes.leg_outcome(cause, sip_code, rang=leg.alerted)
    if leg.release_cause == causes.ANSWERED_ELSEWHERE:
        return LegOutcome.ANSWERED_ELSEWHERE
    if leg.release_cause == causes.NO_ANSWER and call.end is not None and call.end.failed_leg is FAILED_LEG[leg.side]:
        return LegOutcome.NO_ANSWER if leg.alerted else LegOutcome.UNREACHABLE
    if leg.release_cause == causes.OUT_OF_ORDER:
        return LegOutcome.UNREACHABLE
    return LegOutcome.CANCELLED


def _ended_before_the_talk(move: Move, leg: Leg) -> None:
    if leg.side is Side.A:
        if leg.won:
            release(move, _gave_up(leg))
        return
    if attempts.goes_on(move.call, leg):
        if _user_hangs_up(move.call):
            attempts.wait(
                move
            )  # the end of the user's leg follows, and that decides: nobody is called for them any more
        else:
            attempts.begin_next(move)
    elif not forking.hopeful(move.call, Side.B):
        play_tone(move, forking.nobody_left(move.call, Side.B))


def _user_hangs_up(call: Call) -> bool:
    winner = call.winner(Side.A)
    return winner is not None and winner.hanging_up


def _gave_up(leg: Leg) -> End:
    if leg.cause == causes.CHANNEL_UNAVAILABLE:
        return End(Outcome.FAILED, Reason.MEDIA_TIMEOUT, EndedBy.SYSTEM, FailedLeg.USER, leg.cause, leg.sip_code)
    return End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, leg.cause, leg.sip_code)


def _hung_up(leg: Leg) -> End:
    ended_by = EndedBy.USER if leg.side is Side.A else EndedBy.DESTINATION
    if leg.cause == causes.CHANNEL_UNAVAILABLE:
        return End(Outcome.COMPLETED, Reason.MEDIA_TIMEOUT, EndedBy.SYSTEM, None, leg.cause, leg.sip_code)
    return End(Outcome.COMPLETED, Reason.NORMAL, ended_by, None, leg.cause or causes.NORMAL, leg.sip_code)


def play_tone(move: Move, end: End) -> None:
    """Tell the user at the phone by a tone that the destination was not reached; the end is decided already."""
    winner = move.call.winner(Side.A)
    assert winner is not None  # a destination is dialled only after a device answered
    winner = move.set(replace(winner, again_at=None))  # a channel that plays a tone keeps `addChannel` waiting
    move.call = replace(move.call, end=end)
    for leg in move.call.side(Side.B):
        let_go(move, leg, causes.release_cause(end))
    if forking.forked(move.call, Side.B):
        move.ask(StopRingback(winner.id))
    move.ask(PlayTone(winner.id, causes.tone_of(end), move.call.region))
    move.to(CallState.PLAYING_TONE, move.at + move.call.limits.tone_seconds)


def fail(move: Move, reason: Reason) -> None:
    """Release a call that cannot go on, for a reason that is nobody's wish."""
    if move.call.state is CallState.TALKING:  # while they are still joining, nobody has been heard
        release(move, End(Outcome.COMPLETED, reason, EndedBy.SYSTEM))
        return
    failed = FailedLeg.USER if move.call.winner(Side.A) is None else FailedLeg.DESTINATION
    release(move, End(Outcome.FAILED, reason, EndedBy.SYSTEM, failed))


def let_go(move: Move, leg: Leg, cause: int) -> None:
    """Ask once for the end of one leg, of a call that may go on; one that was never made simply ends."""
    if leg.state is LegState.PLANNED:
        move.set(replace(leg, state=LegState.ENDED, outcome=LegOutcome.CANCELLED, ended_at=move.at))
        return
    if leg.live and not leg.released:
        again.hang_up(move, leg, cause)


def release(move: Move, end: End | None) -> None:
    """Decide that the call is over and let every leg go; `end` is how it ended unless that was decided before."""
    call = move.call
    if call.state is CallState.RELEASING:
        return  # decided already
    decided = call.end or end
    assert decided is not None
    move.call = replace(call, end=decided, ended_at=move.at)
    for leg in call.legs:
        let_go(move, leg, causes.release_cause(decided))
    if any(leg.live for leg in move.call.legs):
        move.to(CallState.RELEASING, move.at + RELEASE_ROUND)
    else:
        finish(move)


def finish_when_empty(move: Move) -> None:
    """Finish a call whose last leg has ended."""
    if not any(leg.live for leg in move.call.legs):
        finish(move)


def finish(move: Move) -> None:
    """Say the last word about a call of which no leg is left."""
    if move.call.state is not CallState.ACCEPTED:
        move.ask(DestroyBridge())
    move.to(CallState.ENDED, None)
    move.tell(EventType.CALL_END)


def release_again(move: Move) -> None:
    """Ask the legs that are still there to end, or finish without them when that was in vain too often."""
    call = move.call
    rounds = call.release_rounds + 1
    if rounds >= RELEASE_ROUNDS:
        # Asterisk's own timers end what is left; the record must not wait for them
        for leg in call.legs:
            if leg.live:
                close(move, leg, leg.release_cause, None)
        finish(move)
        return
    move.call = replace(call, release_rounds=rounds, deadline=move.at + RELEASE_ROUND)
    for leg in call.legs:
        if leg.live and leg.release_cause is not None:
            move.ask(HangUpLeg(leg.id, leg.release_cause))
