"""Commands that Asterisk refused, or never answered: what was asked for may have happened all the same."""

import pytest

from c2c_stasis.call.commands import (
    Command,
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
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import (
    CallState,
    End,
    EndedBy,
    FailedLeg,
    LegOutcome,
    LegState,
    Outcome,
    Reason,
    Side,
    Tone,
)
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
    Signal,
)
from tests.call.stories import (
    A1,
    A2,
    ANN,
    ANSWER,
    B1,
    DIAL_A,
    DIAL_B,
    LIFETIME,
    NOTHING,
    TONE,
    Story,
    Told,
    internal_call,
    outward_call,
    playing_tone,
    ringing_destination,
    ringing_user,
    talking,
)


def refused(command: Command, status: int) -> CommandRefused:
    return CommandRefused(command, status, "said Asterisk")


def create(story: Story, number: int = 1, side: Side = Side.A) -> CreateLeg:
    leg = [leg for leg in story.call.side(side) if leg.endpoint][number - 1]
    return CreateLeg(leg.id, leg.endpoint, ANN, None, "US", LIFETIME)


def test_a_phone_that_asterisk_cannot_call_does_not_stop_the_others() -> None:
    story = Story(outward_call())
    story.hear(CallPlaced())

    assert story.hear(refused(create(story, 1), 500)) == Told([], [(EventType.LEG_ENDED, A1)])
    assert (story.leg(A1).outcome, story.leg(A1).cause) == (LegOutcome.UNREACHABLE, 20)
    assert story.state is CallState.RINGING_USER


def test_when_asterisk_can_call_no_phone_the_call_is_over_at_once() -> None:
    story = Story(outward_call())
    story.hear(CallPlaced(), refused(create(story, 1), 500))

    assert story.hear(refused(create(story, 2), 500)) == Told([HangUpLeg(B1, 19)], [(EventType.LEG_ENDED, A2)])
    assert story.end == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.USER, 20)


def test_a_trunk_that_asterisk_cannot_call_fails_the_call_while_the_phones_ring() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegInvited(A1), LegRinging(A1))

    assert story.hear(refused(create(story, 1, Side.B), 500)) == Told([HangUpLeg(A1, 38)], [(EventType.LEG_ENDED, B1)])
    assert story.end == End(Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION, 38)


def test_a_far_phone_that_asterisk_cannot_call_was_unreachable() -> None:
    story = Story(internal_call(devices=1, far_devices=1))
    story.hear(CallPlaced(), LegCreated(A1), refused(create(story, 1, Side.B), 500))

    assert story.end == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.DESTINATION, 20)


def test_a_leg_of_which_it_is_not_known_whether_it_was_made_is_hung_up() -> None:
    story = Story(outward_call())
    story.hear(CallPlaced())

    assert story.hear(refused(create(story, 1), NO_REPLY)) == Told([HangUpLeg(A1, 16)], [(EventType.LEG_ENDED, A1)])


def test_a_channel_that_turns_up_after_we_gave_it_up_is_hung_up() -> None:
    story = Story(outward_call())
    story.hear(CallPlaced(), refused(create(story, 1), NO_REPLY))

    assert story.hear(LegCreated(A1)) == Told([HangUpLeg(A1, 16)], [])
    assert story.leg(A1).state is LegState.ENDED


def test_a_leg_whose_channel_was_reported_is_kept_though_the_reply_got_lost() -> None:
    story = ringing_user()

    assert story.hear(refused(create(story, 1), NO_REPLY)) == NOTHING
    assert story.leg(A1).state is LegState.RINGING


def test_a_leg_that_could_not_be_dialled_is_let_go_and_its_end_decides() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1))

    assert story.hear(refused(DialLeg(A1, None, DIAL_A), 409)) == Told([HangUpLeg(A1, 27)], [])
    assert story.hear(LegEnded(A1, 27)) == Told([HangUpLeg(B1, 19)], [(EventType.LEG_ENDED, A1)])
    assert story.end == End(Outcome.FAILED, Reason.DEVICE_UNREACHABLE, EndedBy.SYSTEM, FailedLeg.USER, 27)


@pytest.mark.parametrize("told", [LegInvited(A1), LegRinging(A1), LegAnswered(A1)], ids=lambda s: type(s).__name__)
def test_a_leg_that_was_dialled_all_the_same_is_kept(told: Signal) -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), told)

    assert story.hear(refused(DialLeg(A1, None, DIAL_A), 409)) == NOTHING


def test_a_destination_that_could_not_be_dialled_is_a_failure_of_the_trunk() -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1))

    assert story.hear(refused(DialLeg(B1, A1, DIAL_B), 500)) == Told([HangUpLeg(B1, 27)], [])
    assert story.hear(LegEnded(B1, 27)).commands == [PlayTone(A1, Tone.CONGESTION, "US")]
    assert story.end.reason is Reason.TRUNK_FAILED


def test_without_a_bridge_there_is_no_call() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced())

    assert story.hear(refused(CreateBridge(), 500)).commands == [HangUpLeg(A1, 41), HangUpLeg(B1, 41)]
    assert story.end == End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.USER)


@pytest.mark.parametrize("status", [NO_REPLY, 404, 409, 500])
def test_a_user_who_cannot_enter_the_bridge_is_not_left_in_silence(status: int) -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1))

    assert story.hear(refused(JoinLeg(A1), status)).commands == [HangUpLeg(A1, 41), HangUpLeg(B1, 41)]
    assert story.end == End(Outcome.FAILED, Reason.SWITCH_LOST, EndedBy.SYSTEM, FailedLeg.DESTINATION)


@pytest.mark.parametrize("status", [400, 422])
def test_a_leg_that_is_going_decides_by_its_end_and_not_by_the_refused_bridge(status: int) -> None:
    story = ringing_user()
    story.hear(LegAnswered(A1))

    assert story.hear(refused(JoinLeg(A1), status)) == NOTHING


def test_a_conversation_is_not_ended_because_the_reply_of_the_bridge_got_lost() -> None:
    story = talking()

    assert story.hear(refused(JoinLeg(A1), NO_REPLY)) == NOTHING


def test_a_destination_that_was_given_up_needs_no_bridge_for_its_tone() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), LegAnswered(A1), LegJoined(A1), LegRinging(B1))
    story.wait(ANSWER).hear(DeadlinePassed())

    assert story.hear(refused(JoinLeg(B1), 500)) == NOTHING
    assert story.state is CallState.PLAYING_TONE


def test_a_leg_that_was_let_go_needs_no_bridge() -> None:
    story = ringing_destination(internal_call())
    story.hear(LegAnswered(B1), CancelRequested())

    assert story.hear(refused(JoinLeg(B1), 404)) == NOTHING


def test_without_a_tone_the_user_is_released_at_once() -> None:
    story = playing_tone()

    assert story.hear(refused(PlayTone(A1, Tone.BUSY, "US"), 409)).commands == [HangUpLeg(A1, 17)]
    assert story.end.reason is Reason.DESTINATION_BUSY


def test_a_tone_refused_too_late_is_no_news() -> None:
    story = playing_tone()
    story.wait(TONE).hear(DeadlinePassed())

    assert story.hear(refused(PlayTone(A1, Tone.BUSY, "US"), 404)) == NOTHING


@pytest.mark.parametrize(
    "command", [HangUpLeg(A1, 16), StartRingback(A1), StopRingback(A1), DestroyBridge()], ids=lambda c: type(c).__name__
)
def test_a_refused_comfort_does_not_touch_the_call(command: Command) -> None:
    story = talking()

    assert story.hear(refused(command, 500)) == NOTHING
