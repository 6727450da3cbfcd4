"""What is told of an emergency call, in its record and in `call.emergency`: whoever hears of it shall be able to help."""

from typing import Any

from c2c_stasis.call.model import Call


def told_of_emergency(call: Call) -> dict[str, Any] | None:
    """The facts by their names; None of a call that is none, or of which nobody knows them."""
    details = call.emergency_details
    if details is None:
        return None
    return {
        "test": details.test,
        "callback_number": call.caller.number or None,
        "location": details.location_id,
        "location_id": details.location_id,
        "location_name": details.location_name or None,
        "address": dict(details.address) or None,
        "missing": [lack.value for lack in details.missing],
    }
