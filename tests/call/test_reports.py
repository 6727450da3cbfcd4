"""What the switch reports of a leg, in the order nobody planned: early, late, twice, or about a leg already let go."""

import pytest

from c2c_stasis.call.commands import CreateLeg, DialLeg, HangUpLeg, JoinLeg, StartRingback, StopRingback
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import CallState, DestinationKind, End, EndedBy, LegOutcome, LegState, Outcome, Reason, Side
from c2c_stasis.call.signals import (
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
)
from tests.call.stories import (
    A1,
    A2,
    A3,
    ANN,
    B1,
    B2,
    DIAL_A,
    DIAL_B,
    LIFETIME,
    NOTHING,
    Story,
    Told,
    call_of,
    dead_phone,
    dialling,
    internal_call,
    outward_call,
    phone,
    phones,
    playing_tone,
    ringing_destination,
    ringing_user,
    talking,
)

# --- made ---


def test_a_leg_is_dialled_when_its_channel_is_ours_and_not_before() -> None:
    story = Story(outward_call(1))
    assert [c for c in story.hear(CallPlaced()).commands if isinstance(c, DialLeg)] == []

    assert story.hear(LegCreated(A1)).commands == [DialLeg(A1, None, DIAL_A)]
    assert story.leg(A1).dialled_at == story.at


def test_a_leg_is_dialled_only_once() -> None:
    story = ringing_user()

    assert story.hear(LegCreated(A1)) == NOTHING


def test_a_leg_that_was_let_go_while_it_was_made_is_hung_up_again_and_never_dialled() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), CancelRequested())

    assert story.hear(LegCreated(A1)) == Told([HangUpLeg(A1, 16)], [])


def test_a_destination_that_is_ready_waits_in_the_bridge_until_a_phone_answers() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(LegCreated(B1), LegJoined(B1)) == Told([JoinLeg(B1)], [(EventType.LEG_CREATED, B1)])
    assert (story.leg(B1).state, story.leg(B1).in_bridge) == (LegState.READY, True)


def test_a_destination_that_is_made_late_is_dialled_as_soon_as_it_is_there() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1))
    assert story.hear(LegAnswered(A1)).commands == [JoinLeg(A1)]

    assert story.hear(LegCreated(B1)).commands == [JoinLeg(B1), DialLeg(B1, A1, DIAL_B)]


def test_a_far_phone_that_is_made_while_another_rings_is_dialled_too() -> None:
    story = ringing_user(internal_call())
    story.hear(LegAnswered(A1), LegJoined(A1), LegCreated(B1), LegInvited(B1), LegRinging(B1))

    assert story.hear(LegCreated(B2)).commands == [DialLeg(B2, A1, DIAL_B)]


def test_the_time_of_the_invite_is_told_once() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1))

    assert story.wait(0.5).hear(LegInvited(A1)) == Told([], [(EventType.LEG_DIALLED, A1)])
    assert story.wait(0.5).hear(LegInvited(A1)) == NOTHING
    assert story.leg(A1).invited_at == 0.5


def test_an_invite_nobody_asked_for_is_no_news() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(B1))

    assert story.hear(LegInvited(B1)) == NOTHING


# --- ringing ---


def test_the_second_report_of_the_same_ringing_is_no_news() -> None:
    story = ringing_user()

    assert story.hear(LegRinging(A1), LegProgressed(A1)) == NOTHING
    assert story.leg(A1).ringing_at == 0.0


def test_a_leg_that_was_not_dialled_does_not_ring() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(B1))

    assert story.hear(LegRinging(B1), LegProgressed(B1)) == NOTHING


def test_a_phone_with_early_media_of_its_own_rings_for_its_owner() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2))

    assert story.hear(LegProgressed(A1)).events == [EventType.CALL_RINGING, (EventType.LEG_RINGING, A1)]
    assert story.hear(LegRinging(A1)) == NOTHING
    assert story.hear(LegRinging(A2)).events == [(EventType.LEG_RINGING, A2)]


def test_the_call_rings_only_once_though_the_first_phone_declined() -> None:
    story = ringing_user()
    story.hear(LegEnded(A1, 21, 603))

    assert story.hear(LegProgressed(A2)) == NOTHING
    assert story.call.state is CallState.RINGING_USER


def test_a_phone_that_rings_after_it_was_let_go_does_not_ring_for_the_world() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2))
    story.hear(CommandRefused(DialLeg(A1, None, DIAL_A), 409, "Channel in invalid state"))

    assert story.hear(LegRinging(A1), LegProgressed(A1)) == NOTHING
    assert story.hear(LegRinging(A2)).events == [EventType.CALL_RINGING, (EventType.LEG_RINGING, A2)]


def test_early_media_of_the_destination_and_then_its_ringing_are_both_told() -> None:
    story = dialling()

    assert story.hear(LegProgressed(B1)) == Told([], [(EventType.LEG_PROGRESS, B1)])
    assert (story.state, story.leg(B1).state, story.leg(B1).ringing_at) == (
        CallState.RINGING_DESTINATION,
        LegState.RINGING,
        None,
    )
    assert story.wait(1.0).hear(LegRinging(B1)) == Told([], [(EventType.LEG_RINGING, B1)])
    assert story.leg(B1).ringing_at == story.at


def test_the_second_far_phone_that_rings_moves_nothing() -> None:
    story = dialling(internal_call())
    story.hear(LegRinging(B1))
    deadline = story.call.deadline

    assert story.hear(LegRinging(B2)) == Told([], [(EventType.LEG_RINGING, B2)])
    assert (story.state, story.call.deadline) == (CallState.RINGING_DESTINATION, deadline)


def test_a_destination_that_rings_while_it_is_being_let_go_is_no_news() -> None:
    story = dialling()
    story.hear(CancelRequested())

    assert story.hear(LegProgressed(B1), LegRinging(B1)) == NOTHING


# --- answered ---


def test_the_first_answer_wins_and_the_others_are_told_it_was_answered_elsewhere() -> None:
    story = ringing_user(outward_call(3))

    assert story.hear(LegAnswered(A2)) == Told(
        [HangUpLeg(A1, 26), HangUpLeg(A3, 26), JoinLeg(A2), DialLeg(B1, A2, DIAL_B)],
        [(EventType.LEG_ANSWERED, A2), EventType.CALL_INITIATED],
    )
    assert [leg.won for leg in story.call.side(Side.A)] == [False, True, False]


def test_second_answer_after_the_race_is_hung_up_and_changes_nothing_else() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1))

    assert story.hear(LegAnswered(A2)) == Told([HangUpLeg(A2, 26)], [])
    assert (story.leg(A2).state, story.leg(A2).won) == (LegState.UP, False)
    story.hear(LegEnded(A2, 26))
    assert (story.leg(A2).outcome, story.leg(A2).answered_at) == (LegOutcome.ANSWERED_ELSEWHERE, 1.0)
    assert story.state is CallState.DIALLING_DESTINATION


def test_a_loser_that_reports_its_answer_twice_is_hung_up_twice_and_answered_at_the_first() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegAnswered(A2))

    assert story.wait(1.0).hear(LegAnswered(A2)) == Told([HangUpLeg(A2, 26)], [])
    assert story.leg(A2).answered_at == 1.0


def test_the_winner_answers_only_once() -> None:
    story = dialling()

    assert story.hear(LegAnswered(A1)) == NOTHING
    assert story.hear(LegRinging(A1)) == NOTHING


def test_a_phone_that_answers_without_ringing_still_lets_the_call_ring_first() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1))

    assert story.hear(LegAnswered(A1)).events == [
        EventType.CALL_RINGING,
        (EventType.LEG_ANSWERED, A1),
        EventType.CALL_INITIATED,
    ]


def test_the_destination_s_ringing_is_not_the_call_s_though_the_phone_never_rang() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), LegAnswered(A1))

    assert story.hear(LegRinging(B1)).events == [(EventType.LEG_RINGING, B1)]


def test_a_destination_that_answers_outside_the_bridge_is_put_into_it() -> None:
    story = dialling()
    story.hear(LegLeft(B1))

    assert story.hear(LegAnswered(B1)).commands == [JoinLeg(B1)]
    assert story.state is CallState.JOINING


def test_a_destination_that_answers_when_the_user_has_left_the_bridge_is_not_talked_with() -> None:
    story = ringing_destination()
    story.hear(LegLeft(A1))

    told = story.hear(LegAnswered(B1))
    assert EventType.CALL_ANSWERED not in told.events
    assert story.state is CallState.JOINING
    assert story.hear(LegEnded(A1, 16)).commands == [HangUpLeg(B1, 16)]
    story.hear(LegEnded(B1, 16))
    assert story.call.connected_at is None
    assert story.call.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, 16)


def test_a_destination_that_answers_when_the_user_is_hanging_up_is_not_talked_with() -> None:
    story = ringing_destination()
    assert story.hear(LegHangingUp(A1)) == NOTHING

    told = story.hear(LegAnswered(B1))
    assert EventType.CALL_ANSWERED not in told.events
    assert story.state is CallState.JOINING  # both are in the bridge, and one is about to leave it
    assert story.hear(LegLeft(A1), LegEnded(A1, 16)).commands == [HangUpLeg(B1, 16)]
    story.hear(LegEnded(B1, 16))
    assert story.call.connected_at is None
    assert story.call.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, 16)


def test_who_enters_the_bridge_while_hanging_up_is_not_talked_with_either() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegInvited(B1), LegHangingUp(A1), LegJoined(A1))

    assert EventType.CALL_ANSWERED not in story.hear(LegAnswered(B1), LegJoined(B1)).events
    story.hear(LegLeft(A1), LegEnded(A1, 16), LegEnded(B1, 16))
    assert story.call.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, 16)


def test_who_hangs_up_without_having_answered_is_not_leaving() -> None:
    story = ringing_user()
    assert story.hear(LegHangingUp(A1)) == NOTHING

    assert EventType.CALL_INITIATED in story.hear(LegAnswered(A1)).events
    assert not story.call.legs[0].leaving


def test_a_destination_that_hangs_up_before_the_end_of_a_user_who_has_left_was_not_talked_with_either() -> None:
    story = ringing_destination()
    story.hear(LegLeft(A1), LegAnswered(B1), LegEnded(B1, 16), LegEnded(A1, 16))

    assert story.call.connected_at is None
    assert story.call.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER, None, 16)


def test_a_user_who_has_left_the_bridge_and_comes_back_talks() -> None:
    story = ringing_destination()
    story.hear(LegLeft(A1), LegAnswered(B1))

    assert story.hear(LegJoined(A1)).events == [(EventType.LEG_BRIDGED, A1), EventType.CALL_ANSWERED]
    assert (story.state, story.call.connected_at) == (CallState.TALKING, story.at)


def test_a_user_who_came_back_before_the_answer_talks_at_once() -> None:
    story = ringing_destination()
    story.hear(LegLeft(A1), LegJoined(A1))

    assert EventType.CALL_ANSWERED in story.hear(LegAnswered(B1)).events
    assert story.state is CallState.TALKING

    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegLeft(A1), LegJoined(A1), LegInvited(B1), LegLeft(B1))
    assert EventType.CALL_ANSWERED in story.hear(LegAnswered(B1)).events
    assert story.state is CallState.JOINING


def test_an_answer_of_a_leg_that_was_not_dialled_is_no_answer() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(B1))

    assert story.hear(LegAnswered(A1), LegAnswered(B1)) == NOTHING


def test_an_answer_that_crosses_the_cancelling_takes_a_bye() -> None:
    story = ringing_user()
    story.hear(CancelRequested())

    assert story.hear(LegAnswered(A1)) == Told([HangUpLeg(A1, 16)], [])
    assert story.state is CallState.RELEASING


def test_an_answer_that_crosses_the_ring_timeout_does_not_dial_the_destination() -> None:
    story = ringing_user(outward_call(1))
    story.wait(30).hear(DeadlinePassed())

    assert story.hear(LegAnswered(A1)) == Told([HangUpLeg(A1, 19)], [])


def test_a_destination_that_answers_after_it_was_given_up_is_hung_up() -> None:
    story = ringing_destination()
    story.wait(60).hear(DeadlinePassed())

    assert story.hear(LegAnswered(B1)) == Told([HangUpLeg(B1, 19)], [])
    assert (story.state, story.call.connected_at) == (CallState.PLAYING_TONE, None)


def test_a_user_who_is_slow_into_the_bridge_meets_the_destination_there() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegInvited(B1))

    assert story.hear(LegAnswered(B1)).commands == []
    assert (story.state, story.call.deadline) == (CallState.JOINING, story.at + 5)
    assert story.hear(LegJoined(A1)) == Told([], [(EventType.LEG_BRIDGED, A1)])
    assert story.state is CallState.TALKING


def test_a_destination_answers_without_ringing() -> None:
    story = dialling()

    assert story.hear(LegAnswered(B1)).events == [
        (EventType.LEG_ANSWERED, B1),
        (EventType.LEG_BRIDGED, B1),
        EventType.CALL_ANSWERED,
    ]
    assert (story.state, story.call.connected_at) == (CallState.TALKING, story.at)


def test_the_losing_far_phones_are_told_it_was_answered_elsewhere() -> None:
    story = ringing_destination(internal_call(far_devices=3))

    commands = story.hear(LegAnswered(B2)).commands

    assert commands == [HangUpLeg(B1, 26), HangUpLeg(phone(Side.B, 3).id, 26), StopRingback(A1), JoinLeg(B2)]


# --- one far phone among several that cannot be dialled ---


def test_one_far_phone_beside_dead_ones_is_prepared_and_heard_like_a_single_one() -> None:
    far = [dead_phone(Side.B, 1), phone(Side.B, 2)]
    story = Story(call_of(phones(Side.A, 1), far, DestinationKind.EXTENSION))

    assert CreateLeg(B2, "PJSIP/bob-2", ANN, None, "US", LIFETIME) in story.hear(CallPlaced()).commands
    assert story.hear(LegCreated(A1), LegCreated(B2)).commands == [DialLeg(A1, None, DIAL_A), JoinLeg(B2)]
    story.hear(LegJoined(B2))
    assert story.hear(LegAnswered(A1)).commands == [JoinLeg(A1), DialLeg(B2, A1, DIAL_B)]
    story.hear(LegJoined(A1), LegInvited(B2), LegRinging(B2))
    assert story.hear(LegAnswered(B2)).commands == []
    assert story.state is CallState.TALKING


def test_of_several_far_phones_only_those_that_can_be_dialled_are_made() -> None:
    far = [phone(Side.B, 1), dead_phone(Side.B, 2), phone(Side.B, 3)]
    story = ringing_user(call_of(phones(Side.A, 1), far, DestinationKind.EXTENSION))

    commands = story.hear(LegAnswered(A1)).commands

    assert commands[:2] == [JoinLeg(A1), StartRingback(A1)]
    assert [c.leg_id for c in commands if isinstance(c, CreateLeg)] == [B1, phone(Side.B, 3).id]


# --- the bridge ---


def test_entering_the_bridge_twice_is_told_once() -> None:
    story = dialling()

    assert story.hear(LegJoined(A1)) == NOTHING


def test_a_leg_that_enters_the_bridge_while_it_is_let_go_is_no_news() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), CancelRequested())

    assert story.hear(LegJoined(A1)) == NOTHING
    assert story.leg(A1).in_bridge


def test_one_side_alone_in_the_bridge_is_not_yet_a_conversation() -> None:
    story = ringing_user(internal_call(far_devices=2))
    story.hear(LegAnswered(A1), LegCreated(B1), LegInvited(B1), LegRinging(B1), LegAnswered(B1))

    assert story.hear(LegJoined(A1)).events == [(EventType.LEG_BRIDGED, A1)]
    assert story.state is CallState.JOINING


def test_leaving_the_bridge_alone_ends_nothing() -> None:
    story = talking()

    assert story.hear(LegLeft(B1)) == NOTHING
    assert (story.state, story.leg(B1).in_bridge) == (CallState.TALKING, False)


@pytest.mark.parametrize("kind", [DestinationKind.EXTERNAL, DestinationKind.EMERGENCY])
def test_no_ringback_of_our_own_for_a_single_destination(kind: DestinationKind) -> None:
    story = ringing_user(outward_call(1, kind))

    assert not [c for c in story.hear(LegAnswered(A1)).commands if isinstance(c, StartRingback)]


def test_the_tone_takes_the_place_of_our_own_ringback() -> None:
    story = playing_tone(internal_call())

    assert (story.end.outcome, story.end.reason) == (Outcome.BUSY, Reason.DESTINATION_BUSY)
