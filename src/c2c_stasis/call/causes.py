"""What a hang-up cause means: tables from Q.850 and SIP to the outcome of a leg and of the call.

Q.850 is the cause Asterisk reports for a channel; where it also reports the SIP status (`tech_cause`, Asterisk 22.7), the
status is asked first, because several statuses share one cause. Sources: ITU-T Q.850, RFC 3398 §8.2.6, Asterisk 22.10.1
`hangup_sip2cause`.
"""

from c2c_stasis.call.model import End, EndedBy, FailedLeg, LegOutcome, Outcome, Reason, Tone

UNALLOCATED = 1
NO_ROUTE = 3
NORMAL = 16
BUSY = 17
NO_ANSWER = 19
SUBSCRIBER_ABSENT = 20
REJECTED = 21
NUMBER_CHANGED = 22
REDIRECTED = 23
ANSWERED_ELSEWHERE = 26
OUT_OF_ORDER = 27
INVALID_NUMBER_FORMAT = 28
CONGESTION = 34
NETWORK_OUT_OF_ORDER = 38
TEMPORARY_FAILURE = 41
SWITCH_CONGESTION = 42
CHANNEL_UNAVAILABLE = 44  # Asterisk's `rtp_timeout` ends a channel with it

# 408 and cause 18 are in no table: a timer ran out somewhere, and what that means depends on whether a phone had rung.
LEG_BY_SIP: dict[int, LegOutcome] = {
    302: LegOutcome.REJECTED,  # a redirect is not followed: the phone did not take the call itself
    403: LegOutcome.REJECTED,
    404: LegOutcome.UNREACHABLE,
    480: LegOutcome.NO_ANSWER,
    486: LegOutcome.BUSY,
    600: LegOutcome.BUSY,
    603: LegOutcome.REJECTED,
    607: LegOutcome.REJECTED,
}

LEG_BY_CAUSE: dict[int, LegOutcome] = {
    BUSY: LegOutcome.BUSY,
    NO_ANSWER: LegOutcome.NO_ANSWER,
    REJECTED: LegOutcome.REJECTED,
    REDIRECTED: LegOutcome.REJECTED,
    ANSWERED_ELSEWHERE: LegOutcome.ANSWERED_ELSEWHERE,  # the phone says so itself: a colleague picked the call up
}

DESTINATION_BY_SIP: dict[int, tuple[Outcome, Reason]] = {
    401: (Outcome.FAILED, Reason.TRUNK_FAILED),
    403: (Outcome.FAILED, Reason.TRUNK_FAILED),
    407: (Outcome.FAILED, Reason.TRUNK_FAILED),
    404: (Outcome.FAILED, Reason.INVALID_NUMBER),
    410: (Outcome.FAILED, Reason.INVALID_NUMBER),
    484: (Outcome.FAILED, Reason.INVALID_NUMBER),
    485: (Outcome.FAILED, Reason.INVALID_NUMBER),
    604: (Outcome.FAILED, Reason.INVALID_NUMBER),
    420: (Outcome.FAILED, Reason.NO_ROUTE),
    480: (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER),
    486: (Outcome.BUSY, Reason.DESTINATION_BUSY),
    600: (Outcome.BUSY, Reason.DESTINATION_BUSY),
    500: (Outcome.FAILED, Reason.TRUNK_FAILED),
    502: (Outcome.FAILED, Reason.TRUNK_FAILED),
    503: (Outcome.FAILED, Reason.CONGESTION),
    504: (Outcome.FAILED, Reason.TRUNK_FAILED),
    603: (Outcome.REJECTED, Reason.DESTINATION_REJECTED),
    607: (Outcome.REJECTED, Reason.DESTINATION_REJECTED),  # unwanted (RFC 8197)
    608: (Outcome.REJECTED, Reason.DESTINATION_REJECTED),  # rejected by the network for the callee (RFC 8688)
}

DESTINATION_BY_CAUSE: dict[int, tuple[Outcome, Reason]] = {
    UNALLOCATED: (Outcome.FAILED, Reason.INVALID_NUMBER),
    NO_ROUTE: (Outcome.FAILED, Reason.NO_ROUTE),
    NORMAL: (Outcome.REJECTED, Reason.DESTINATION_REJECTED),
    BUSY: (Outcome.BUSY, Reason.DESTINATION_BUSY),
    NO_ANSWER: (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER),
    SUBSCRIBER_ABSENT: (Outcome.FAILED, Reason.DEVICE_UNREACHABLE),
    REJECTED: (Outcome.REJECTED, Reason.DESTINATION_REJECTED),
    NUMBER_CHANGED: (Outcome.FAILED, Reason.INVALID_NUMBER),
    OUT_OF_ORDER: (Outcome.FAILED, Reason.TRUNK_FAILED),
    INVALID_NUMBER_FORMAT: (Outcome.FAILED, Reason.INVALID_NUMBER),
    CONGESTION: (Outcome.FAILED, Reason.CONGESTION),
    NETWORK_OUT_OF_ORDER: (Outcome.FAILED, Reason.TRUNK_FAILED),
    TEMPORARY_FAILURE: (Outcome.FAILED, Reason.TRUNK_FAILED),
    SWITCH_CONGESTION: (Outcome.FAILED, Reason.CONGESTION),
}

# Ends that are the trunk's and not the destination's: another trunk may do better.
NEXT_ROUTE_AFTER = {Reason.NO_ROUTE, Reason.CONGESTION, Reason.TRUNK_FAILED}

STATUS_BY_OUTCOME: dict[Outcome, str] = {
    Outcome.COMPLETED: "completed",
    Outcome.NO_ANSWER: "no-answer",
    Outcome.BUSY: "busy",
    Outcome.REJECTED: "busy",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "no-answer",
}

TONE_BY_OUTCOME: dict[Outcome, Tone] = {
    Outcome.BUSY: Tone.BUSY,
    Outcome.REJECTED: Tone.BUSY,
}

RELEASE_BY_REASON: dict[Reason, int] = {
    Reason.USER_NO_ANSWER: NO_ANSWER,
    Reason.DEVICE_UNREACHABLE: NO_ANSWER,
    Reason.DESTINATION_NO_ANSWER: NO_ANSWER,
    Reason.DESTINATION_BUSY: BUSY,
    Reason.DESTINATION_REJECTED: REJECTED,
    Reason.INVALID_NUMBER: UNALLOCATED,
    Reason.NO_ROUTE: NO_ROUTE,
    Reason.CONGESTION: CONGESTION,
    Reason.TRUNK_FAILED: NETWORK_OUT_OF_ORDER,
    Reason.SWITCH_LOST: TEMPORARY_FAILURE,
    Reason.INTERNAL_ERROR: TEMPORARY_FAILURE,
}


def leg_outcome(cause: int | None, sip_code: int | None, *, rang: bool) -> LegOutcome:
    """How an unanswered leg that the far end or the switch ended turned out."""
    if sip_code in LEG_BY_SIP:
        return LEG_BY_SIP[sip_code]
    if cause in LEG_BY_CAUSE:
        return LEG_BY_CAUSE[cause]
    return LegOutcome.NO_ANSWER if rang else LegOutcome.UNREACHABLE


def destination_end(cause: int | None, sip_code: int | None, *, rang: bool) -> End:
    """Why the call ends when the destination's last leg ended unanswered."""
    silence = (Outcome.NO_ANSWER, Reason.DESTINATION_NO_ANSWER) if rang else (Outcome.FAILED, Reason.TRUNK_FAILED)
    outcome, reason = DESTINATION_BY_SIP.get(sip_code or 0) or DESTINATION_BY_CAUSE.get(cause or 0) or silence
    return End(outcome, reason, EndedBy.DESTINATION, FailedLeg.DESTINATION, cause, sip_code)


def tone_of(end: End) -> Tone:
    """The tone that tells the user at the phone why the destination was not reached."""
    return TONE_BY_OUTCOME.get(end.outcome, Tone.CONGESTION)


def release_cause(end: End) -> int:
    """The Q.850 cause with which the legs of a call that ends so are let go."""
    return RELEASE_BY_REASON.get(end.reason, NORMAL)


def status_of(end: End) -> str:
    """The word of the public API for how a call ended: completed, no-answer, busy or failed.

    A user who declined the call on the own phone did not answer it, as far as the API's words go.
    """
    if end.reason is Reason.USER_REJECTED:
        return "no-answer"
    return STATUS_BY_OUTCOME[end.outcome]
