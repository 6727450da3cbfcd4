"""What a call does when time is over in each of its states, and that a timer of another state changes nothing."""

import pytest
from msgspec.structs import replace

from c2c_stasis.call.commands import (
    DestroyBridge,
    HangUpLeg,
    PlayTone,
)
from c2c_stasis.call.events import EventType
from c2c_stasis.call.machine import on_deadline
from c2c_stasis.call.model import (
    CallState,
    End,
    EndedBy,
    FailedLeg,
    LegOutcome,
    Now,
    Outcome,
    Reason,
    Side,
    Tone,
)
from c2c_stasis.call.move import Move
from c2c_stasis.call.signals import (
    CallPlaced,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
)
from tests.call.stories import (
    A1,
    A2,
    ACCEPTED_AT,
    ANSWER,
    B1,
    CLOCK_ZERO,
    LONGEST,
    NOTHING,
    RING,
    TONE,
    Story,
    Told,
    dialling,
    gone,
    internal_call,
    outward_call,
    releasing,
    ringing_destination,
    ringing_user,
    talking,
)


def test_a_timer_of_an_earlier_state_changes_nothing() -> None:
    story = dialling()

    assert story.hear(DeadlinePassed()) == NOTHING


def test_a_call_that_was_never_begun_is_not_begun_late() -> None:
    story = Story(outward_call())

    assert story.wait(60).hear(DeadlinePassed()) == Told([], [EventType.CALL_END])
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.USER)


def test_nobody_answers_and_the_destination_is_never_dialled() -> None:
    story = ringing_user()

    story.at = RING
    assert story.hear(DeadlinePassed()) == Told([HangUpLeg(A1, 19), HangUpLeg(A2, 19), HangUpLeg(B1, 19)], [])
    assert story.end == End(Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.USER, 19)
    story.hear(LegEnded(A1, 19, 487), LegEnded(A2, 19, 487), LegEnded(B1, 19))
    assert [leg.outcome for leg in story.call.side(Side.A)] == [LegOutcome.NO_ANSWER] * 2
    assert story.state is CallState.ENDED


def test_a_phone_that_never_rang_was_not_reachable() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), LegInvited(A1))

    story.at = RING
    story.hear(DeadlinePassed(), *gone(A1, B1))

    assert story.end == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.USER)
    assert story.leg(A1).outcome is LegOutcome.UNREACHABLE


def test_an_early_deadline_does_not_stop_the_ringing() -> None:
    story = ringing_user()

    story.at = RING - 0.001
    assert story.hear(DeadlinePassed()) == NOTHING


def test_the_destination_does_not_answer_and_the_user_hears_why() -> None:
    story = ringing_destination()

    story.at = 1 + ANSWER
    assert story.hear(DeadlinePassed()) == Told([HangUpLeg(B1, 19), PlayTone(A1, Tone.CONGESTION, "US")], [])
    assert (story.state, story.call.deadline) == (CallState.PLAYING_TONE, story.at + TONE)
    assert story.end == End(Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.DESTINATION, 19)
    assert story.hear(LegEnded(B1, 19, 487)) == Told([], [(EventType.LEG_ENDED, B1)])
    assert story.leg(B1).outcome is LegOutcome.NO_ANSWER

    story.wait(TONE)
    assert story.hear(DeadlinePassed()) == Told([HangUpLeg(A1, 19)], [])
    assert (story.state, story.call.ended_at) == (CallState.RELEASING, story.at)


def test_a_destination_that_is_dialled_and_stays_silent_is_given_up_in_time() -> None:
    story = dialling()

    story.at = 1 + ANSWER
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(B1, 19), PlayTone(A1, Tone.CONGESTION, "US")]
    assert story.end.reason is Reason.DESTINATION_NO_ANSWER


def test_a_user_who_answered_does_not_wait_in_silence_for_a_channel_that_never_comes() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegAnswered(A1), LegJoined(A1))
    assert story.call.deadline == 10.0

    story.wait(10.0)
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(B1, 38), PlayTone(A1, Tone.CONGESTION, "US")]
    assert story.end == End(Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_the_time_for_the_answer_is_counted_from_the_user_s_answer_when_the_channel_comes_late() -> None:
    story = Story(internal_call())
    story.hear(CallPlaced(), LegCreated(A1), LegAnswered(A1), LegJoined(A1))

    story.wait(4.0).hear(LegCreated(B1))

    assert (story.state, story.call.deadline) == (CallState.DIALLING_DESTINATION, ANSWER)


def test_a_short_time_for_the_answer_is_not_prolonged_by_a_late_channel() -> None:
    call = internal_call()
    story = Story(replace(call, limits=replace(call.limits, answer_timeout=6.0)))
    story.hear(CallPlaced(), LegCreated(A1), LegAnswered(A1))

    assert story.call.deadline == 6.0


def test_the_ringing_does_not_prolong_the_time_for_the_answer() -> None:
    story = dialling()
    before = story.call.deadline

    story.hear(LegRinging(B1))

    assert story.call.deadline == before


def test_a_side_that_does_not_meet_in_the_bridge_fails_the_call() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1))

    story.wait(5.0)
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(A1, 41), HangUpLeg(B1, 41)]
    assert story.end == End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_the_longest_conversation_ends() -> None:
    story = talking()

    story.at = 3 + LONGEST
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.COMPLETED, Reason.MAX_DURATION, EndedBy.SYSTEM, None, 16)


def test_hanging_up_is_asked_again_and_then_the_record_is_closed() -> None:
    story = releasing()
    asked_first = story.at - 1

    story.at = asked_first + 3
    assert story.hear(DeadlinePassed()) == Told([HangUpLeg(A1, 16)], [])
    story.at = asked_first + 6
    assert story.hear(DeadlinePassed()) == Told([HangUpLeg(A1, 16)], [])
    story.at = asked_first + 9
    assert story.hear(DeadlinePassed()) == Told([DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END])
    assert (story.leg(A1).cause, story.leg(A1).outcome) == (16, LegOutcome.ANSWERED)


def test_the_time_for_releasing_begins_anew_with_each_round() -> None:
    story = releasing()
    story.at += 3

    story.hear(DeadlinePassed())

    assert (story.call.deadline, story.call.release_rounds) == (story.at + 3, 1)


def test_an_ended_call_is_never_given_a_deadline() -> None:
    story = releasing()
    story.hear(LegEnded(A1, 16))
    move = Move(story.call, Now(ACCEPTED_AT + 99, CLOCK_ZERO + 99))

    with pytest.raises(AssertionError):
        on_deadline(move)
