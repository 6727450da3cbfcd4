"""What hang-up causes mean, row by row, and that no word of the closed lists is forgotten."""

import pytest

from c2c_stasis.call.causes import (
    DESTINATION_BY_CAUSE,
    DESTINATION_BY_SIP,
    LEG_BY_SIP,
    destination_end,
    leg_outcome,
    release_cause,
    status_of,
    tone_of,
)
from c2c_stasis.call.model import End, EndedBy, FailedLeg, LegOutcome, Outcome, Reason, Tone


@pytest.mark.parametrize(
    ("cause", "sip_code", "outcome"),
    [
        (23, 302, LegOutcome.REJECTED),
        (21, 403, LegOutcome.REJECTED),
        (1, 404, LegOutcome.UNREACHABLE),
        (18, 408, LegOutcome.UNREACHABLE),
        (19, 480, LegOutcome.NO_ANSWER),
        (17, 486, LegOutcome.BUSY),
        (17, 600, LegOutcome.BUSY),
        (21, 603, LegOutcome.REJECTED),
        (127, 607, LegOutcome.REJECTED),
        (17, None, LegOutcome.BUSY),
        (19, None, LegOutcome.NO_ANSWER),
        (21, None, LegOutcome.REJECTED),
        (23, None, LegOutcome.REJECTED),
        (26, None, LegOutcome.ANSWERED_ELSEWHERE),
        (20, None, LegOutcome.UNREACHABLE),
        (34, 503, LegOutcome.UNREACHABLE),
        (None, None, LegOutcome.UNREACHABLE),
        (0, None, LegOutcome.UNREACHABLE),
    ],
)
def test_how_a_phone_ended_that_did_not_ring(cause: int | None, sip_code: int | None, outcome: LegOutcome) -> None:
    assert leg_outcome(cause, sip_code, rang=False) is outcome


LEG_SIP_ROWS = {
    302: LegOutcome.REJECTED,
    403: LegOutcome.REJECTED,
    404: LegOutcome.UNREACHABLE,
    480: LegOutcome.NO_ANSWER,
    486: LegOutcome.BUSY,
    600: LegOutcome.BUSY,
    603: LegOutcome.REJECTED,
    607: LegOutcome.REJECTED,
}


@pytest.mark.parametrize(("sip_code", "outcome"), LEG_SIP_ROWS.items())
@pytest.mark.parametrize("rang", [False, True])
def test_the_sip_status_of_a_phone_decides_before_the_cause(sip_code: int, outcome: LegOutcome, rang: bool) -> None:
    assert leg_outcome(26, sip_code, rang=rang) is outcome


def test_every_sip_status_of_a_phone_was_told_above() -> None:
    assert LEG_SIP_ROWS == LEG_BY_SIP


@pytest.mark.parametrize(
    ("cause", "sip_code", "outcome"),
    [
        (None, None, LegOutcome.NO_ANSWER),
        (16, None, LegOutcome.NO_ANSWER),
        (18, 408, LegOutcome.NO_ANSWER),
        (1, 404, LegOutcome.UNREACHABLE),
        (17, 486, LegOutcome.BUSY),
        (21, 603, LegOutcome.REJECTED),
    ],
)
def test_how_a_phone_ended_that_rang(cause: int | None, sip_code: int | None, outcome: LegOutcome) -> None:
    assert leg_outcome(cause, sip_code, rang=True) is outcome


NO_ANSWER = (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER)
BUSY = (Outcome.BUSY, Reason.DESTINATION_BUSY)
REJECTED = (Outcome.REJECTED, Reason.DESTINATION_REJECTED)
INVALID = (Outcome.FAILED, Reason.INVALID_NUMBER)
NO_ROUTE = (Outcome.FAILED, Reason.NO_ROUTE)
CONGESTION = (Outcome.FAILED, Reason.CONGESTION)
TRUNK = (Outcome.FAILED, Reason.TRUNK_FAILED)


SIP_ROWS = {
    401: TRUNK,
    403: TRUNK,
    404: INVALID,
    407: TRUNK,
    410: INVALID,
    420: NO_ROUTE,
    480: NO_ANSWER,
    484: INVALID,
    485: INVALID,
    486: BUSY,
    500: TRUNK,
    502: TRUNK,
    503: CONGESTION,
    504: TRUNK,
    600: BUSY,
    603: REJECTED,
    604: INVALID,
    607: REJECTED,
    608: REJECTED,
}


@pytest.mark.parametrize(("sip_code", "verdict"), SIP_ROWS.items())
def test_the_sip_status_of_the_destination_decides_before_the_cause(
    sip_code: int, verdict: tuple[Outcome, Reason]
) -> None:
    outcome, reason = verdict

    end = destination_end(127, sip_code, rang=False)

    assert end == End(outcome, reason, EndedBy.DESTINATION, FailedLeg.DESTINATION, 127, sip_code)


def test_every_sip_status_in_the_table_was_told_above() -> None:
    assert SIP_ROWS == DESTINATION_BY_SIP


CAUSE_ROWS = {
    1: INVALID,
    3: NO_ROUTE,
    16: REJECTED,
    17: BUSY,
    19: NO_ANSWER,
    20: (Outcome.FAILED, Reason.DEVICE_UNREACHABLE),
    21: REJECTED,
    22: INVALID,
    27: TRUNK,
    28: INVALID,
    34: CONGESTION,
    38: TRUNK,
    41: TRUNK,
    42: CONGESTION,
}


@pytest.mark.parametrize(("cause", "verdict"), CAUSE_ROWS.items())
def test_without_a_sip_status_the_cause_of_the_destination_decides(cause: int, verdict: tuple[Outcome, Reason]) -> None:
    end = destination_end(cause, None, rang=False)

    assert (end.outcome, end.reason, end.cause, end.sip_code) == (*verdict, cause, None)


def test_every_cause_in_the_table_was_told_above() -> None:
    assert CAUSE_ROWS == DESTINATION_BY_CAUSE


def test_a_status_of_no_meaning_leaves_the_word_to_the_cause() -> None:
    assert destination_end(17, 487, rang=False).reason is Reason.DESTINATION_BUSY


@pytest.mark.parametrize(
    ("cause", "sip_code"), [(None, None), (0, None), (127, 487), (18, 408), (18, None), (102, 408)]
)
def test_a_destination_that_rang_and_ended_without_a_word_did_not_answer(
    cause: int | None, sip_code: int | None
) -> None:
    end = destination_end(cause, sip_code, rang=True)

    assert (end.outcome, end.reason) == NO_ANSWER


@pytest.mark.parametrize(
    ("cause", "sip_code"), [(None, None), (0, None), (127, 487), (18, 408), (18, None), (102, 408)]
)
def test_a_destination_that_ended_without_ringing_is_a_failure_of_the_trunk(
    cause: int | None, sip_code: int | None
) -> None:
    end = destination_end(cause, sip_code, rang=False)

    assert (end.outcome, end.reason) == TRUNK


@pytest.mark.parametrize(("cause", "sip_code"), [(38, None), (41, 500), (18, 504), (27, 502)])
def test_a_network_that_fails_while_the_destination_rings_is_not_its_silence(cause: int, sip_code: int | None) -> None:
    assert destination_end(cause, sip_code, rang=True).reason is Reason.TRUNK_FAILED


STATUS_AND_TONE = {
    Outcome.COMPLETED: ("completed", Tone.CONGESTION),
    Outcome.NO_ANSWER: ("no-answer", Tone.CONGESTION),
    Outcome.BUSY: ("busy", Tone.BUSY),
    Outcome.REJECTED: ("busy", Tone.BUSY),
    Outcome.FAILED: ("failed", Tone.CONGESTION),
    Outcome.CANCELLED: ("no-answer", Tone.CONGESTION),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_status_and_its_tone(outcome: Outcome) -> None:
    end = End(outcome, Reason.NORMAL, EndedBy.SYSTEM)

    assert (status_of(end), tone_of(end)) == STATUS_AND_TONE[outcome]


def test_a_user_who_declined_did_not_answer_in_the_words_of_the_api() -> None:
    assert status_of(End(Outcome.REJECTED, Reason.USER_REJECTED, EndedBy.USER)) == "no-answer"


RELEASES = {
    Reason.NORMAL: 16,
    Reason.USER_NO_ANSWER: 19,
    Reason.USER_REJECTED: 16,
    Reason.NO_DEVICE: 16,
    Reason.DEVICE_UNREACHABLE: 19,
    Reason.DESTINATION_NO_ANSWER: 19,
    Reason.DESTINATION_BUSY: 17,
    Reason.DESTINATION_REJECTED: 21,
    Reason.INVALID_NUMBER: 1,
    Reason.NO_ROUTE: 3,
    Reason.CONGESTION: 34,
    Reason.TRUNK_FAILED: 38,
    Reason.CANCELLED_BY_API: 16,
    Reason.CANCELLED_BY_USER: 16,
    Reason.MAX_DURATION: 16,
    Reason.MEDIA_TIMEOUT: 16,
    Reason.SWITCH_LOST: 41,
    Reason.SERVICE_RESTARTED: 16,
    Reason.INTERNAL_ERROR: 41,
}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_the_cause_with_which_the_legs_are_let_go(reason: Reason) -> None:
    assert release_cause(End(Outcome.FAILED, reason, EndedBy.SYSTEM)) == RELEASES[reason]
