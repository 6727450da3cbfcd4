"""The trunks of a destination, tried one after another: when the next one's turn comes, and when it never does.

Ann has answered on her only phone; the carrier's trunk is tried first, then the second, then the third.
"""

import pytest
from msgspec.structs import replace

from c2c_stasis.call.causes import NORMAL, OUT_OF_ORDER
from c2c_stasis.call.commands import CreateLeg, DialLeg, HangUpLeg, JoinLeg, PlayTone
from c2c_stasis.call.model import (
    Call,
    CallState,
    DestinationKind,
    EndedBy,
    Identity,
    LegOutcome,
    LegState,
    Outcome,
    Reason,
    Tone,
)
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
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegProgressed,
    LegRinging,
)
from c2c_stasis.ids import LegId
from tests.call.stories import (
    A1,
    ANN,
    ANSWER,
    B1,
    B2,
    B3,
    DIAL_B,
    LIFETIME,
    ROUTES,
    SECOND,
    THIRD,
    Story,
    created,
    dialling,
    internal_call,
    ringing_user,
    routed_call,
)

SILENCE = 12.0  # seconds that a trunk may be silent when there is another
EMERGENCY = routed_call(*ROUTES, kind=DestinationKind.EMERGENCY, on_any_failure=True)


def made(leg_id: LegId, endpoint: str = SECOND.endpoint) -> CreateLeg:
    """The command that makes a later attempt."""
    return CreateLeg(leg_id, endpoint, ANN, None, "US", LIFETIME)


def on_the_second(call: Call | None = None) -> Story:
    """Two seconds in: the first trunk has failed, and the second dials."""
    story = dialling(call or routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503), *created(B2), LegJoined(B2), LegInvited(B2))
    return story


# --- the next one ---


@pytest.mark.parametrize(
    ("cause", "sip_code"),
    [(34, 503), (38, 500), (27, 502), (18, 408), (38, 504), (3, None), (27, None), (21, 403), (0, 401), (None, None)],
)
def test_a_trunk_that_fails_before_anything_rang_is_followed_by_the_next(
    cause: int | None, sip_code: int | None
) -> None:
    story = dialling(routed_call(*ROUTES))

    assert story.hear(LegEnded(B1, cause, sip_code)).commands == [made(B2)]
    assert story.state is CallState.DIALLING_DESTINATION
    assert story.call.routes == (THIRD,)
    assert (story.leg(B2).trunk, story.leg(B2).begun_at) == ("second", story.at)


def test_the_next_attempt_waits_in_the_bridge_and_is_dialled_on_behalf_of_the_users_phone() -> None:
    story = dialling(routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503))

    assert story.hear(LegCreated(B2)).commands == [JoinLeg(B2), DialLeg(B2, A1, DIAL_B)]


@pytest.mark.parametrize("call", [routed_call(*ROUTES), EMERGENCY], ids=["ordinary", "emergency"])
def test_the_next_trunk_is_not_dialled_when_the_user_hangs_up_while_its_channel_is_made(call: Call) -> None:
    story = dialling(call)
    story.hear(LegEnded(B1, 34, 503), LegHangingUp(A1))

    step = story.hear(LegCreated(B2))

    assert not [command for command in step.commands if isinstance(command, DialLeg)]
    assert HangUpLeg(B2, NORMAL) in story.hear(LegEnded(A1, NORMAL)).commands


def test_they_talk_through_the_second_trunk() -> None:
    story = on_the_second()

    story.hear(LegRinging(B2), LegAnswered(B2))

    assert story.state is CallState.TALKING
    assert [leg.won for leg in story.call.side(story.leg(B1).side)] == [False, True]


def test_when_all_trunks_fail_the_last_one_tells_why() -> None:
    story = on_the_second(routed_call(*ROUTES))

    story.hear(LegEnded(B2, 38, 500), LegCreated(B3))
    told = story.hear(LegEnded(B3, 3, 420))

    assert told.commands == [PlayTone(A1, Tone.CONGESTION, "US")]
    assert (story.end.reason, story.end.sip_code) == (Reason.NO_ROUTE, 420)
    assert [leg.sip_code for leg in story.call.legs[1:]] == [503, 500, 420]


def test_a_trunk_that_cannot_be_dialled_at_all_is_followed_by_the_next() -> None:
    story = ringing_user(routed_call(SECOND))
    story.hear(LegAnswered(A1), LegJoined(A1))

    story.hear(CommandRefused(DialLeg(B1, A1, DIAL_B), 409, "not in a state for it"))
    assert story.hear(LegEnded(B1, OUT_OF_ORDER)).commands == [made(B2)]


def test_a_trunk_without_a_channel_is_followed_by_the_next_while_the_users_phones_still_ring() -> None:
    story = Story(routed_call(SECOND))
    first = next(c for c in story.hear(CallPlaced()).commands if isinstance(c, CreateLeg) and c.leg_id == B1)

    assert story.hear(CommandRefused(first, 500, "Allocation failed")).commands == [made(B2)]
    assert story.state is CallState.RINGING_USER
    assert story.call.deadline == story.call.limits.ring_timeout
    assert story.hear(LegCreated(B2)).commands == [JoinLeg(B2)]  # it waits for the user, as the first would have

    story.hear(LegCreated(A1))
    assert DialLeg(B2, A1, DIAL_B) in story.hear(LegAnswered(A1)).commands


def test_a_channel_that_ends_before_it_was_dialled_says_nothing_of_the_destination() -> None:
    story = ringing_user(routed_call(SECOND))

    assert story.hear(LegEnded(B1, 16)).commands == [made(B2)]


def test_without_a_channel_through_any_trunk_no_phone_rings_on() -> None:
    story = ringing_user(routed_call(SECOND))

    story.hear(LegEnded(B1, 38), CommandRefused(made(B2), 500, "Allocation failed"))

    assert (story.state, story.end.reason) == (CallState.RELEASING, Reason.TRUNK_FAILED)


# --- not the next one ---


@pytest.mark.parametrize(
    ("cause", "sip_code", "reason"),
    [
        (17, 486, Reason.DESTINATION_BUSY),
        (17, 600, Reason.DESTINATION_BUSY),
        (21, 603, Reason.DESTINATION_REJECTED),
        (1, 404, Reason.INVALID_NUMBER),
        (28, 484, Reason.INVALID_NUMBER),
        (19, 480, Reason.DESTINATION_NO_ANSWER),
        (16, None, Reason.DESTINATION_REJECTED),
    ],
)
def test_a_destination_that_is_busy_declines_or_does_not_exist_is_not_asked_for_again(
    cause: int, sip_code: int | None, reason: Reason
) -> None:
    story = dialling(routed_call(SECOND))

    story.hear(LegEnded(B1, cause, sip_code))

    assert (story.state, story.end.reason) == (CallState.PLAYING_TONE, reason)
    assert [leg.id for leg in story.call.legs] == [A1, B1]


@pytest.mark.parametrize("alert", [LegRinging(B1), LegProgressed(B1)])
def test_after_ringing_or_early_media_no_other_trunk_is_tried(alert: LegRinging | LegProgressed) -> None:
    story = dialling(routed_call(SECOND))

    story.hear(alert, LegEnded(B1, 34, 503))

    assert (story.state, story.end.reason) == (CallState.PLAYING_TONE, Reason.CONGESTION)
    assert [leg.id for leg in story.call.legs] == [A1, B1]


def test_a_user_who_hangs_up_meanwhile_has_nobody_called_any_more() -> None:
    story = dialling(routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503))

    assert story.hear(LegEnded(A1, 16)).commands == [HangUpLeg(B2, NORMAL)]
    assert story.end.reason is Reason.CANCELLED_BY_USER
    assert story.hear(LegCreated(B2)).commands == [HangUpLeg(B2, NORMAL)]


def test_a_call_that_is_cancelled_between_two_attempts_ends() -> None:
    story = dialling(routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503), CancelRequested(), LegEnded(A1, 16), LegEnded(B2, 16))

    assert (story.state, story.end.reason) == (CallState.ENDED, Reason.CANCELLED_BY_API)
    assert story.leg(B2).outcome is LegOutcome.CANCELLED


def test_several_phones_of_a_colleague_are_no_routes() -> None:
    story = dialling(internal_call())

    assert story.hear(LegEnded(B1, 34, 503)).commands == []


# --- silence ---


def test_a_silent_trunk_is_given_up_and_the_next_one_dials_when_it_has_gone() -> None:
    story = dialling(routed_call(SECOND))
    assert story.call.deadline == 1.0 + SILENCE  # the user answered after a second

    story.at = 1.0 + SILENCE
    assert story.hear(DeadlinePassed()).commands == [HangUpLeg(B1, OUT_OF_ORDER)]
    assert story.call.legs[-1].id == B1
    assert story.hear(LegEnded(B1, OUT_OF_ORDER)).commands == [made(B2)]
    assert story.leg(B1).outcome is LegOutcome.UNREACHABLE


def test_the_last_trunk_has_all_the_time_that_is_left() -> None:
    story = on_the_second()

    assert story.call.deadline == 1.0 + ANSWER
    assert dialling(routed_call()).call.deadline == 1.0 + ANSWER


def test_a_trunk_that_rings_has_all_the_time_that_is_left() -> None:
    story = dialling(routed_call(SECOND))

    story.hear(LegRinging(B1))

    assert story.call.deadline == 1.0 + ANSWER


def test_all_attempts_together_have_the_time_to_answer() -> None:
    story = dialling(replace(routed_call(*ROUTES), limits=replace(routed_call().limits, answer_timeout=20.0)))

    story.at = 1.0 + SILENCE
    story.hear(DeadlinePassed(), LegEnded(B1, OUT_OF_ORDER), LegCreated(B2), LegInvited(B2))
    assert story.call.deadline == 21.0
    story.at = 21.0
    told = story.hear(DeadlinePassed())

    assert told.commands == [HangUpLeg(B2, 19), PlayTone(A1, Tone.CONGESTION, "US")]
    assert (story.end.outcome, story.end.reason) == (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER)
    assert story.end.ended_by is EndedBy.SYSTEM


def test_a_trunk_that_does_not_even_end_keeps_nobody_waiting_for_ever() -> None:
    story = dialling(routed_call(SECOND))
    story.at = 1.0 + SILENCE
    story.hear(DeadlinePassed())

    story.wait(10.0).hear(DeadlinePassed())

    assert (story.state, story.end.reason) == (CallState.PLAYING_TONE, Reason.DESTINATION_NO_ANSWER)
    assert [leg.id for leg in story.call.legs] == [A1, B1]


def test_a_channel_that_never_comes_is_not_waited_for_when_there_is_another_trunk() -> None:
    story = ringing_user(routed_call(*ROUTES))
    story.hear(LegAnswered(A1), LegJoined(A1), LegEnded(B1, 34, 503))
    assert story.leg(B2).state is LegState.CREATING

    told = story.wait(10.0).hear(DeadlinePassed())

    assert told.commands == [HangUpLeg(B2, NORMAL), made(B3, THIRD.endpoint)]
    assert story.hear(LegCreated(B2)).commands == [HangUpLeg(B2, NORMAL)]  # it came after all


def test_a_request_without_a_reply_may_have_made_a_channel_and_the_next_trunk_is_tried() -> None:
    story = dialling(routed_call(*ROUTES))
    story.hear(LegEnded(B1, 34, 503))

    told = story.hear(CommandRefused(made(B2), NO_REPLY, "no answer"))

    assert told.commands == [HangUpLeg(B2, NORMAL), made(B3, THIRD.endpoint)]


@pytest.mark.parametrize("crossing", [LegRinging(B1), LegProgressed(B1), LegAnswered(B1)])
def test_a_far_end_that_rings_while_our_cancel_is_on_its_way_is_not_called_again(
    crossing: LegRinging | LegProgressed | LegAnswered,
) -> None:
    story = dialling(routed_call(SECOND))
    story.at = 1.0 + SILENCE
    story.hear(DeadlinePassed(), crossing)

    story.hear(LegEnded(B1, OUT_OF_ORDER))

    assert story.state is CallState.PLAYING_TONE
    assert [leg.id for leg in story.call.legs] == [A1, B1]


@pytest.mark.parametrize("call", [routed_call(*ROUTES), EMERGENCY])
def test_a_trunk_that_fails_after_the_user_has_hung_up_is_the_last(call: Call) -> None:
    story = dialling(call)
    story.hear(LegHangingUp(A1))

    assert story.hear(LegEnded(B1, 34, 503)).commands == []
    assert CreateLeg not in {type(command) for command in story.hear(LegEnded(A1, 16)).commands}

    assert (story.state, story.end.reason) == (CallState.ENDED, Reason.CANCELLED_BY_USER)
    assert [leg.id for leg in story.call.legs] == [A1, B1]


def test_a_user_who_hangs_up_and_whose_channel_stays_is_let_go_in_time() -> None:
    story = dialling(routed_call(SECOND))
    story.hear(LegHangingUp(A1), LegEnded(B1, 34, 503))

    story.wait(10.0).hear(DeadlinePassed())

    assert (story.state, [leg.id for leg in story.call.legs]) == (CallState.PLAYING_TONE, [A1, B1])


# --- emergency ---


@pytest.mark.parametrize("heard", [(LegRinging(B1),), (LegProgressed(B1),), ()])
@pytest.mark.parametrize(("cause", "sip_code"), [(17, 486), (21, 603), (34, 503), (1, 404)])
def test_an_emergency_call_goes_on_after_any_failure(
    heard: tuple[LegRinging | LegProgressed, ...], cause: int, sip_code: int
) -> None:
    story = dialling(EMERGENCY)

    story.hear(*heard, LegEnded(B1, cause, sip_code))

    assert story.state is CallState.DIALLING_DESTINATION
    assert story.leg(B2).state is LegState.CREATING


def test_an_emergency_call_has_the_whole_time_again_through_each_trunk() -> None:
    story = dialling(EMERGENCY)
    story.hear(LegRinging(B1))
    story.wait(300.0).hear(LegEnded(B1, 34, 503), LegCreated(B2))
    assert story.call.deadline == story.at + SILENCE

    story.wait(SILENCE).hear(DeadlinePassed(), LegEnded(B2, OUT_OF_ORDER), LegCreated(B3))
    assert story.call.deadline == story.at + ANSWER


# --- caller's identity ---


def test_an_anonymous_call_is_asserted_to_trusted_trunks_only() -> None:
    call = replace(routed_call(replace(SECOND, trusted=True), THIRD), anonymous=True)
    story = Story(call)
    identities = {c.leg_id: c.identity for c in story.hear(CallPlaced()).commands if isinstance(c, CreateLeg)}
    assert identities == {A1: Identity.WITHHELD, B1: Identity.WITHHELD}

    story = dialling(call)
    (second,) = story.hear(LegEnded(B1, 34, 503)).commands
    (third,) = story.hear(LegEnded(B2, 34, 503)).commands

    assert isinstance(second, CreateLeg)
    assert isinstance(third, CreateLeg)
    assert (second.identity, third.identity) == (Identity.ASSERTED, Identity.WITHHELD)


# --- after a restart ---


def found(*legs: tuple[LegId, LegState], asked: tuple[LegId, ...], **more: tuple[LegId, ...] | bool) -> CallFound:
    joined = tuple(leg_id for leg_id, _ in legs)
    return CallFound(asked, legs, joined, bridge=True, **({"after_restart": True} | more))  # type: ignore[arg-type]


def test_killed_before_the_next_channel_was_asked_for_it_is_asked_for_now() -> None:
    story = dialling(routed_call(SECOND))
    story.wait(20.0).hear(LegEnded(B1, 34, 503))  # long after the user has answered

    told = story.wait(2.0).hear(found((A1, LegState.UP), asked=(A1, B2)))

    assert told.commands == [made(B2)]


def test_killed_before_the_next_attempt_was_dialled_it_is_dialled_once() -> None:
    story = on_the_second()

    told = story.hear(found((A1, LegState.UP), (B2, LegState.READY), asked=(A1, B2), undialled=(B2,)))
    assert told.commands == []  # its INVITE was seen

    story = dialling(routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503), *created(B2), LegJoined(B2))
    told = story.hear(found((A1, LegState.UP), (B2, LegState.READY), asked=(A1, B2), undialled=(B2,)))
    assert told.commands == [DialLeg(B2, A1, DIAL_B)]


def test_an_attempt_that_ended_while_nobody_listened_is_the_last() -> None:
    story = dialling(routed_call(SECOND))

    story.hear(found((A1, LegState.UP), asked=(A1, B1)))

    assert story.end.reason is Reason.SERVICE_RESTARTED
    assert [leg.id for leg in story.call.legs] == [A1, B1]


def test_an_attempt_that_was_given_up_and_is_still_there_is_let_go_and_followed_by_the_next() -> None:
    story = dialling(routed_call(SECOND))
    story.at = 1.0 + SILENCE
    story.hear(DeadlinePassed())

    told = story.wait(3.0).hear(found((A1, LegState.UP), (B1, LegState.READY), asked=(A1, B1)))
    assert told.commands == [HangUpLeg(B1, OUT_OF_ORDER)]
    assert story.hear(LegEnded(B1, OUT_OF_ORDER)).commands == [made(B2)]


def test_an_attempt_that_was_given_up_and_ended_while_nobody_listened_is_the_last() -> None:
    story = dialling(routed_call(SECOND))
    story.at = 1.0 + SILENCE
    story.hear(DeadlinePassed())

    story.wait(3.0).hear(found((A1, LegState.UP), asked=(A1, B1)))

    assert [leg.id for leg in story.call.legs] == [A1, B1]
    assert story.call.end is not None


def test_a_next_attempt_that_was_meant_long_ago_is_not_made_any_more() -> None:
    story = dialling(routed_call(SECOND))
    story.hear(LegEnded(B1, 34, 503))

    story.wait(11.0).hear(found((A1, LegState.UP), asked=(A1, B2)))

    assert story.end.reason is Reason.SERVICE_RESTARTED
