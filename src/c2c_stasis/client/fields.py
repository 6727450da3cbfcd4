"""What may be said in requests. A field that is left out is not said; None is null."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict


class CallOptions(TypedDict, total=False):
    """For one call. Times are seconds; `did_id` is the number to show, `device_id` the only device that rings."""

    metadata: Mapping[str, str]
    did_id: str | None
    device_id: str | None
    ring_timeout: float | None
    answer_timeout: float | None
    max_duration: float | None
    anonymous: bool


class CallFilters(TypedDict, total=False):
    """Which calls. `from_date` is when they began or later, `to_date` before; a day or a moment."""

    user_id: str
    did_id: str
    direction: str
    from_number: str
    to_number: str
    status: str
    outcome: str
    live: bool
    from_date: str | datetime
    to_date: str | datetime


class UserFields(TypedDict, total=False):
    """A user; `name`, or `email` in its place, is required of a new one."""

    name: str
    email: str | None
    do_not_disturb: bool
    caller_number_id: str | None
    location_id: str | None
    config: Mapping[str, Any] | None


class DeviceFields(TypedDict, total=False):
    """A device; without an `endpoint` the service makes one. `type`, for a new one: `sip` or `browser`."""

    type: str
    name: str | None
    endpoint: str
    location_id: str | None


class BrowserPhoneFields(TypedDict, total=False):
    """Which device of type browser; the user's newest, if it is not said."""

    device_id: str


class AccountFields(TypedDict, total=False):
    """An account. `config`: region, extension_length, timezone; `policy` as docs/policy.md has it."""

    name: str | None
    email: str | None
    primary_contact_name: str | None
    config: Mapping[str, Any] | None
    policy: Mapping[str, Any] | None
    cors_origins: Sequence[str] | None


class AccountChanges(AccountFields, total=False):
    """What may be changed of it, too: what its calls show."""

    caller_number_id: str | None


class KeyFields(TypedDict, total=False):
    """A key; `networks` are those from which it counts, as 192.0.2.0/24, anywhere if there are none."""

    livemode: bool
    networks: Sequence[str] | None


class LocationFields(TypedDict, total=False):
    """A location; `primary_did_id` is the number that emergency calls from there show."""

    primary_did_id: str | None
    config: Mapping[str, Any] | None


class LocationChanges(LocationFields, total=False):
    """What may be changed of it, too."""

    name: str
    address: Mapping[str, str | None]


class NumberFields(TypedDict, total=False):
    """A phone number; `status` is `active` or `inactive`."""

    caller_id_name: str | None
    outbound_enabled: bool
    status: str


class WebhookFields(TypedDict, total=False):
    """A webhook endpoint."""

    enabled_events: Sequence[str]
    description: str | None


class WebhookChanges(WebhookFields, total=False):
    """What may be changed of it; `status` is `enabled` or `disabled`."""

    url: str
    status: str


class EventFilters(TypedDict, total=False):
    """Which events: names, `call.*`, `leg.*` or `*`; of one user, of one call."""

    types: Sequence[str]
    user_id: str
    call_id: str
