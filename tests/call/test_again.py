"""What does not happen is asked for again: that a leg which was let go ends, and that a leg enters the bridge."""

import pytest

from c2c_stasis.call.commands import HangUpLeg, JoinLeg
from c2c_stasis.call.model import CallState
from c2c_stasis.call.signals import (
    CallPlaced,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
    Signal,
)
from tests.call.stories import (
    A1,
    A2,
    B1,
    B2,
    NOTHING,
    Story,
    Told,
    dialling,
    gone,
    internal_call,
    outward_call,
    playing_tone,
    ringing_user,
    talking,
)

JOIN_A, JOIN_B = JoinLeg(A1), JoinLeg(B1)


def asks(story: Story, until: float) -> list[tuple[float, object]]:
    """What is asked by time alone until then, each with its moment."""
    asked: list[tuple[float, object]] = []
    while (due := story.call.due) is not None and due <= until:
        story.at = due
        commands = story.hear(DeadlinePassed()).commands
        assert story.call.due != due, "what is due by time is done"
        asked += [(due, command) for command in commands]
    story.at = until
    return asked


def forgotten_by_the_bridge() -> Story:
    """One second in: Ann answered; Asterisk said 204 to her `addChannel`, and never put her into the bridge."""
    story = Story(outward_call(1)).wait(1.0)
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), LegJoined(B1), LegAnswered(A1))
    return story


# --- a leg that was let go and lives ---


def a_loser_that_rings_on() -> Story:
    """The second phone rings on while Ann and the destination talk: Asterisk refused to hang it up."""
    story = ringing_user()
    story.hear(LegAnswered(A1), LegJoined(A1), CommandRefused(HangUpLeg(A2, 26), 503, "Asterisk not booted"))
    story.hear(LegRinging(B1), LegAnswered(B1))
    assert story.state is CallState.TALKING
    return story


def test_a_phone_whose_hang_up_was_refused_is_hung_up_again_while_the_others_talk() -> None:
    story = a_loser_that_rings_on()

    assert story.wait(2.9).hear(DeadlinePassed()) == NOTHING
    assert story.wait(0.1).hear(DeadlinePassed()) == Told([HangUpLeg(A2, 26)], [])
    assert story.state is CallState.TALKING


def test_a_phone_is_hung_up_until_it_has_ended_and_ever_more_seldom() -> None:
    story = a_loser_that_rings_on()

    assert [at for at, _ in asks(story, 200.0)] == [4.0, 10.0, 22.0, 46.0, 94.0, 142.0, 190.0]
    story.hear(LegEnded(A2, 26))
    assert asks(story, 1000.0) == []


def test_what_is_due_is_asked_with_whatever_is_heard_next() -> None:
    story = a_loser_that_rings_on()

    assert story.wait(4.0).hear(LegJoined(A1)).commands == [HangUpLeg(A2, 26)]


def test_a_far_phone_that_lost_is_hung_up_again_as_well() -> None:
    story = dialling(internal_call())
    story.hear(LegRinging(B2), LegAnswered(B1), LegJoined(B1))

    assert story.wait(3.0).hear(DeadlinePassed()).commands == [HangUpLeg(B2, 26)]


def test_a_destination_that_was_given_up_is_hung_up_again_while_the_tone_plays() -> None:
    story = dialling()
    story.wait(60.0).hear(DeadlinePassed())
    assert story.state is CallState.PLAYING_TONE

    assert story.wait(3.0).hear(DeadlinePassed()).commands == [HangUpLeg(B1, 19)]
    assert story.state is CallState.PLAYING_TONE


def test_a_loser_that_enters_the_bridge_is_asked_to_end_all_the_same() -> None:
    story = a_loser_that_rings_on()
    story.hear(LegJoined(A2))

    assert story.wait(3.0).hear(DeadlinePassed()).commands == [HangUpLeg(A2, 26)]


# --- a leg that is not in the bridge ---


def test_a_user_who_is_not_in_the_bridge_after_a_second_is_put_there_again() -> None:
    story = forgotten_by_the_bridge()

    assert story.wait(0.9).hear(DeadlinePassed()) == NOTHING
    assert story.wait(0.1).hear(DeadlinePassed()) == Told([JOIN_A], [])
    story.hear(LegJoined(A1))
    assert story.call.due == story.call.deadline


def test_a_user_is_put_into_the_bridge_until_the_destination_is_given_up() -> None:
    story = forgotten_by_the_bridge()
    story.hear(LegRinging(B1))

    assert asks(story, 40.0) == [(2.0, JOIN_A), (4.0, JOIN_A), (8.0, JOIN_A), (16.0, JOIN_A), (32.0, JOIN_A)]


@pytest.mark.parametrize("told", [LegRinging(B1), LegProgressed(B1)], ids=lambda s: type(s).__name__)
def test_when_the_destination_has_something_to_hear_the_user_is_put_into_the_bridge_at_once(told: Signal) -> None:
    story = forgotten_by_the_bridge()
    asks(story, 5.0)

    assert story.hear(told).commands == [JOIN_A]
    assert asks(story, 6.0) == [(6.0, JOIN_A)]


def test_when_the_destination_answers_the_user_is_put_into_the_bridge_at_once() -> None:
    story = forgotten_by_the_bridge()
    story.hear(LegRinging(B1))
    asks(story, 20.0)

    assert story.hear(LegAnswered(B1)).commands == [JOIN_A]
    assert asks(story, 24.0) == [(21.0, JOIN_A), (23.0, JOIN_A)]
    story.hear(LegJoined(A1))
    assert story.state is CallState.TALKING


def test_a_user_who_is_about_to_enter_is_not_hurried() -> None:
    story = forgotten_by_the_bridge()

    assert story.wait(0.5).hear(LegRinging(B1), LegAnswered(B1)).commands == []


def test_a_single_destination_that_waits_outside_is_put_into_the_bridge_again() -> None:
    story = Story(outward_call(1))
    story.hear(CallPlaced(), LegCreated(A1), LegCreated(B1), LegRinging(A1))

    assert story.wait(1.0).hear(DeadlinePassed()).commands == [JOIN_B]


def test_who_left_the_bridge_and_lives_is_put_there_again() -> None:
    story = talking()
    story.hear(LegLeft(A1))

    assert story.wait(1.0).hear(DeadlinePassed()).commands == [JOIN_A]
    assert story.state is CallState.TALKING


def test_who_hears_a_tone_is_not_put_into_the_bridge() -> None:
    story = playing_tone()
    story.hear(LegLeft(A1))
    assert story.wait(2.0).hear(DeadlinePassed()) == NOTHING

    story = forgotten_by_the_bridge()
    story.hear(LegEnded(B1, 17, 486))
    assert story.state is CallState.PLAYING_TONE
    assert story.wait(2.0).hear(DeadlinePassed()) == NOTHING


def test_who_hung_up_is_asked_for_nothing_more() -> None:
    story = forgotten_by_the_bridge()
    story.hear(LegEnded(A1, 16))

    assert asks(story, 5.0) == [(4.0, HangUpLeg(B1, 16))]
    story.hear(*gone(B1))
    assert story.call.due is None
