"""The envelope of an event: serialised once, stored, and sent as the same bytes on every road."""

from typing import Any

import msgspec

from c2c_stasis.call import causes
from c2c_stasis.call.emergency import told_of_emergency
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, Leg, Side
from c2c_stasis.call.quality import qualities
from c2c_stasis.ids import EVENT, new_id
from c2c_stasis.ports import StoredEvent
from c2c_stasis.times import rfc3339

_encode = msgspec.json.Encoder().encode


class Envelopes:
    """The `Publisher` of the service."""

    def envelope(self, call: Call, event: Event, sequence: int) -> StoredEvent:
        """The stored form of an event; `sequence` counts the events of the call, from 1."""
        event_id = new_id(EVENT)
        created_at = call.accepted_at + event.at
        data = _of_call(call) | {"sequence": sequence}
        if event.type is EventType.CALL_END:
            data |= _of_end(call)
        if event.type is EventType.CALL_EMERGENCY:
            data["emergency"] = told_of_emergency(call)
        leg = call.leg(event.leg_id) if event.leg_id else None
        if leg is not None:
            data["leg"] = _of_leg(call, leg)
        body = _encode(
            {
                "id": event_id,
                "type": event.type.value,
                "account_id": call.account_id,
                "created_at": rfc3339(created_at),
                "data": data,
            }
        )
        return StoredEvent(event_id, call.account_id, call.id, sequence, event.type.value, created_at, body)


def _of_call(call: Call) -> dict[str, Any]:
    """The names are those of the record; `from_name` is `from_label` for clients that know it from events only."""
    winner = call.winner(Side.A)
    device_id = winner.device_id if winner else None
    return {
        "call_id": call.id,
        "user": call.user_id,
        "user_id": call.user_id,
        "endpoint": device_id,
        "endpoint_id": device_id,
        "direction": call.direction,
        "from_number": call.caller.number or None,
        "from_name": call.caller.name or None,
        "from_label": call.caller.name or None,
        "to_number": call.destination.party.number,
        "to_label": call.destination.party.name or None,
        "rule": call.rule,
        "started_at": rfc3339(call.accepted_at),
        "answered_at": rfc3339(call.wall(call.answered_at)),
        "connected_at": rfc3339(call.wall(call.connected_at)),
    }


def _of_end(call: Call) -> dict[str, Any]:
    assert call.end is not None  # a call that has ended has an end
    return {
        "ended_at": rfc3339(call.wall(call.ended_at)),
        "ended_at_estimated": call.ended_at_estimated,
        "duration_seconds": call.duration,
        "status": causes.status_of(call.end),
        "outcome": call.end.outcome.value,
        "reason": call.end.reason.value,
        "ended_by": call.end.ended_by.value,
        "failed_leg": call.end.failed_leg.value if call.end.failed_leg else None,
        "hangup_cause": call.end.cause,
        "sip_code": call.end.sip_code,
        "quality_metrics": qualities(call),
    }


def _of_leg(call: Call, leg: Leg) -> dict[str, Any]:
    return {
        "id": leg.id,
        "side": leg.side.value,
        "endpoint": leg.device_id,
        "endpoint_id": leg.device_id,
        "device": leg.device or None,
        "number": call.destination.party.number if leg.side is Side.B else None,
        "state": leg.state.value,
        "outcome": leg.outcome.value if leg.outcome else None,
        "hangup_cause": leg.cause,
        "sip_code": leg.sip_code,
    }
