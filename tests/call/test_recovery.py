"""Catching up: the connection was lost, the service was killed, or Asterisk itself began anew."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from c2c_stasis.call.again import JOIN_AGAIN
from c2c_stasis.call.attempts import DIAL_WITHIN
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
from c2c_stasis.call.model import (
    Call,
    CallState,
    DestinationKind,
    End,
    EndedBy,
    FailedLeg,
    LegOutcome,
    LegState,
    Outcome,
    Reason,
)
from c2c_stasis.call.recovery import in_doubt
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallFound,
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegLeft,
    LegRinging,
    SwitchRestarted,
)
from c2c_stasis.ids import LegId
from tests.call.stories import (
    A1,
    A2,
    ANN,
    B1,
    B2,
    DIAL_A,
    DIAL_B,
    LIFETIME,
    NOTHING,
    ROUTES,
    Story,
    Told,
    dialling,
    internal_call,
    outward_call,
    playing_tone,
    reached,
    releasing,
    ringing_destination,
    ringing_user,
    routed_call,
    talking,
)

READY, RINGING, UP = LegState.READY, LegState.RINGING, LegState.UP
LATE = 5.25  # seconds after the click: too late to set out again


def found(
    story: Story,
    legs: dict[LegId, LegState],
    joined: tuple[LegId, ...] = (),
    *,
    bridge: bool = True,
    after_restart: bool = False,
) -> CallFound:
    """Every live leg was looked for, these were there."""
    asked = tuple(leg.id for leg in story.call.legs if leg.live)
    return CallFound(asked, tuple(legs.items()), joined, bridge, after_restart)


# --- the switch began anew ---


@pytest.mark.parametrize(
    ("reached", "end"),
    [
        (ringing_user, End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.USER)),
        (dialling, End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.DESTINATION)),
        (ringing_destination, End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.DESTINATION)),
        (talking, End(Outcome.COMPLETED, Reason.SWITCH_LOST, EndedBy.SYSTEM)),
        (
            playing_tone,
            End(Outcome.BUSY, Reason.DESTINATION_BUSY, EndedBy.DESTINATION, FailedLeg.DESTINATION, 17, 486),
        ),
        (releasing, End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, None, 16)),
    ],
)
def test_when_the_switch_began_anew_every_call_is_over(reached: Callable[[], Story], end: End) -> None:
    story = reached()

    told = story.hear(SwitchRestarted())

    assert told.commands == [DestroyBridge()]
    assert told.events[-1] is EventType.CALL_END
    assert (story.state, story.end) == (CallState.ENDED, end)
    assert story.call.ended_at_estimated is (reached is not releasing)
    assert not any(leg.live for leg in story.call.legs)


def test_when_the_switch_began_anew_between_the_answer_and_the_bridge_nobody_has_talked() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1), SwitchRestarted())

    assert story.end == End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_a_call_that_has_not_set_out_does_not_care_what_became_of_the_switch() -> None:
    story = Story(outward_call())

    assert story.hear(SwitchRestarted(), found(story, {}, bridge=False)) == NOTHING


# --- the connection was lost ---


def test_nothing_happened_meanwhile() -> None:
    story = talking()

    assert story.hear(found(story, {A1: UP, B1: UP}, (A1, B1))) == NOTHING
    assert story.state is CallState.TALKING


def test_phones_began_to_ring_meanwhile() -> None:
    story = Story(outward_call())
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegCreated(B1))

    assert story.hear(found(story, {A1: RINGING, A2: READY, B1: READY}, (B1,))) == Told(
        [], [EventType.CALL_RINGING, (EventType.LEG_RINGING, A1)]
    )


def test_a_channel_appeared_meanwhile_and_is_dialled_now() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(found(story, {A1: READY, B1: READY})) == Told(
        [DialLeg(A1, None, DIAL_A), JoinLeg(B1)], [(EventType.LEG_CREATED, A1), (EventType.LEG_CREATED, B1)]
    )


def test_a_phone_was_answered_meanwhile() -> None:
    story = ringing_user()

    assert story.hear(found(story, {A1: RINGING, A2: UP, B1: READY}, (B1,))) == Told(
        [HangUpLeg(A1, 26), JoinLeg(A2), DialLeg(B1, A2, DIAL_B)],
        [(EventType.LEG_ANSWERED, A2), EventType.CALL_INITIATED],
    )


def test_two_phones_were_answered_meanwhile_and_one_wins() -> None:
    story = ringing_user()

    told = story.hear(found(story, {A1: UP, A2: UP, B1: READY}, (B1,)))

    assert told.commands == [HangUpLeg(A2, 26), JoinLeg(A1), DialLeg(B1, A1, DIAL_B)]
    assert [leg.won for leg in story.call.legs] == [True, False, False]


def test_the_destination_was_answered_meanwhile() -> None:
    story = ringing_destination()

    assert story.hear(found(story, {A1: UP, B1: UP}, (A1, B1))).events == [
        (EventType.LEG_ANSWERED, B1),
        (EventType.LEG_BRIDGED, B1),
        EventType.CALL_ANSWERED,
    ]
    assert story.state is CallState.TALKING


def test_the_user_hung_up_meanwhile() -> None:
    story = ringing_destination()

    assert story.hear(found(story, {B1: RINGING}, (B1,))) == Told([HangUpLeg(B1, 16)], [(EventType.LEG_ENDED, A1)])
    assert story.end == End(Outcome.CANCELLED, Reason.CANCELLED_BY_USER, EndedBy.USER)
    assert story.call.ended_at_estimated


def test_both_are_gone_meanwhile() -> None:
    story = talking()

    assert story.hear(found(story, {})) == Told(
        [DestroyBridge()], [(EventType.LEG_ENDED, A1), (EventType.LEG_ENDED, B1), EventType.CALL_END]
    )
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.SYSTEM)  # who went first, nobody has heard
    assert story.call.ended_at_estimated  # nor when


def test_both_are_gone_and_a_loser_is_still_there() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegAnswered(B1))

    assert story.hear(found(story, {A2: RINGING})).commands == [HangUpLeg(A2, 26)]
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.SYSTEM)
    assert story.hear(LegEnded(A2, 26)).events == [(EventType.LEG_ENDED, A2), EventType.CALL_END]


def test_both_are_gone_after_the_end_was_decided() -> None:
    story = talking()
    story.hear(CancelRequested())

    story.hear(found(story, {}))
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.API, None, 16)
    assert story.state is CallState.ENDED
    assert not story.call.ended_at_estimated  # it was over when that was asked


@pytest.mark.parametrize(
    ("after_restart", "reason", "cause"), [(True, Reason.SERVICE_RESTARTED, 16), (False, Reason.SWITCH_LOST, 41)]
)
@pytest.mark.parametrize("there", [{A1: UP}, {}])
def test_a_destination_that_went_unheard_is_not_said_not_to_have_answered(
    there: dict[LegId, LegState], after_restart: bool, reason: Reason, cause: int
) -> None:
    story = ringing_destination()

    told = story.hear(found(story, there, tuple(there), after_restart=after_restart))

    hung_up = [command for command in told.commands if isinstance(command, HangUpLeg)]
    assert hung_up == [HangUpLeg(leg, cause) for leg in there]
    assert story.end == End(Outcome.FAILED, reason, EndedBy.SYSTEM, FailedLeg.DESTINATION)
    assert (story.leg(B1).outcome, story.leg(B1).cause) == (LegOutcome.CANCELLED, None)


def test_one_far_phone_that_went_unheard_leaves_the_others_ringing() -> None:
    story = dialling(internal_call())
    story.hear(LegCreated(B1), LegCreated(B2), LegRinging(B2))

    told = story.hear(found(story, {A1: UP, B2: RINGING}, (A1,), after_restart=True))

    assert story.state is CallState.RINGING_DESTINATION
    assert [command for command in told.commands if isinstance(command, HangUpLeg)] == []


def test_a_leg_that_was_not_looked_for_is_not_missed() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(CallFound((), (), (), bridge=True)) == NOTHING
    assert story.leg(A1).state is LegState.CREATING


def test_a_hang_up_that_may_have_got_lost_is_repeated() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1))

    assert story.hear(found(story, {A1: UP, A2: RINGING, B1: READY}, (A1, B1))).commands == [HangUpLeg(A2, 26)]


def test_a_loser_that_answered_meanwhile_is_hung_up_once() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1))

    assert story.hear(found(story, {A1: UP, A2: UP, B1: READY}, (A1, B1))).commands == [HangUpLeg(A2, 26)]


def test_a_winner_outside_the_bridge_is_put_into_it() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegInvited(B1))

    assert story.hear(found(story, {A1: UP, B1: READY}, (B1,))).commands == [JoinLeg(A1)]


def test_a_leg_that_left_the_bridge_meanwhile_is_put_back() -> None:
    story = talking()

    assert story.hear(found(story, {A1: UP, B1: UP}, (A1,))).commands == [JoinLeg(B1)]
    assert story.hear(LegJoined(B1)).events == [(EventType.LEG_BRIDGED, B1)]
    assert story.state is CallState.TALKING


def test_the_ringback_goes_on_while_the_far_phones_ring() -> None:
    story = ringing_destination(internal_call())

    assert story.hear(found(story, {A1: UP, B1: RINGING, B2: RINGING}, (A1,))).commands == [StartRingback(A1)]


def test_the_ringback_does_not_sound_through_the_conversation() -> None:
    story = talking(internal_call())

    assert story.hear(found(story, {A1: UP, B1: UP}, (A1, B1))).commands == [StopRingback(A1)]


def test_a_far_phone_that_answered_meanwhile_is_asked_into_the_bridge_once() -> None:
    story = ringing_destination(internal_call())

    assert story.hear(found(story, {A1: UP, B1: UP, B2: RINGING}, (A1,))).commands == [
        HangUpLeg(B2, 26),
        StopRingback(A1),
        JoinLeg(B1),
    ]


def test_during_the_tone_no_ringback_is_asked_for() -> None:
    story = playing_tone(internal_call())

    assert story.hear(found(story, {A1: UP}, (A1,))) == NOTHING


# --- the service was killed ---


def test_a_call_that_rang_goes_on_ringing() -> None:
    story = ringing_user()

    assert story.hear(found(story, {A1: RINGING, A2: RINGING, B1: READY}, (B1,), after_restart=True)) == NOTHING
    assert story.state is CallState.RINGING_USER


def test_a_call_whose_bridge_was_never_made_fails() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())
    story.wait(LATE)

    told = story.hear(found(story, {A1: READY, B1: READY}, bridge=False, after_restart=True))

    assert told.commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.USER)
    assert not story.call.ended_at_estimated  # it is we who ended it


def test_no_phone_rings_on_for_a_call_whose_bridge_was_never_made() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())
    story.wait(LATE)

    told = story.hear(found(story, {A1: RINGING, B1: READY}, bridge=False, after_restart=True))

    assert told == Told([HangUpLeg(A1, 16), HangUpLeg(B1, 16)], [])
    assert story.leg(A1).release_cause == 16


@pytest.mark.parametrize("there", [{}, {A1: RINGING}, {B1: READY}])
def test_a_call_of_which_one_side_was_never_made_fails(there: dict[LegId, LegState]) -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())
    story.wait(LATE)

    story.hear(found(story, there, after_restart=True), *(LegEnded(leg_id, 16) for leg_id in there))

    assert story.state is CallState.ENDED
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.USER)


def test_far_phones_that_were_never_made_are_not_blamed() -> None:
    story = ringing_user(internal_call())
    story.hear(LegAnswered(A1), LegJoined(A1))
    story.wait(10.25)

    told = story.hear(found(story, {A1: UP}, (A1,), after_restart=True))

    assert told.commands[0] == HangUpLeg(A1, 16)
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.DESTINATION)


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_young_call_of_which_nothing_was_carried_out_sets_out_again(seconds: float) -> None:
    story = Story(outward_call(2))
    first = story.hear(CallPlaced())
    story.wait(seconds)

    told = story.hear(found(story, {}, bridge=False, after_restart=True))

    assert told == Told(first.commands, [])
    assert first.commands[0] == CreateBridge()
    assert story.state is CallState.RINGING_USER


def test_of_a_young_call_only_what_was_never_made_is_made() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced())

    told = story.hear(found(story, {A1: RINGING}, after_restart=True))

    assert [command.leg_id for command in told.commands if isinstance(command, CreateLeg)] == [A2, B1]
    assert CreateBridge() not in told.commands
    assert story.leg(A1).state is RINGING


def test_a_young_call_whose_bridge_alone_was_never_made_gets_one_before_it_is_entered() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    told = story.hear(found(story, {A1: READY, B1: READY}, bridge=False, after_restart=True))

    assert told.commands == [CreateBridge(), DialLeg(A1, None, DIAL_A), JoinLeg(B1)]


def test_what_a_young_call_has_let_go_already_is_not_made_again() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), *reached(A1), LegCreated(B1), LegJoined(B1), LegAnswered(A1))
    assert story.leg(A2).released

    told = story.hear(found(story, {A1: UP, B1: RINGING}, (A1, B1), after_restart=True))

    assert not [command for command in told.commands if isinstance(command, CreateLeg)]
    assert story.leg(A2).outcome is LegOutcome.ANSWERED_ELSEWHERE


def test_far_phones_that_were_never_made_are_made_for_a_user_who_answered_a_moment_ago() -> None:
    story = ringing_user(internal_call())
    first = story.hear(LegAnswered(A1), LegJoined(A1))
    story.wait(10.0)

    told = story.hear(found(story, {A1: UP}, (A1,), after_restart=True))

    assert [command for command in first.commands if isinstance(command, CreateLeg)] == [
        command for command in told.commands if isinstance(command, CreateLeg)
    ]
    assert story.state is CallState.DIALLING_DESTINATION


def test_after_a_lost_connection_alone_nothing_is_made_again() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(CallFound((), (), (), bridge=False)) == NOTHING


def test_who_answered_long_before_we_are_back_is_joined_and_not_cut_off() -> None:
    story = dialling()
    story.hear(LegLeft(B1), LegAnswered(B1))
    story.wait(60.0)

    told = story.hear(found(story, {A1: UP, B1: UP}, (A1,), after_restart=True), DeadlinePassed())

    assert told.commands == [JoinLeg(B1)]
    story.hear(LegJoined(B1))
    assert story.state is CallState.TALKING


def test_a_conversation_is_not_taken_for_a_call_that_never_began() -> None:
    story = talking()

    told = story.hear(found(story, {A1: UP, B1: UP}, bridge=False, after_restart=True))

    assert told.commands == [JoinLeg(A1), JoinLeg(B1)]
    assert story.state is CallState.TALKING


def test_legs_that_nobody_looked_for_are_not_lost() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(CallFound((), (), (), bridge=True, after_restart=True)) == NOTHING


def test_a_phone_that_was_let_go_is_no_caller_for_the_destination() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegCreated(B1))
    story.hear(CommandRefused(DialLeg(A1, None, DIAL_A), 409, "Channel in invalid state"))

    story.hear(found(story, {A1: UP, A2: RINGING, B1: RINGING}, (B1,), after_restart=True))

    assert (story.state, story.leg(B1).dialled_at) == (CallState.RINGING_USER, None)


def test_a_call_of_which_one_device_was_never_made_rings_at_the_other() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced())
    story.wait(LATE)

    story.hear(found(story, {A1: RINGING, B1: READY}, (B1,), after_restart=True))

    assert story.state is CallState.RINGING_USER
    assert story.leg(A2).outcome is LegOutcome.UNREACHABLE


def test_a_missing_bridge_alone_does_not_stop_the_ringing() -> None:
    story = ringing_user()

    assert story.hear(found(story, {A1: RINGING, A2: RINGING, B1: READY}, bridge=False)) == NOTHING


def test_a_call_of_which_nothing_was_carried_out_yet_ends() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())
    story.wait(LATE)

    told = story.hear(found(story, {}, bridge=False, after_restart=True))

    assert told.events[-1] is EventType.CALL_END
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.USER)


def test_a_destination_of_which_it_is_not_known_whether_it_was_dialled_is_not_dialled_again() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))

    assert story.hear(found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)).commands == [
        HangUpLeg(A1, 16),
        HangUpLeg(B1, 16),
    ]
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_a_destination_that_was_not_dialled_as_the_switch_knows_is_dialled_now() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))
    story.wait(DIAL_WITHIN)

    look = found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)
    told = story.hear(replace(look, undialled=(B1,)))

    assert told.commands == [DialLeg(B1, A1, DIAL_B)]
    assert (story.state, story.leg(B1).dialled_at) == (CallState.DIALLING_DESTINATION, story.at)


def test_nobody_waits_in_silence_for_a_destination_that_nobody_dialled() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))
    story.wait(DIAL_WITHIN + 0.25)

    look = found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)
    told = story.hear(replace(look, undialled=(B1,)))

    assert told.commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.FAILED, Reason.SERVICE_RESTARTED, EndedBy.SYSTEM, FailedLeg.DESTINATION)


def test_a_channel_that_was_made_late_is_not_dialled_for_somebody_who_has_waited_too_long() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegAnswered(A1), LegJoined(A1))
    story.wait(DIAL_WITHIN + 0.25)

    told = story.hear(found(story, {A1: UP, B1: READY}, (A1,), after_restart=True))

    assert told.commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]


def test_a_destination_that_was_dialled_as_the_switch_knows_is_waited_for() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))
    story.wait(DIAL_WITHIN + 0.25)

    look = found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)

    assert story.hear(replace(look, dialled=(B1,))) == Told([], [(EventType.LEG_DIALLED, B1)])
    assert story.state is CallState.DIALLING_DESTINATION


def test_a_destination_that_was_dialled_beyond_the_record_is_not_dialled_again() -> None:
    story = ringing_user()

    look = found(story, {A1: UP, A2: RINGING, B1: READY}, (A1, B1), after_restart=True)
    told = story.hear(replace(look, dialled=(B1,)))

    assert told.commands == [HangUpLeg(A2, 26), JoinLeg(A1)]
    assert story.leg(B1).invited_at == story.at


def test_of_two_far_phones_only_the_one_that_was_not_dialled_is_dialled_now() -> None:
    story = ringing_user(internal_call())
    story.hear(LegAnswered(A1), LegJoined(A1), LegCreated(B1), LegCreated(B2))

    look = found(story, {A1: UP, B1: READY, B2: READY}, (A1,), after_restart=True)
    told = story.hear(replace(look, dialled=(B1,), undialled=(B2,)))

    assert told.commands == [DialLeg(B2, A1, DIAL_B), StartRingback(A1)]


def test_a_destination_that_was_let_go_is_not_dialled_though_it_never_was() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))
    story.hear(CommandRefused(DialLeg(B1, A1, DIAL_B), 409, "Channel in invalid state"))

    look = found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)

    assert story.hear(replace(look, undialled=(B1,))).commands == [HangUpLeg(B1, 27)]


def test_it_is_asked_of_whom_only_the_switch_can_tell() -> None:
    story = ringing_user()
    there = {A1: UP, A2: RINGING, B1: READY}
    assert in_doubt(story.call, there | {A1: RINGING}) == []  # nobody has answered: no destination was dialled
    assert in_doubt(story.call, there) == [B1]
    assert in_doubt(story.call, there | {B1: RINGING}) == []
    assert in_doubt(story.call, {A1: UP}) == []

    story.hear(LegAnswered(A1))
    assert in_doubt(story.call, {B1: READY}) == [B1]
    story.hear(LegInvited(B1))
    assert in_doubt(story.call, {B1: READY}) == []
    assert in_doubt(releasing().call, {A1: UP, B1: READY}) == []


def test_what_waits_in_the_bridge_in_vain_is_not_put_there_again_when_it_is_gone() -> None:
    story = ringing_user(outward_call(1))
    story.hear(LegAnswered(A1))
    story.wait(story.at + JOIN_AGAIN)
    story.hear(DeadlinePassed())

    told = story.hear(found(story, {B1: UP}, (B1,)))

    assert JoinLeg(A1) not in told.commands


def test_after_a_lost_connection_alone_the_dialling_is_trusted() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))

    assert story.hear(found(story, {A1: UP, B1: READY}, (A1, B1))) == NOTHING


def test_a_destination_that_was_invited_before_is_waited_for() -> None:
    story = dialling()

    assert story.hear(found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)) == NOTHING


def test_a_destination_that_rings_was_dialled() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))

    assert story.hear(found(story, {A1: UP, B1: RINGING}, (A1, B1), after_restart=True)).events == [
        (EventType.LEG_RINGING, B1)
    ]
    assert story.state is CallState.RINGING_DESTINATION


def test_one_far_phone_that_was_dialled_for_sure_is_waited_for() -> None:
    story = ringing_user(internal_call())
    story.hear(LegAnswered(A1), LegJoined(A1), LegCreated(B1), LegCreated(B2), LegInvited(B1))

    told = story.hear(found(story, {A1: UP, B1: READY, B2: READY}, (A1,), after_restart=True))

    assert told.commands == [StartRingback(A1)]


def test_a_destination_that_is_being_let_go_is_not_given_up_twice() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(A2, 26))
    story.hear(CommandRefused(DialLeg(B1, A1, DIAL_B), 409, "Channel in invalid state"))

    told = story.hear(found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True))

    assert told.commands == [HangUpLeg(B1, 27)]
    assert story.state is CallState.DIALLING_DESTINATION


def test_a_phone_answered_while_we_were_away_and_the_destination_is_dialled_now() -> None:
    story = ringing_user()

    told = story.hear(found(story, {A1: UP, A2: RINGING, B1: READY}, (B1,), after_restart=True))

    assert told.commands == [HangUpLeg(A2, 26), JoinLeg(A1), DialLeg(B1, A1, DIAL_B)]
    assert story.state is CallState.DIALLING_DESTINATION


def test_a_destination_that_the_record_does_not_know_to_be_dialled_is_not_dialled_again() -> None:
    """The commands of a step may be carried out before the record of the step, when the database is slow."""
    story = ringing_user()

    told = story.hear(found(story, {A1: UP, A2: RINGING, B1: RINGING}, (A1, B1), after_restart=True))

    assert told.commands == [HangUpLeg(A2, 26), JoinLeg(A1)]
    assert story.leg(B1).dialled_at == story.at
    assert story.state is CallState.RINGING_DESTINATION


def test_phones_that_the_record_does_not_know_to_be_dialled_are_not_dialled_again() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    told = story.hear(found(story, {A1: RINGING, B1: READY}, after_restart=True))

    assert told == Told(
        [JoinLeg(B1)], [EventType.CALL_RINGING, (EventType.LEG_RINGING, A1), (EventType.LEG_CREATED, B1)]
    )


def test_a_destination_that_was_made_late_and_dialled_beyond_the_record_is_not_dialled_again() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegAnswered(A1), LegJoined(A1))

    told = story.hear(found(story, {A1: UP, B1: RINGING}, (A1, B1), after_restart=True))

    assert told.commands == []
    assert story.state is CallState.RINGING_DESTINATION


def test_a_leg_that_was_given_up_and_is_there_all_the_same_is_hung_up() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A2), LegCreated(B1))
    story.hear(CommandRefused(CreateLeg(A1, "PJSIP/ann-1", ANN, None, "US", LIFETIME), NO_REPLY, ""))

    told = story.hear(found(story, {A1: RINGING, A2: READY, B1: READY}, (B1,)))

    assert told == Told([HangUpLeg(A1, 16)], [])
    assert story.leg(A1).state is LegState.ENDED


def test_what_stands_in_the_bridge_is_taken_from_what_was_found() -> None:
    story = ringing_user()

    story.hear(found(story, {A1: RINGING, A2: RINGING, B1: READY}, (B1,)))
    assert [leg.in_bridge for leg in story.call.legs] == [False, False, True]

    story.hear(found(story, {A1: RINGING, A2: RINGING, B1: READY}))
    assert [leg.in_bridge for leg in story.call.legs] == [False, False, False]


def test_phones_that_were_dialled_and_are_silent_are_waited_for() -> None:
    """The record of a device that is dialled is a moment behind: what it says has happened."""
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegCreated(B1))

    assert story.hear(found(story, {A1: READY, A2: READY, B1: READY}, (B1,), after_restart=True)) == NOTHING


@pytest.mark.parametrize("invited", [A1, A2])
def test_a_phone_that_was_dialled_for_sure_is_waited_for(invited: LegId) -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegCreated(B1), LegInvited(invited))

    assert story.hear(found(story, {A1: READY, A2: READY, B1: READY}, (B1,), after_restart=True)) == NOTHING


def test_a_phone_that_rings_was_dialled() -> None:
    story = Story(outward_call(2))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(A2), LegCreated(B1))

    told = story.hear(found(story, {A1: READY, A2: RINGING, B1: READY}, (B1,), after_restart=True))

    assert told == Told([], [EventType.CALL_RINGING, (EventType.LEG_RINGING, A2)])


def test_a_destination_that_talks_to_nobody_is_let_go_with_the_user_who_left() -> None:
    story = ringing_user(outward_call(1))

    told = story.hear(found(story, {B1: UP}, (B1,), after_restart=True))

    assert told.commands == [HangUpLeg(B1, 19)]
    assert (story.leg(A1).outcome, story.call.connected_at) == (LegOutcome.NO_ANSWER, None)


def test_a_destination_that_rings_for_nobody_is_not_taken_for_dialled() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1))

    story.hear(found(story, {A1: RINGING, B1: RINGING}, after_restart=True))

    assert (story.leg(B1).state, story.leg(B1).dialled_at) == (READY, None)
    assert story.hear(LegAnswered(B1)) == NOTHING


def test_the_conversation_went_on_without_us() -> None:
    story = talking()

    assert story.hear(found(story, {A1: UP, B1: UP}, (A1, B1), after_restart=True)) == NOTHING


def test_one_side_left_the_conversation_while_we_were_away() -> None:
    story = talking()

    told = story.hear(found(story, {B1: UP}, (B1,), after_restart=True))

    assert told.commands == [HangUpLeg(B1, 16)]
    assert story.end == End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.USER, None, 16)


def test_letting_go_is_asked_again() -> None:
    story = ringing_user(outward_call(1))
    story.hear(CancelRequested())

    told = story.hear(found(story, {A1: RINGING, B1: READY}, (B1,), after_restart=True))

    assert told.commands == [HangUpLeg(A1, 16), HangUpLeg(B1, 16)]


def test_letting_go_was_finished_without_us() -> None:
    story = ringing_user(outward_call(1))
    story.hear(CancelRequested())

    told = story.hear(found(story, {}, after_restart=True))

    assert told.commands == [DestroyBridge()]
    assert story.state is CallState.ENDED


def test_what_was_asked_before_the_loss_is_not_asked_again() -> None:
    story = talking()
    story.hear(LegLeft(B1))

    told = story.hear(found(story, {A1: UP, B1: UP}, (A1, B1)))

    assert told == Told([], [(EventType.LEG_BRIDGED, B1)])


def test_the_recovered_call_keeps_its_deadline() -> None:
    story = ringing_user()
    story.call = replace(story.call, deadline=12.5)
    story.hear(found(story, {A1: RINGING, A2: RINGING, B1: READY}, (B1,), after_restart=True))

    assert story.call.deadline == 12.5


# --- emergency ---


def call_for_help(devices: int = 1) -> Call:
    """Ann calls for help; there are two more trunks."""
    return routed_call(*ROUTES, kind=DestinationKind.EMERGENCY, on_any_failure=True, devices=devices)


@pytest.mark.parametrize("after_restart", [True, False])
@pytest.mark.parametrize("before", [dialling, ringing_destination])
def test_who_calls_for_help_gets_the_next_trunk_when_one_has_failed_unheard(
    before: Callable[[Call], Story], after_restart: bool
) -> None:
    story = before(call_for_help())

    told = story.hear(found(story, {A1: UP}, (A1,), after_restart=after_restart))

    assert [command.leg_id for command in told.commands if isinstance(command, CreateLeg)] == [B2]
    assert not [command for command in told.commands if isinstance(command, HangUpLeg)]
    assert story.state is CallState.DIALLING_DESTINATION


def test_nobody_is_called_for_somebody_who_has_left_unheard() -> None:
    story = ringing_destination(call_for_help())

    told = story.hear(found(story, {}, after_restart=True))

    assert not [command for command in told.commands if isinstance(command, CreateLeg)]
    assert (story.state, story.end.reason) == (CallState.ENDED, Reason.SERVICE_RESTARTED)


def test_who_asked_for_help_is_rung_as_long_as_the_phones_would_have_rung_though_we_were_away_for_long() -> None:
    def away(seconds: float) -> tuple[Story, Told, Told]:
        story = Story(call_for_help())
        first = story.hear(CallPlaced())
        story.wait(seconds)
        return story, first, story.hear(found(story, {}, bridge=False, after_restart=True))

    longest = call_for_help().limits.ring_timeout
    story, first, again = away(longest)
    assert again == Told(first.commands, [])
    assert (story.state, story.call.deadline) == (CallState.RINGING_USER, story.at + longest)
    assert story.hear(DeadlinePassed()) == NOTHING

    story, _, _ = away(longest + 0.25)
    assert story.end.reason is Reason.SERVICE_RESTARTED


def test_who_waits_at_the_phone_for_help_is_connected_however_long_we_were_away() -> None:
    story = ringing_user(call_for_help())
    story.hear(LegAnswered(A1), LegJoined(A1))
    story.wait(600.0)

    look = found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True)
    told = story.hear(replace(look, undialled=(B1,)))

    assert [command.leg_id for command in told.commands if isinstance(command, DialLeg)] == [B1]
    assert story.hear(DeadlinePassed()) == NOTHING


def test_the_trunk_of_which_nobody_was_asked_yet_is_asked_for_who_waits_for_help() -> None:
    story = dialling(call_for_help())
    story.hear(LegEnded(B1, 34, 503))
    story.wait(600.0)

    told = story.hear(found(story, {A1: UP}, (A1,), after_restart=True))

    assert [command.leg_id for command in told.commands if isinstance(command, CreateLeg)] == [B2]
    assert story.hear(DeadlinePassed()) == NOTHING
    assert story.call.deadline == story.at + DIAL_WITHIN


def test_a_call_for_help_of_which_nobody_knows_whether_it_was_dialled_goes_on_to_the_next_trunk() -> None:
    story = ringing_user(call_for_help())
    story.hear(LegAnswered(A1), LegJoined(A1))

    told = story.hear(found(story, {A1: UP, B1: READY}, (A1, B1), after_restart=True))
    assert not [command for command in told.commands if isinstance(command, HangUpLeg | DialLeg)]

    story.wait(story.call.limits.attempt_timeout)
    assert HangUpLeg(B1, 27) in story.hear(DeadlinePassed()).commands
    told = story.hear(LegEnded(B1))
    assert [command.leg_id for command in told.commands if isinstance(command, CreateLeg)] == [B2]
