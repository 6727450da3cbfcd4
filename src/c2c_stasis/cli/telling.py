"""Events of calls as a person reads them, one a line."""

from datetime import datetime

from c2c_stasis.cli.remote import Record
from c2c_stasis.printable import printable

_TOLD = {
    "call.ringing": "the user's phones ring",
    "call.emergency": "is an emergency call",
    "call.initiated": "the user answered, the destination is dialled",
    "call.answered": "both sides are joined",
    "leg.created": "is made",
    "leg.dialled": "is dialled",
    "leg.ringing": "rings",
    "leg.progress": "is heard before it answers",
    "leg.answered": "answers",
    "leg.bridged": "is in the bridge",
}


def line_after_acceptance(event: Record) -> str:
    """One event of a call that is followed: the seconds since it was accepted, who, and what."""
    data = event["data"]
    who = _who(data["leg"]) if "leg" in data else "call"
    return printable(f"{_moment(event['created_at']) - _moment(data['started_at']):9.3f} s  {who:<16} {_what(event)}")


def line_of_day(event: Record) -> str:
    """One event among those of many calls: the time here, which call, who or whom the call is to, and what."""
    data = event["data"]
    who = _who(data["leg"]) if "leg" in data else f"to {data['to_number'] or 'an erased number'}"
    moment = datetime.fromisoformat(event["created_at"]).astimezone()
    return printable(f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}  {data['call_id']}  {who:<16} {_what(event)}")


def _who(leg: Record) -> str:
    return str(leg["device"] or leg["number"])


def _what(event: Record) -> str:
    data = event["data"]
    match event["type"]:
        case "call.end":
            return _ending(data)
        case "leg.ended":
            return _leg_ending(data["leg"])
    return _TOLD.get(event["type"], str(event["type"]))


def _ending(data: Record) -> str:
    talked = f", {data['duration_seconds']} s" if data["outcome"] == "completed" else ""
    by = f", by {data['ended_by']}" if data["ended_by"] else ""
    return f"ended: {data['outcome']}, reason {data['reason']}{by}{talked}"


def _leg_ending(leg: Record) -> str:
    """How a leg ended. Of one that was answered that was told before, and it says nothing of why the call ended."""
    outcome = "" if leg["outcome"] == "answered" else f": {str(leg['outcome'] or leg['state']).replace('_', ' ')}"
    known = [
        f"cause {leg['hangup_cause']}" if leg["hangup_cause"] else "",
        f"SIP {leg['sip_code']}" if leg["sip_code"] else "",
    ]
    why = ", ".join(filter(None, known))
    return f"ended{outcome}" + (f" ({why})" if why else "")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
