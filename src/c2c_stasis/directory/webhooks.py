"""Webhooks as frozen values: who wants to be told what, and what was sent to them."""

import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from c2c_stasis.call.events import EventType
from c2c_stasis.ids import EVENT, AccountId, CallId, DeliveryId, WebhookId, new_id
from c2c_stasis.times import rfc3339

MOST_ENDPOINTS = 16  # of one account
SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64

TEST_EVENT = "webhook_endpoint.test"
DISABLED_EVENT = "webhook_endpoint.disabled"
EVENT_TYPES = (*(one.value for one in EventType), DISABLED_EVENT)
"""What can be subscribed to; a test is sent to whoever is tested."""
FAMILIES = tuple(dict.fromkeys(f"{one.partition('.')[0]}.*" for one in EVENT_TYPES))
PATTERNS = ("*", *FAMILIES, *EVENT_TYPES)
"""What `enabled_events` may hold."""


class WebhookStatus(StrEnum):
    """Whether events are sent to an endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DeliveryStatus(StrEnum):
    """What became of one event for one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where an account wants to be told of events; `events` are patterns with blanks between them.

    During a rotation `previous_secret` counts until `previous_until`. `failing_since` is when the first of the attempts failed
    after which none succeeded. `disabled_at` is when it was disabled for the last time.
    """

    id: WebhookId
    account_id: AccountId
    url: str = field(repr=False)  # secrets of others stand in paths and queries
    events: str
    livemode: bool
    secret: str = field(repr=False)
    description: str = ""
    status: str = WebhookStatus.ENABLED
    previous_secret: str | None = field(default=None, repr=False)
    previous_until: float | None = None
    failing_since: float | None = None
    disabled_reason: str | None = None
    disabled_at: float | None = None
    created_at: float = field(default=0.0, compare=False)

    @property
    def enabled(self) -> bool:
        """Whether events are sent there."""
        return self.status == WebhookStatus.ENABLED

    def wants(self, event_type: str) -> bool:
        """Whether it asked for events of this type."""
        return wants(self.events, event_type)


def wants(patterns: str, event_type: str) -> bool:
    """Whether a type is meant by these patterns. `*` is everything but `leg.*`, the many small steps of a call."""
    family = event_type.partition(".")[0]
    return any(one in (event_type, f"{family}.*") or (one == "*" and family != "leg") for one in patterns.split(" "))


def who_are_told(endpoints: Iterable[WebhookEndpoint]) -> set[AccountId]:
    """The accounts of which an enabled endpoint is told of emergency calls."""
    wanted = EventType.CALL_EMERGENCY.value
    return {one.account_id for one in endpoints if one.enabled and one.livemode and one.wants(wanted)}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint. `next_attempt_at` is null when it is settled, or waits for an earlier one of its call."""

    id: DeliveryId
    account_id: AccountId
    endpoint_id: WebhookId
    event_id: str
    type: str
    call_id: CallId | None
    status: str
    attempts: int
    next_attempt_at: float | None
    settled_at: float | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST: the status that came back, or why none did; `response` is the beginning of what was answered."""

    at: float
    seconds: float
    status_code: int | None = None
    error: str | None = None
    response: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """An event that belongs to no call."""

    id: str
    type: str
    created_at: float
    body: bytes


_encode = msgspec.json.Encoder().encode


def message(event_type: str, account_id: AccountId, data: Mapping[str, object], at: float) -> Message:
    """An event in the envelope that all events have."""
    event_id = new_id(EVENT)
    body = {"id": event_id, "type": event_type, "account_id": account_id, "created_at": rfc3339(at), "data": data}
    return Message(event_id, event_type, at, _encode(body))


def new_secret() -> str:
    """With what the next endpoint's events are signed: `whsec_` and base64, as the libraries of receivers expect it."""
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
