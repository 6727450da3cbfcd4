"""The words of a ladder: how SIP calls what Asterisk reports, and what causes are called."""

from c2c_stasis.trace.ladder import ASTERISK, Kind, Participant, Row, Tone

# RFC 3261 §21, RFC 8197, RFC 8688: what ends an INVITE.
_PHRASES = {
    302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 407: "Proxy Auth Required", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media",
    420: "Bad Extension", 480: "Unavailable", 481: "No Such Call", 482: "Loop Detected", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Terminated", 488: "Not Acceptable", 500: "Server Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}  # fmt: skip

# ITU-T Q.850, those that are met.
_CAUSES = {
    1: "unallocated number", 3: "no route", 16: "normal", 17: "busy", 18: "no response", 19: "no answer",
    20: "absent", 21: "rejected", 22: "number changed", 23: "redirected", 26: "answered elsewhere", 27: "out of order",
    28: "invalid number", 31: "normal, unspecified", 34: "no circuit", 38: "network out of order",
    41: "temporary failure", 42: "congestion", 44: "channel unavailable", 58: "not available",
    102: "timer expired", 127: "interworking",
}  # fmt: skip


def cause_in_words(cause: int | None) -> str:
    """`answered elsewhere (26)`; nothing for a cause that is not known."""
    if not cause:
        return ""
    return f"{_CAUSES[cause]} ({cause})" if cause in _CAUSES else f"cause {cause}"


def response(code: int) -> str:
    """`486 Busy Here`."""
    return f"{code} {_PHRASES.get(code, '')}".rstrip()


def invited(leg: Participant, at: float, detail: str = "") -> Row:
    """The INVITE of a leg is on its way."""
    leg.invited = True
    return Row(at, Kind.SIP, ASTERISK, leg.key, "INVITE", detail)


def rings(leg: Participant, at: float) -> Row:
    """The far end rings."""
    leg.invited = leg.rang = True
    return Row(at, Kind.SIP, leg.key, ASTERISK, "180 Ringing")


def progresses(leg: Participant, at: float) -> Row:
    """The far end sends sound before it answers."""
    leg.invited = True
    return Row(at, Kind.SIP, leg.key, ASTERISK, "183 Progress")


def answers(leg: Participant, at: float) -> Row:
    """The far end takes the call."""
    leg.invited = leg.answered = True
    return Row(at, Kind.SIP, leg.key, ASTERISK, "200 OK", f"{leg.name} answers", Tone.GOOD)


def ends(leg: Participant, at: float, cause: int | None, sip_code: int | None) -> Row:
    """A leg is gone: who ended it, and with what, follows from what was known of it."""
    leg.ended, leg.cause, leg.sip_code = True, cause, sip_code
    if leg.invited and leg.let_go is None and not (cause or sip_code):  # it was found gone, and nobody said why
        return Row(at, Kind.MARK, ASTERISK, "", f"{leg.name} is gone")
    if leg.answered:
        if leg.let_go is not None:
            return Row(at, Kind.SIP, ASTERISK, leg.key, "BYE", cause_in_words(leg.let_go))
        why = "" if cause == 16 else f", {cause_in_words(cause)}"  # the usual one says nothing
        return Row(at, Kind.SIP, leg.key, ASTERISK, "BYE", f"{leg.name} hangs up{why}")
    if not leg.invited:
        tone = Tone.PLAIN if leg.let_go is not None else Tone.BAD
        why = cause_in_words(cause)
        return Row(at, Kind.MARK, ASTERISK, "", f"{leg.name} was never dialled", why if tone is Tone.BAD else "", tone)
    if leg.let_go is not None:
        return Row(at, Kind.SIP, ASTERISK, leg.key, "CANCEL", cause_in_words(leg.let_go))
    if sip_code and sip_code >= 300:  # RFC 3261: a final response that is no success
        return Row(at, Kind.SIP, leg.key, ASTERISK, response(sip_code), cause_in_words(cause), Tone.BAD)
    return Row(at, Kind.MARK, ASTERISK, "", f"gives {leg.name} up", cause_in_words(cause), Tone.BAD)
