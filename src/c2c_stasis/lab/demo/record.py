"""The record of a call, in lines for a person; the JSON of `GET /v1/calls/:id` holds more."""

from typing import Any

Record = dict[str, Any]

_LABEL = 10


def describe(record: Record) -> str:
    """What became of a call, and of each of its legs."""
    timings = record["timings"]
    lines = [
        f"The record, GET /v1/calls/{record['id']}:",
        _line("status", f"{record['status']}; {ending(record)}"),
        _line(
            "numbers", f"{record['from_number'] or 'no number'} called {record['to_number']} ({record['direction']})"
        ),
        _line("times", _times(timings)),
    ]
    for leg in record["legs"]:
        parts = [leg["outcome"] or leg["state"]]
        if leg["ring_delay_ms"] is not None:
            parts.append(f"rang {leg['ring_delay_ms']} ms after its INVITE")
        if leg["hangup_cause"] is not None:
            parts.append(f"Q.850 cause {leg['hangup_cause']}")
        if leg["sip_code"] is not None:
            parts.append(f"SIP {leg['sip_code']}")
        lines.append(_line(leg_name(leg), ", ".join(parts).replace("_", " ")))
    return "\n".join(lines)


def ending(record: Record) -> str:
    """Why a call ended, in words."""
    return f"outcome {record['outcome']}, reason {record['reason']}, ended by {record['ended_by']}"


def winner(record: Record, side: str) -> str | None:
    """The name of the phone that won a side."""
    return next((leg_name(leg) for leg in record["legs"] if leg["side"] == side and leg["won"]), None)


def leg_name(leg: Record) -> str:
    """The phone of a leg; what is no device is behind the trunk."""
    return str(leg["device"] or "carrier")


def _times(timings: dict[str, int | None]) -> str:
    names = {
        "user_ringing_ms": "user rings",
        "user_answered_ms": "answers",
        "destination_dialled_ms": "destination dialled",
        "destination_ringing_ms": "rings",
        "connected_ms": "connected",
        "ended_ms": "ended",
    }
    reached = [
        f"{names[key]} {value / 1000:.2f} s" for key, value in timings.items() if key in names and value is not None
    ]
    return ", ".join(reached) or "ended at once"


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"
