"""Identifiers: TypeIDs for what the API shows, and the ids of legs that are derived from them."""

import re
from typing import NewType

from typeid import TypeID
from typeid.core.errors import TypeIDException

PlatformId = NewType("PlatformId", str)
AccountId = NewType("AccountId", str)
UserId = NewType("UserId", str)
DeviceId = NewType("DeviceId", str)
NumberId = NewType("NumberId", str)
LocationId = NewType("LocationId", str)
CallId = NewType("CallId", str)
LegId = NewType("LegId", str)
WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)

PLATFORM, ACCOUNT, USER, DEVICE, NUMBER, CALL, EVENT, KEY = "plat", "acct", "user", "ep", "did", "call", "evt", "key"
SESSION, SIGNING_KEY = "sess", "sig"
LOCATION = "loc"
WEBHOOK, DELIVERY = "we", "wd"

_LEG = re.compile(rf"{CALL}_[0-9a-z]{{26}}\.[ab][1-9][0-9]?", re.ASCII)


def new_id(prefix: str) -> str:
    """A new TypeID, sortable by the time it was made, such as `call_01h2xcejqtf2nbrexx3vqjhp41`."""
    return str(TypeID(prefix=prefix))


def is_id(text: str, prefix: str) -> bool:
    """Whether the text is a well-formed TypeID with this prefix (TypeID specification 0.3)."""
    try:
        return str(TypeID.from_string(text).prefix) == prefix
    except TypeIDException:
        return False


def leg_id(call_id: CallId, side: str, number: int) -> LegId:
    """The id of a leg, which is also its channel id: `<call id>.a1`."""
    return LegId(f"{call_id}.{side}{number}")


def is_leg_id(text: str) -> bool:
    """Whether the text has the form of a leg's id; nothing else may become a part of a request, a log line or a record."""
    return _LEG.fullmatch(text) is not None


def call_of(leg_or_bridge_id: str) -> CallId:
    """The call a leg or bridge id belongs to, by its form alone; the caller checks that the call is known."""
    return CallId(leg_or_bridge_id.partition(".")[0])
