"""Several phones of one side: who can still win, and what they mean together."""

import pytest
from msgspec.structs import replace

from c2c_stasis.call import forking
from c2c_stasis.call.model import (
    Call,
    DestinationKind,
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
from tests.call.stories import call_of, dead_phone, internal_call, outward_call, phone, phones, trunk


def ended(leg: Leg, outcome: LegOutcome, cause: int | None = None, sip_code: int | None = None) -> Leg:
    return replace(leg, state=LegState.ENDED, outcome=outcome, cause=cause, sip_code=sip_code)


def own(*legs: Leg) -> Call:
    return call_of(legs, [trunk()], DestinationKind.EXTERNAL)


def far(*legs: Leg) -> Call:
    return call_of(phones(Side.A, 1), legs, DestinationKind.EXTENSION)


def test_the_phones_that_cannot_be_dialled_do_not_make_a_fork() -> None:
    assert forking.forked(internal_call(far_devices=2), Side.B)
    assert not forking.forked(internal_call(far_devices=1), Side.B)
    assert not forking.forked(far(phone(Side.B, 1), dead_phone(Side.B, 2)), Side.B)
    assert not forking.forked(outward_call(), Side.B)


def test_legs_that_were_made_are_not_made_again() -> None:
    made = replace(phone(Side.A, 1), state=LegState.CREATING)
    planned = phone(Side.A, 2)

    assert forking.dialable(own(made, planned, dead_phone(Side.A, 3)), Side.A) == (planned,)


@pytest.mark.parametrize(
    ("leg", "hope"),
    [
        (phone(Side.A, 1), True),
        (replace(phone(Side.A, 1), state=LegState.CREATING), True),
        (replace(phone(Side.A, 1), state=LegState.RINGING), True),
        (replace(phone(Side.A, 1), state=LegState.RINGING, release_cause=16), False),
        (replace(phone(Side.A, 1), state=LegState.UP, won=True), False),
        (dead_phone(Side.A, 1), False),
    ],
)
def test_there_is_hope_while_an_answer_may_come(leg: Leg, hope: bool) -> None:
    assert forking.hopeful(own(leg), Side.A) is hope


def test_losers_are_the_others_that_are_still_in_the_race() -> None:
    winner = replace(phone(Side.A, 1), state=LegState.UP, won=True)
    ringing = replace(phone(Side.A, 2), state=LegState.RINGING)
    released = replace(phone(Side.A, 3), state=LegState.RINGING, release_cause=27)

    assert forking.losers(own(winner, ringing, released, dead_phone(Side.A, 4)), winner) == (ringing,)


REJECTED = (LegOutcome.REJECTED, 21, 603)
BUSY = (LegOutcome.BUSY, 17, 486)
SILENT = (LegOutcome.NO_ANSWER, 19, 480)
ELSEWHERE = (LegOutcome.ANSWERED_ELSEWHERE, 26, None)
UNREACHABLE = (LegOutcome.UNREACHABLE, 20, None)

HOW = tuple[LegOutcome, int, int | None]


@pytest.mark.parametrize(
    ("first", "second", "outcome", "reason", "decider"),
    [
        (REJECTED, BUSY, Outcome.REJECTED, Reason.USER_REJECTED, REJECTED),
        (SILENT, REJECTED, Outcome.REJECTED, Reason.USER_REJECTED, REJECTED),
        (BUSY, SILENT, Outcome.REJECTED, Reason.USER_REJECTED, BUSY),
        (SILENT, ELSEWHERE, Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, SILENT),
        (ELSEWHERE, UNREACHABLE, Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, ELSEWHERE),
        (UNREACHABLE, SILENT, Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, SILENT),
    ],
)
def test_the_strongest_act_of_the_user_s_phones_decides(
    first: HOW, second: HOW, outcome: Outcome, reason: Reason, decider: HOW
) -> None:
    call = own(ended(phone(Side.A, 1), *first), ended(phone(Side.A, 2), *second))

    assert forking.nobody_left(call, Side.A) == End(
        outcome, reason, EndedBy.USER, FailedLeg.USER, decider[1], decider[2]
    )


@pytest.mark.parametrize(
    ("first", "second", "outcome", "reason", "decider"),
    [
        (BUSY, REJECTED, Outcome.REJECTED, Reason.DESTINATION_REJECTED, REJECTED),
        (SILENT, BUSY, Outcome.BUSY, Reason.DESTINATION_BUSY, BUSY),
        (SILENT, UNREACHABLE, Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, SILENT),
        (UNREACHABLE, ELSEWHERE, Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, ELSEWHERE),
    ],
)
def test_the_strongest_act_of_the_far_phones_decides(
    first: HOW, second: HOW, outcome: Outcome, reason: Reason, decider: HOW
) -> None:
    call = far(ended(phone(Side.B, 1), *first), ended(phone(Side.B, 2), *second))

    assert forking.nobody_left(call, Side.B) == End(
        outcome, reason, EndedBy.DESTINATION, FailedLeg.DESTINATION, decider[1], decider[2]
    )


@pytest.mark.parametrize("side", Side)
def test_phones_that_are_registered_and_cannot_be_reached(side: Side) -> None:
    legs = [dead_phone(side, 1), ended(phone(side, 2), *UNREACHABLE)]
    call = own(*legs) if side is Side.A else far(*legs)
    failed = FailedLeg.USER if side is Side.A else FailedLeg.DESTINATION

    assert forking.nobody_left(call, side) == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, failed, 20)


@pytest.mark.parametrize("side", Side)
def test_no_phone_is_registered(side: Side) -> None:
    call = own(dead_phone(side, 1)) if side is Side.A else far(dead_phone(side, 1))
    failed = FailedLeg.USER if side is Side.A else FailedLeg.DESTINATION

    assert forking.nobody_left(call, side) == End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, failed)


def test_a_leg_through_the_trunk_tells_its_own_reasons() -> None:
    rang = replace(ended(trunk(), LegOutcome.NO_ANSWER), dialled_at=1.0, ringing_at=3.0)

    assert forking.nobody_left(own_and(rang), Side.B).reason is Reason.DESTINATION_NO_ANSWER
    assert forking.nobody_left(own_and(replace(rang, ringing_at=None)), Side.B).reason is Reason.TRUNK_FAILED
    assert forking.nobody_left(own_and(replace(rang, sip_code=404)), Side.B).reason is Reason.INVALID_NUMBER


def test_a_leg_through_the_trunk_that_was_never_dialled_has_no_word_of_the_far_end() -> None:
    assert forking.nobody_left(own_and(ended(trunk(), LegOutcome.BUSY, 17, 486)), Side.B) == End(
        Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION, 17
    )


def own_and(destination: Leg) -> Call:
    return call_of(phones(Side.A, 1), [destination], DestinationKind.EXTERNAL)


def test_a_single_far_phone_has_the_reasons_of_a_phone() -> None:
    rejected = ended(phone(Side.B, 1), *UNREACHABLE)

    assert forking.nobody_left(far(rejected), Side.B).reason is Reason.DEVICE_UNREACHABLE


# --- out of time ---


def ringing(leg: Leg) -> Leg:
    return replace(leg, state=LegState.RINGING, dialled_at=0.0, ringing_at=1.0)


def dialled(leg: Leg) -> Leg:
    return replace(leg, state=LegState.DIALLED, dialled_at=0.0)


@pytest.mark.parametrize(
    ("legs", "end"),
    [
        (
            [ringing(phone(Side.A, 1)), dialled(phone(Side.A, 2))],
            End(Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.USER, 19),
        ),
        (
            [dialled(phone(Side.A, 1)), dead_phone(Side.A, 2)],
            End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.USER),
        ),
        (
            [ringing(phone(Side.A, 1)), ended(ringing(phone(Side.A, 2)), *REJECTED)],
            End(Outcome.REJECTED, Reason.USER_REJECTED, EndedBy.SYSTEM, FailedLeg.USER, 21, 603),
        ),
        (
            [dialled(phone(Side.A, 1)), ended(phone(Side.A, 2), *SILENT)],
            End(Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.USER, 19, 480),
        ),
    ],
)
def test_when_the_user_s_time_is_over_the_phones_acts_decide_before_their_silence(legs: list[Leg], end: End) -> None:
    assert forking.out_of_time(own(*legs), Side.A) == end


@pytest.mark.parametrize(
    ("legs", "end"),
    [
        (
            [ended(ringing(phone(Side.B, 1)), *BUSY), ringing(phone(Side.B, 2))],
            End(Outcome.BUSY, Reason.DESTINATION_BUSY, EndedBy.SYSTEM, FailedLeg.DESTINATION, 17, 486),
        ),
        (
            [dialled(phone(Side.B, 1)), replace(phone(Side.B, 2), state=LegState.CREATING)],
            End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.DESTINATION),
        ),
        (
            [replace(phone(Side.B, 1), state=LegState.RINGING)],  # early media, no 180
            End(Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.DESTINATION, 19),
        ),
    ],
)
def test_when_the_far_phones_time_is_over_their_acts_decide_before_their_silence(legs: list[Leg], end: End) -> None:
    assert forking.out_of_time(far(*legs), Side.B) == end


@pytest.mark.parametrize("leg", [dialled(trunk()), ringing(trunk())])
def test_a_number_in_the_public_network_that_does_not_answer_in_time_did_not_answer(leg: Leg) -> None:
    assert forking.out_of_time(own_and(leg), Side.B) == End(
        Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.DESTINATION, 19
    )


def test_a_number_in_the_public_network_that_was_not_even_dialled_in_time_is_a_failure_of_the_trunk() -> None:
    assert forking.out_of_time(own_and(replace(trunk(), state=LegState.CREATING)), Side.B) == End(
        Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION
    )
