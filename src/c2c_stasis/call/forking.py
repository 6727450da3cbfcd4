"""A side whose legs ring together: who is left, who loses, and what it means when nobody is left."""

from collections.abc import Sequence

from msgspec.structs import replace

from c2c_stasis.call.causes import NO_ANSWER, destination_end
from c2c_stasis.call.model import (
    FAILED_LEG,
    Call,
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

# What several legs of one side mean together: the strongest human act decides, then the weakest excuse.
_BY_WEIGHT: tuple[tuple[LegOutcome, Outcome, Reason, Reason], ...] = (
    (LegOutcome.REJECTED, Outcome.REJECTED, Reason.USER_REJECTED, Reason.DESTINATION_REJECTED),
    (LegOutcome.BUSY, Outcome.REJECTED, Reason.USER_REJECTED, Reason.DESTINATION_BUSY),
    (LegOutcome.NO_ANSWER, Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, Reason.DESTINATION_NO_ANSWER),
    (LegOutcome.ANSWERED_ELSEWHERE, Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, Reason.DESTINATION_NO_ANSWER),
)


def dialable(call: Call, side: Side) -> tuple[Leg, ...]:
    """The legs of a side that have not been made yet."""
    return tuple(leg for leg in call.side(side) if leg.state is LegState.PLANNED)


def forked(call: Call, side: Side) -> bool:
    """Whether several phones of this side ring together; those that cannot be dialled only stand in the record."""
    return sum(bool(leg.endpoint and leg.device_id) for leg in call.side(side)) > 1  # trunks are tried one by one


def hopeful(call: Call, side: Side) -> bool:
    """Whether an answer may still come from this side."""
    return any(leg.can_win or leg.state is LegState.PLANNED for leg in call.side(side))


def losers(call: Call, winner: Leg) -> tuple[Leg, ...]:
    """The legs of the winner's side that are still in the race, which is over."""
    return tuple(leg for leg in call.side(winner.side) if leg.can_win)


def rang(call: Call, side: Side) -> bool:
    """Whether any phone of this side rang."""
    return any(leg.ringing_at is not None for leg in call.side(side))


def nobody_left(call: Call, side: Side) -> End:
    """Why the call ends when every leg of a side has ended unanswered."""
    legs = call.side(side)
    if _public_network(legs):
        last = legs[-1]
        if not last.dialled:  # nobody out there has heard of it, whatever the cause says
            return End(Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION, last.cause)
        return destination_end(last.cause, last.sip_code, rang=last.ringing_at is not None)
    failed = FAILED_LEG[side]
    ended_by = EndedBy.USER if side is Side.A else EndedBy.DESTINATION
    for leg_outcome, outcome, user_reason, destination_reason in _BY_WEIGHT:
        decider = next((leg for leg in legs if leg.outcome is leg_outcome), None)
        if decider is None:
            continue
        if side is Side.A:
            return End(outcome, user_reason, ended_by, failed, decider.cause, decider.sip_code)
        outcome = Outcome.BUSY if leg_outcome is LegOutcome.BUSY else outcome
        return End(outcome, destination_reason, ended_by, failed, decider.cause, decider.sip_code)
    registered = next((leg for leg in legs if leg.contact), None)
    if registered is None:
        return End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, failed)
    return End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, failed, registered.cause, registered.sip_code)


def out_of_time(call: Call, side: Side) -> End:
    """Why the call ends when a side did not answer in time: what some phones did, then the silence of the others."""
    legs = call.side(side)
    if _public_network(legs) and legs[-1].dialled:
        failed = FailedLeg.DESTINATION
        return End(Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, failed, NO_ANSWER)
    for leg in legs:
        if leg.live and leg.alerted:
            call = call.with_leg(replace(leg, outcome=LegOutcome.NO_ANSWER, cause=NO_ANSWER))
    return replace(nobody_left(call, side), ended_by=EndedBy.SYSTEM)


def _public_network(legs: Sequence[Leg]) -> bool:
    """Whether this side is legs through trunks, one attempt after another; the far end of the last tells why it failed."""
    return bool(legs) and legs[-1].device_id is None
