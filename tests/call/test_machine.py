"""The rules from the first signal to the last, as stories on the straight road and on its first side roads."""

import pytest
from msgspec.structs import replace

from c2c_stasis.call.commands import (
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.events import EventType
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import (
    CallState,
    DestinationKind,
    End,
    EndedBy,
    FailedLeg,
    LegOutcome,
    Now,
    Outcome,
    Reason,
    Side,
)
from c2c_stasis.call.move import Step
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
from tests.call.stories import (
    A1,
    A2,
    ACCEPTED_AT,
    ANN,
    ANSWER,
    B1,
    B2,
    CLOCK_ZERO,
    DIAL_A,
    DIAL_B,
    LIFETIME,
    LONGEST,
    NOTHING,
    NUMBER,
    RING,
    TRUNK,
    Story,
    Told,
    call_of,
    dead_phone,
    dialling,
    gone,
    internal_call,
    outward_call,
    phone,
    phones,
    playing_tone,
    releasing,
    ringing_destination,
    ringing_user,
    talking,
    trunk,
)


def test_a_call_from_the_click_to_the_end() -> None:
    story = Story(outward_call())

    assert story.hear(CallPlaced()) == Told(
        [
            CreateBridge(),
            CreateLeg(A1, "PJSIP/ann-1", ANN, NUMBER, "US", LIFETIME),
            CreateLeg(A2, "PJSIP/ann-2", ANN, NUMBER, "US", LIFETIME),
            CreateLeg(B1, TRUNK, ANN, None, "US", LIFETIME),
        ],
        [],
    )
    assert (story.state, story.call.deadline) == (CallState.RINGING_USER, RING)

    story.wait(0.125)
    assert story.hear(LegCreated(A1)) == Told([DialLeg(A1, None, DIAL_A)], [(EventType.LEG_CREATED, A1)])
    assert story.hear(LegCreated(A2)) == Told([DialLeg(A2, None, DIAL_A)], [(EventType.LEG_CREATED, A2)])
    assert story.hear(LegCreated(B1)) == Told([JoinLeg(B1)], [(EventType.LEG_CREATED, B1)])
    assert story.hear(LegJoined(B1)) == NOTHING
    assert story.hear(LegInvited(A1), LegInvited(A2)).events == [
        (EventType.LEG_DIALLED, A1),
        (EventType.LEG_DIALLED, A2),
    ]

    story.wait(0.25)
    assert story.hear(LegRinging(A2)) == Told([], [EventType.CALL_RINGING, (EventType.LEG_RINGING, A2)])
    assert story.hear(LegRinging(A1)) == Told([], [(EventType.LEG_RINGING, A1)])

    story.wait(4.0)
    assert story.hear(LegAnswered(A1)) == Told(
        [HangUpLeg(A2, 26), JoinLeg(A1), DialLeg(B1, A1, DIAL_B)],
        [(EventType.LEG_ANSWERED, A1), EventType.CALL_INITIATED],
    )
    assert (story.state, story.call.deadline) == (CallState.DIALLING_DESTINATION, story.at + ANSWER)
    assert story.hear(LegJoined(A1)) == Told([], [(EventType.LEG_BRIDGED, A1)])
    assert story.hear(LegEnded(A2, 26)) == Told([], [(EventType.LEG_ENDED, A2)])
    assert story.leg(A2).outcome is LegOutcome.ANSWERED_ELSEWHERE
    assert story.hear(LegInvited(B1)) == Told([], [(EventType.LEG_DIALLED, B1)])

    story.wait(2.0)
    assert story.hear(LegRinging(B1)) == Told([], [(EventType.LEG_RINGING, B1)])
    assert (story.state, story.call.deadline) == (CallState.RINGING_DESTINATION, 4.375 + ANSWER)

    story.wait(5.0)
    assert story.hear(LegAnswered(B1)) == Told(
        [], [(EventType.LEG_ANSWERED, B1), (EventType.LEG_BRIDGED, B1), EventType.CALL_ANSWERED]
    )
    assert (story.state, story.call.deadline) == (CallState.TALKING, story.at + LONGEST)

    story.wait(60.0)
    assert story.hear(LegLeft(B1), LegEnded(B1, 16)) == Told([HangUpLeg(A1, 16)], [(EventType.LEG_ENDED, B1)])
    assert (story.state, story.call.deadline) == (CallState.RELEASING, story.at + 3)

    story.wait(0.125)
    assert story.hear(LegLeft(A1), LegEnded(A1, 16)) == Told(
        [DestroyBridge()], [(EventType.LEG_ENDED, A1), EventType.CALL_END]
    )
    assert (story.state, story.call.deadline) == (CallState.ENDED, None)

    call = story.call
    assert call.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)
    assert (call.answered_at, call.initiated_at, call.connected_at) == (4.375, 4.375, 11.375)
    assert call.ended_at == 71.375
    assert [(leg.outcome, leg.won, leg.in_bridge) for leg in call.legs] == [
        (LegOutcome.ANSWERED, True, False),
        (LegOutcome.ANSWERED_ELSEWHERE, False, False),
        (LegOutcome.ANSWERED, True, False),
    ]
    winner = story.leg(A1)
    moments = (winner.dialled_at, winner.invited_at, winner.ringing_at, winner.answered_at, winner.ended_at)
    assert moments == (0.125, 0.125, 0.375, 4.375, 71.5)
    assert call.events == 20


def test_an_internal_call_rings_all_phones_of_the_other_user() -> None:
    story = Story(internal_call(devices=1, far_devices=2))

    assert story.hear(CallPlaced()).commands == [
        CreateBridge(),
        CreateLeg(A1, "PJSIP/ann-1", ANN, story.call.destination.party, "US", LIFETIME),
    ]
    story.hear(LegCreated(A1), LegInvited(A1), LegRinging(A1))

    story.wait(3.0)
    assert story.hear(LegAnswered(A1)).commands == [
        JoinLeg(A1),
        StartRingback(A1),
        CreateLeg(B1, "PJSIP/bob-1", ANN, None, "US", LIFETIME),
        CreateLeg(B2, "PJSIP/bob-2", ANN, None, "US", LIFETIME),
    ]
    story.hear(LegJoined(A1))
    assert story.hear(LegCreated(B1), LegCreated(B2)).commands == [DialLeg(B1, A1, DIAL_B), DialLeg(B2, A1, DIAL_B)]
    story.hear(LegInvited(B1), LegInvited(B2), LegRinging(B1))
    assert story.state is CallState.RINGING_DESTINATION

    story.wait(3.0)
    assert story.hear(LegAnswered(B2)) == Told(
        [HangUpLeg(B1, 26), StopRingback(A1), JoinLeg(B2)], [(EventType.LEG_ANSWERED, B2), EventType.CALL_ANSWERED]
    )
    assert (story.state, story.call.deadline) == (CallState.JOINING, story.at + 5)

    assert story.hear(LegJoined(B2)) == Told([], [(EventType.LEG_BRIDGED, B2)])
    assert (story.state, story.call.deadline) == (CallState.TALKING, story.at + LONGEST)


def test_a_call_is_placed_only_once() -> None:
    story = ringing_user()

    assert story.hear(CallPlaced()) == NOTHING


def test_a_signal_about_a_leg_of_nobody_changes_nothing() -> None:
    story = ringing_user()
    stranger = phone(Side.A, 9).id

    assert (
        story.hear(
            LegCreated(stranger),
            LegInvited(stranger),
            LegRinging(stranger),
            LegProgressed(stranger),
            LegAnswered(stranger),
            LegJoined(stranger),
            LegHangingUp(stranger),
            LegLeft(stranger),
            LegEnded(stranger, 16),
            CommandRefused(CreateLeg(stranger, "PJSIP/x", ANN, None, "US", 1), 500, "Allocation failed"),
            CommandRefused(DialLeg(stranger, None, 1), 404, "Channel not found"),
            CommandRefused(JoinLeg(stranger), 500, "Internal Server Error"),
        )
        == NOTHING
    )


@pytest.mark.parametrize(
    "signal",
    [
        CallPlaced(),
        LegCreated(A1),
        LegInvited(A1),
        LegRinging(A1),
        LegProgressed(A1),
        LegAnswered(A1),
        LegJoined(A1),
        LegHangingUp(A1),
        LegLeft(A1),
        LegEnded(A1, 16),
        CommandRefused(CreateBridge(), 500, ""),
        DeadlinePassed(),
        CancelRequested(),
        SwitchRestarted(),
        CallFound((A1,), (), (), bridge=False),
        CallBroken("AssertionError()"),
    ],
    ids=lambda signal: type(signal).__name__,
)
def test_nothing_happens_to_a_call_that_has_ended(signal: Signal) -> None:
    story = releasing()
    story.hear(LegEnded(A1, 16))
    ended = story.call

    assert step(ended, signal, Now(ACCEPTED_AT + 99, CLOCK_ZERO + 99)) == Step(ended)


def test_a_signal_that_means_nothing_gives_back_the_very_same_call() -> None:
    story = talking()
    now = Now(ACCEPTED_AT + story.at, CLOCK_ZERO + story.at)

    for signal in (CallPlaced(), LegCreated(A1), LegInvited(A1), LegRinging(A1), LegAnswered(A1), DeadlinePassed()):
        assert step(story.call, signal, now).call is story.call


def test_a_clock_that_reads_less_than_the_acceptance_counts_as_the_acceptance() -> None:
    taken = step(outward_call(), CallPlaced(), Now(ACCEPTED_AT, CLOCK_ZERO - 5.0))

    assert taken.call.deadline == RING


# --- cancelling ---


def test_cancelling_before_anything_was_asked_ends_the_call_at_once() -> None:
    story = Story(outward_call(kind=DestinationKind.EMERGENCY))

    assert story.hear(CancelRequested()) == Told([], [EventType.CALL_END])
    assert story.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API, None, 16)
    assert [leg.outcome for leg in story.call.legs] == [LegOutcome.CANCELLED] * 3
    assert story.call.ended_at == 0.0


def test_cancelling_while_the_phones_ring_lets_every_leg_go() -> None:
    story = ringing_user()

    assert story.hear(CancelRequested()) == Told([HangUpLeg(A1, 16), HangUpLeg(A2, 16), HangUpLeg(B1, 16)], [])
    assert story.state is CallState.RELEASING
    assert story.hear(*gone(A1, A2)).events == [(EventType.LEG_ENDED, A1), (EventType.LEG_ENDED, A2)]
    assert story.hear(*gone(B1)) == Told([DestroyBridge()], [(EventType.LEG_ENDED, B1), EventType.CALL_END])
    assert story.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API, None, 16)
    assert [leg.outcome for leg in story.call.legs] == [LegOutcome.CANCELLED] * 3


def test_cancelling_while_the_destination_rings_lets_both_sides_go() -> None:
    story = ringing_destination()

    assert story.hear(CancelRequested()).commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API, None, 16)


def test_cancelling_while_they_talk_completes_the_call() -> None:
    story = talking()

    assert story.hear(CancelRequested()).commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.API, None, 16)


def test_cancelling_between_the_answer_and_the_bridge_completes_the_call() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1))
    assert story.state is CallState.JOINING

    story.hear(CancelRequested())

    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.API, None, 16)


def test_cancelling_during_the_tone_does_not_change_why_the_call_ended() -> None:
    story = playing_tone()

    assert story.hear(CancelRequested()).commands == [HangUpLeg(A1, 17)]
    assert story.end.reason is Reason.DESTINATION_BUSY


def test_cancelling_twice_is_cancelling_once() -> None:
    story = ringing_user()
    story.hear(CancelRequested())

    assert story.hear(CancelRequested()) == NOTHING


# --- our own fault ---


def test_a_fault_of_ours_before_the_answer_fails_the_call() -> None:
    story = ringing_user()

    assert story.hear(CallBroken("KeyError()")).commands == [HangUpLeg(A1, 41), HangUpLeg(A2, 41), HangUpLeg(B1, 41)]
    assert story.end == End(Outcome.FAILED, Reason.INTERNAL_ERROR, EndedBy.SYSTEM, FailedLeg.USER)


def test_phones_that_are_let_go_for_a_fault_of_ours_were_cancelled() -> None:
    story = ringing_user(outward_call(1))
    story.hear(CallBroken("KeyError()"), *gone(A1, B1))

    assert [leg.outcome for leg in story.call.legs] == [LegOutcome.CANCELLED] * 2


def test_a_fault_of_ours_while_the_destination_is_dialled_fails_on_its_side() -> None:
    story = dialling()
    story.hear(CallBroken("KeyError()"))

    assert story.end == End(Outcome.FAILED, Reason.INTERNAL_ERROR, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_a_fault_of_ours_in_the_conversation_leaves_it_completed() -> None:
    story = talking()
    story.hear(CallBroken("KeyError()"))

    assert story.end == End(Outcome.COMPLETED, Reason.INTERNAL_ERROR, EndedBy.SYSTEM)


# --- emergency ---


def test_an_emergency_call_is_told_before_anything_rings() -> None:
    story = Story(outward_call(kind=DestinationKind.EMERGENCY))

    told = story.hear(CallPlaced())

    assert told.events == [EventType.CALL_EMERGENCY]
    assert [command.lifetime for command in told.commands if isinstance(command, CreateLeg)] == [43_200] * 3


def test_an_emergency_call_without_a_phone_is_told_all_the_same() -> None:
    call = call_of([dead_phone(Side.A, 1)], [trunk()], DestinationKind.EMERGENCY)
    story = Story(call)

    assert story.hear(CallPlaced()) == Told([], [EventType.CALL_EMERGENCY, EventType.CALL_END])
    assert story.end == End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, FailedLeg.USER)


def test_nobody_gives_up_an_emergency_centre_that_rings() -> None:
    story = ringing_user(outward_call(kind=DestinationKind.EMERGENCY))
    assert story.hear(LegAnswered(A1)).commands[-1] == DialLeg(B1, A1, 43_205)
    assert story.call.deadline == story.at + ANSWER
    story.hear(LegJoined(A1), LegInvited(B1))

    story.wait(8.0).hear(LegRinging(B1))

    assert (story.state, story.call.deadline) == (CallState.RINGING_DESTINATION, story.at + 43_200)


def test_nobody_ends_an_emergency_call_for_its_length() -> None:
    story = talking(outward_call(kind=DestinationKind.EMERGENCY))

    assert story.call.deadline == 3 + 43_200


def answered_both() -> Story:
    """Somebody who called for help was answered, and the two are not in one bridge yet."""
    story = ringing_user(outward_call(1, DestinationKind.EMERGENCY))
    story.hear(LegAnswered(A1), LegInvited(B1), LegAnswered(B1))
    assert story.state is CallState.JOINING
    return story


def test_who_called_for_help_and_was_answered_is_not_hung_up_by_an_asterisk_that_is_slow_to_join_them() -> None:
    story = answered_both()

    for _ in range(11):
        assert story.wait(5.0).hear(DeadlinePassed()).commands == [JoinLeg(A1)]
    assert story.state is CallState.JOINING
    joined = Story(story.call, story.at)
    joined.hear(LegJoined(A1))
    assert joined.state is CallState.TALKING

    story.wait(5.0).hear(DeadlinePassed())  # a minute: they hear nothing of one another
    assert story.end.reason is Reason.SWITCH_LOST


@pytest.mark.parametrize("status", [NO_REPLY, 404, 500])
def test_a_bridge_that_is_not_there_is_made_for_a_call_for_help(status: int) -> None:
    story = answered_both()

    assert story.hear(CommandRefused(JoinLeg(A1), status, "")).commands == [CreateBridge()]
    assert story.state is CallState.JOINING
    assert story.wait(5.0).hear(DeadlinePassed()).commands == [JoinLeg(A1)]


def test_a_call_for_help_rings_whether_or_not_it_has_a_bridge_by_then() -> None:
    story = ringing_user(outward_call(1, DestinationKind.EMERGENCY))
    assert story.hear(CommandRefused(CreateBridge(), NO_REPLY, "")) == NOTHING
    assert story.state is CallState.RINGING_USER


def test_a_fault_of_ours_hangs_up_nobody_who_talks_to_an_emergency_centre() -> None:
    story = talking(outward_call(kind=DestinationKind.EMERGENCY))
    assert story.hear(CallBroken("KeyError()")) == NOTHING
    assert story.state is CallState.TALKING


# --- who can be called at all ---


def test_a_user_without_a_registered_phone_is_told_at_once() -> None:
    call = call_of([dead_phone(Side.A, 1), dead_phone(Side.A, 2)], [trunk()], DestinationKind.EXTERNAL)
    story = Story(call)

    assert story.hear(CallPlaced()) == Told([], [EventType.CALL_END])
    assert story.end == End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, FailedLeg.USER)
    assert story.leg(B1).outcome is LegOutcome.CANCELLED
    assert (story.call.ended_at, story.leg(B1).ended_at) == (0.0, 0.0)


def test_no_phone_of_the_user_rings_when_the_extension_cannot_be_reached() -> None:
    far = [dead_phone(Side.B, 1, registered=True), dead_phone(Side.B, 2)]
    story = Story(call_of(phones(Side.A, 2), far, DestinationKind.EXTENSION))

    assert story.hear(CallPlaced()) == Told([], [EventType.CALL_END])
    assert story.end == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_no_phone_of_the_user_rings_when_the_extension_wants_no_calls() -> None:
    far = [dead_phone(Side.B, 1, outcome=LegOutcome.BUSY)]
    story = Story(call_of(phones(Side.A, 1), far, DestinationKind.EXTENSION))

    assert story.hear(CallPlaced()).commands == []
    assert story.end == End(Outcome.BUSY, Reason.DESTINATION_BUSY, EndedBy.DESTINATION, FailedLeg.DESTINATION)


def test_an_extension_without_any_phone_cannot_be_called() -> None:
    story = Story(call_of(phones(Side.A, 1), [], DestinationKind.EXTENSION))

    story.hear(CallPlaced())

    assert story.end == End(Outcome.FAILED, Reason.NO_DEVICE, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_the_lifetime_of_a_channel_is_longer_than_the_longest_call() -> None:
    call = outward_call(1)
    call = replace(call, limits=replace(call.limits, ring_timeout=20.5, answer_timeout=40.0, max_duration=100.0))

    created = [command for command in Story(call).hear(CallPlaced()).commands if isinstance(command, CreateLeg)]

    assert [command.lifetime for command in created] == [221, 221]
