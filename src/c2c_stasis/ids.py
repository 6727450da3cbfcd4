"""Identifiers: TypeIDs for what the API shows, and the ids of legs that are derived from them."""

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


def call_of(leg_or_bridge_id: str) -> CallId:
    """The call a leg or bridge id belongs to, by its form alone; the caller checks that the call is known."""
    return CallId(leg_or_bridge_id.partition(".")[0])
