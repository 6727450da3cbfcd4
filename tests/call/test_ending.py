"""How calls end: who hung up when, what the user hears, and who is let go with which cause."""

from collections.abc import Callable

import pytest

from c2c_stasis.call.commands import CreateLeg, DestroyBridge, DialLeg, HangUpLeg, PlayTone, StopRingback
from c2c_stasis.call.ending import on_ended
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import (
    CallState,
    DestinationKind,
    End,
    EndedBy,
    FailedLeg,
    LegOutcome,
    LegState,
    Now,
    Outcome,
    Reason,
    Side,
    Tone,
)
from c2c_stasis.call.move import Move
from c2c_stasis.call.signals import (
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegProgressed,
    LegRinging,
)
from c2c_stasis.ids import LegId
from tests.call.stories import (
    A1,
    A2,
    A3,
    ACCEPTED_AT,
    ANN,
    B1,
    B2,
    CLOCK_ZERO,
    DIAL_A,
    LIFETIME,
    NOTHING,
    TONE,
    Story,
    Told,
    dialling,
    gone,
    internal_call,
    outward_call,
    playing_tone,
    releasing,
    ringing_destination,
    ringing_user,
    talking,
)

# --- the user's side ---


def test_one_phone_declines_and_the_others_ring_on() -> None:
    story = ringing_user()

    assert story.hear(LegEnded(A1, 21, 603)) == Told([], [(EventType.LEG_ENDED, A1)])
    assert (story.leg(A1).outcome, story.leg(A1).cause, story.leg(A1).sip_code) == (LegOutcome.REJECTED, 21, 603)
    assert story.state is CallState.RINGING_USER


def test_all_phones_decline_and_the_call_is_over_at_once() -> None:
    story = ringing_user()

    assert story.hear(LegEnded(A1, 21, 603), LegEnded(A2, 17, 486)).commands == [HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.REJECTED, Reason.USER_REJECTED, EndedBy.USER, FailedLeg.USER, 21, 603)
    assert story.hear(*gone(B1)) == Told([DestroyBridge()], [(EventType.LEG_ENDED, B1), EventType.CALL_END])


def test_all_phones_decline_before_a_far_phone_was_made_and_nothing_is_left_to_release() -> None:
    story = ringing_user(internal_call(devices=1, far_devices=2))

    assert story.hear(LegEnded(A1, 21, 603)) == Told([DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END])
    assert [(leg.state, leg.outcome) for leg in story.call.side(Side.B)] == [(LegState.ENDED, LegOutcome.CANCELLED)] * 2


def test_the_end_of_a_leg_is_told_once() -> None:
    story = ringing_user()
    story.hear(LegEnded(A1, 21, 603))

    assert story.hear(LegEnded(A1, 16)) == NOTHING
    assert story.leg(A1).cause == 21


def test_the_destination_fails_before_anybody_answered() -> None:
    story = ringing_user()

    assert story.hear(LegEnded(B1)).commands == [HangUpLeg(A1, 38), HangUpLeg(A2, 38)]
    assert story.end == End(Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION)


# --- before the talk ---


@pytest.mark.parametrize("reached", [dialling, ringing_destination], ids=lambda story: story.__name__)
def test_the_user_hangs_up_before_the_destination_answered(reached: Callable[[], Story]) -> None:
    story = reached()

    assert story.hear(LegEnded(A1, 16)).commands == [HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, 16)
    assert story.hear(*gone(B1)).commands == [DestroyBridge()]
    assert (story.leg(A1).outcome, story.leg(B1).outcome) == (LegOutcome.ANSWERED, LegOutcome.CANCELLED)


def test_the_user_s_media_stops_before_the_destination_answered() -> None:
    story = ringing_destination()
    story.hear(LegEnded(A1, 44))

    assert story.end == End(Outcome.FAILED, Reason.MEDIA_TIMEOUT, EndedBy.SYSTEM, FailedLeg.USER, 44)


def test_the_end_of_a_loser_does_not_end_the_call() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1))

    assert story.hear(LegEnded(A2, 26, 487)) == Told([], [(EventType.LEG_ENDED, A2)])
    assert story.state is CallState.DIALLING_DESTINATION


@pytest.mark.parametrize(
    ("cause", "sip_code", "outcome", "reason", "tone", "release"),
    [
        (17, 486, Outcome.BUSY, Reason.DESTINATION_BUSY, Tone.BUSY, 17),
        (21, 603, Outcome.REJECTED, Reason.DESTINATION_REJECTED, Tone.BUSY, 21),
        (1, 404, Outcome.FAILED, Reason.INVALID_NUMBER, Tone.CONGESTION, 1),
        (34, 503, Outcome.FAILED, Reason.CONGESTION, Tone.CONGESTION, 34),
        (3, None, Outcome.FAILED, Reason.NO_ROUTE, Tone.CONGESTION, 3),
        (38, 500, Outcome.FAILED, Reason.TRUNK_FAILED, Tone.CONGESTION, 38),
        (19, 480, Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, Tone.CONGESTION, 19),
    ],
)
def test_the_user_hears_why_the_destination_was_not_reached(
    cause: int, sip_code: int | None, outcome: Outcome, reason: Reason, tone: Tone, release: int
) -> None:
    story = ringing_destination()

    assert story.hear(LegEnded(B1, cause, sip_code)) == Told([PlayTone(A1, tone, "US")], [(EventType.LEG_ENDED, B1)])
    assert (story.state, story.call.deadline) == (CallState.PLAYING_TONE, story.at + TONE)
    assert story.end == End(outcome, reason, EndedBy.DESTINATION, FailedLeg.DESTINATION, cause, sip_code)
    assert story.call.ended_at is None

    story.wait(TONE)
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(A1, release)]
    assert story.hear(LegEnded(A1, release)) == Told([DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END])
    assert story.call.ended_at == story.at


def test_the_far_phones_end_one_by_one_and_the_last_one_decides() -> None:
    story = ringing_destination(internal_call())

    assert story.hear(LegEnded(B1, 17, 486)) == Told([], [(EventType.LEG_ENDED, B1)])
    assert story.state is CallState.RINGING_DESTINATION
    assert story.hear(LegEnded(B2, 19, 480)) == Told(
        [StopRingback(A1), PlayTone(A1, Tone.BUSY, "US")], [(EventType.LEG_ENDED, B2)]
    )


def test_the_far_phones_run_out_of_time_and_are_let_go() -> None:
    story = ringing_destination(internal_call())

    story.wait(60)
    assert story.hear(DeadlinePassed()).commands == [
        HangUpLeg(B1, 19),
        HangUpLeg(B2, 19),
        StopRingback(A1),
        PlayTone(A1, Tone.CONGESTION, "US"),
    ]
    assert story.end == End(Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.DESTINATION, 19)


# --- the talk ---


def test_the_user_hangs_up_the_conversation() -> None:
    story = talking()

    assert story.hear(LegEnded(A1, 16)).commands == [HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.USER, None, 16)


def test_the_cause_of_a_hang_up_is_kept() -> None:
    story = talking()
    story.hear(LegEnded(B1, 31))

    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 31)
    assert not story.leg(B1).in_bridge


def test_a_hang_up_without_a_cause_is_a_normal_one() -> None:
    story = talking()
    story.hear(LegEnded(B1, 0))

    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)


def test_the_user_hangs_up_between_the_answer_and_the_bridge() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1))

    assert story.hear(LegEnded(A1, 16)).commands == [HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.USER, None, 16)


def test_a_conversation_whose_media_stops_was_ended_by_the_system() -> None:
    story = talking()
    story.hear(LegEnded(B1, 44))

    assert story.end == End(Outcome.COMPLETED, Reason.MEDIA_TIMEOUT, EndedBy.SYSTEM, None, 44)


def test_a_loser_that_ends_late_does_not_end_the_conversation() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1), LegJoined(B1))

    assert story.hear(LegEnded(B2, 26)) == Told([], [(EventType.LEG_ENDED, B2)])
    assert story.state is CallState.TALKING


# --- the tone ---


def test_the_user_hangs_up_during_the_tone() -> None:
    story = playing_tone()

    assert story.hear(LegEnded(A1, 16)) == Told([DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END])
    assert story.end == End(Outcome.BUSY, Reason.DESTINATION_BUSY, EndedBy.DESTINATION, FailedLeg.DESTINATION, 17, 486)
    assert story.call.ended_at == story.at


def test_the_end_of_the_destination_does_not_end_the_tone() -> None:
    story = ringing_destination()
    story.wait(60).hear(DeadlinePassed())

    assert story.hear(LegEnded(B1, 19)).commands == []
    assert story.state is CallState.PLAYING_TONE


# --- letting go ---


def test_a_call_ends_when_its_last_leg_is_gone_and_not_before() -> None:
    story = ringing_user(outward_call(3))
    story.hear(CancelRequested())

    assert story.hear(*gone(A1, A2, A3)).commands == []
    assert story.state is CallState.RELEASING
    assert story.hear(*gone(B1)).commands == [DestroyBridge()]


def test_the_first_reason_of_an_end_stands() -> None:
    story = releasing()
    story.hear(CancelRequested(), CommandRefused(DestroyBridge(), 500, ""))

    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)
    assert story.call.ended_at == story.at - 1


def test_a_leg_that_was_let_go_is_not_let_go_again_with_another_cause() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1))

    assert story.hear(CancelRequested()).commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.leg(A2).release_cause == 26


def test_each_round_asks_only_the_legs_that_are_still_there() -> None:
    story = ringing_user()
    story.hear(CancelRequested(), *gone(A1))

    assert story.wait(3).hear(DeadlinePassed()).commands == [HangUpLeg(A2, 16), HangUpLeg(B1, 16)]


def test_a_leg_that_never_confirmed_its_end_is_recorded_as_we_asked_for_it() -> None:
    story = ringing_user(outward_call(1))
    story.hear(CancelRequested(), *gone(B1))
    for _ in range(3):
        told = story.wait(3).hear(DeadlinePassed())

    assert told == Told([DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END])
    assert (story.leg(A1).state, story.leg(A1).cause, story.leg(A1).outcome) == (
        LegState.ENDED,
        16,
        LegOutcome.CANCELLED,
    )


# --- the outcome of a leg ---


def test_a_phone_that_was_given_up_while_it_rang_did_not_answer() -> None:
    story = ringing_user(outward_call(1))
    story.wait(30).hear(DeadlinePassed(), LegEnded(A1, 19))

    assert story.leg(A1).outcome is LegOutcome.NO_ANSWER


def test_a_phone_that_was_given_up_before_it_rang_was_unreachable() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegRinging(A1))
    story.wait(30).hear(DeadlinePassed(), *gone(A1, A2))

    assert [leg.outcome for leg in story.call.side(Side.A)] == [LegOutcome.NO_ANSWER, LegOutcome.UNREACHABLE]


def test_a_phone_that_is_let_go_because_the_far_side_cannot_be_reached_was_cancelled() -> None:
    story = Story(internal_call(devices=1, far_devices=1))
    story.hear(CallPlaced(), LegCreated(A1), LegRinging(A1))
    story.hear(CommandRefused(CreateLeg(B1, "PJSIP/bob-1", ANN, None, "US", LIFETIME), 500, "Allocation failed"))

    story.hear(*gone(A1))

    assert story.end.reason is Reason.DEVICE_UNREACHABLE
    assert (story.leg(A1).release_cause, story.leg(A1).outcome) == (19, LegOutcome.CANCELLED)


def test_a_destination_that_waited_for_a_user_who_did_not_answer_was_cancelled() -> None:
    story = ringing_user(outward_call(1))
    story.wait(30).hear(DeadlinePassed(), *gone(A1, B1))

    assert story.leg(B1).outcome is LegOutcome.CANCELLED


def test_a_destination_that_sent_early_media_did_not_answer() -> None:
    story = dialling()
    story.hear(LegProgressed(B1))
    story.wait(60).hear(DeadlinePassed(), *gone(B1))

    assert story.leg(B1).outcome is LegOutcome.NO_ANSWER


def test_a_phone_that_could_not_be_dialled_was_unreachable() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1))
    story.hear(CommandRefused(DialLeg(A1, None, DIAL_A), 409, ""), LegEnded(A1, 27, 603))

    assert story.leg(A1).outcome is LegOutcome.UNREACHABLE


def test_a_phone_that_ends_by_itself_after_ringing_did_not_answer() -> None:
    story = ringing_user()
    story.hear(LegEnded(A1, 127))

    assert story.leg(A1).outcome is LegOutcome.NO_ANSWER


def test_a_phone_that_ends_by_itself_before_ringing_was_unreachable() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegInvited(A1), LegEnded(A1, 127))

    assert story.leg(A1).outcome is LegOutcome.UNREACHABLE


def test_a_leg_of_a_call_that_did_not_begin_is_a_fault_of_ours() -> None:
    begun = ringing_user().call
    move = Move(outward_call().with_leg(begun.legs[0]), Now(ACCEPTED_AT, CLOCK_ZERO))

    with pytest.raises(AssertionError):
        on_ended(move, LegEnded(A1, 16))


def test_an_emergency_call_that_fails_is_told_by_a_tone_like_any_other() -> None:
    story = ringing_destination(outward_call(kind=DestinationKind.EMERGENCY))

    assert story.hear(LegEnded(B1, 34, 503)).commands == [PlayTone(A1, Tone.CONGESTION, "US")]


# --- a status is what the far end sent ---


@pytest.mark.parametrize(
    ("reached", "leg"),
    [(ringing_user, A2), (dialling, B1), (ringing_destination, A1), (talking, A1), (talking, B1)],
    ids=["ringing", "dialled", "answered", "talking user", "talking destination"],
)
def test_a_leg_that_we_let_go_has_no_status_of_its_own(reached: Callable[[], Story], leg: LegId) -> None:
    story = reached()
    story.hear(CancelRequested(), LegEnded(leg, 21, 403))

    assert (story.leg(leg).cause, story.leg(leg).sip_code) == (21, None)


def test_a_leg_that_was_never_dialled_has_no_status() -> None:
    story = ringing_user()
    story.hear(LegEnded(B1, 21, 603))

    assert (story.leg(B1).cause, story.leg(B1).sip_code, story.leg(B1).outcome) == (21, None, LegOutcome.UNREACHABLE)
    assert story.end.sip_code is None


def test_a_leg_that_had_answered_has_no_status() -> None:
    story = talking()
    story.hear(LegEnded(B1, 16, 487))

    assert (story.leg(B1).sip_code, story.end.sip_code) == (None, None)


def test_what_a_far_end_answers_to_our_invite_is_its_status() -> None:
    story = ringing_destination()
    story.hear(LegEnded(B1, 21, 603), LegEnded(A1, 21, 403))

    assert (story.leg(B1).sip_code, story.leg(A1).sip_code, story.end.sip_code) == (603, None, 603)
