"""What the service answers with, typed. Fields that this version does not know are ignored; words are those of docs/api.md.

Where a record has a field under two spellings, `user` and `user_id`, the longer one stands here. Times are aware, in UTC.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class PlacedCall(Struct, frozen=True, kw_only=True):
    """A call that was accepted. `replayed`: this Idempotency-Key had placed it before."""

    id: str
    replayed: bool


class Quality(Struct, frozen=True, kw_only=True):
    """What Asterisk measured of the media of one leg."""

    leg: str
    jitter_ms: float
    packet_loss_pct: float | None = None
    rtt_ms: float | None = None
    mos: float | None = None


class Emergency(Struct, frozen=True, kw_only=True):
    """What is known of an emergency call, for whoever helps."""

    test: bool
    callback_number: str | None = None
    location_id: str | None = None
    location_name: str | None = None
    address: dict[str, str] | None = None
    missing: list[str] = field(default_factory=list)


class Timings(Struct, frozen=True, kw_only=True):
    """When each part of a call was reached, in milliseconds since it was accepted."""

    committed_ms: int | None = None
    user_invited_ms: int | None = None
    user_ringing_ms: int | None = None
    user_answered_ms: int | None = None
    destination_dialled_ms: int | None = None
    destination_invited_ms: int | None = None
    destination_ringing_ms: int | None = None
    connected_ms: int | None = None
    bridged_ms: int | None = None
    ended_ms: int | None = None


class Leg(Struct, frozen=True, kw_only=True):
    """One device or trunk that was dialled for a call."""

    id: str
    side: str
    state: str
    won: bool
    endpoint_id: str | None = None
    device: str | None = None
    trunk: str | None = None
    number: str | None = None
    contact: str | None = None
    user_agent: str | None = None
    outcome: str | None = None
    dialled_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_delay_ms: int | None = None
    hangup_cause: int | None = None
    sip_code: int | None = None


class PhoneNumber(Struct, frozen=True, kw_only=True):
    """A number that calls may show; what published clients keep beside it stands in the JSON alone."""

    id: str
    phone_number: str
    status: str
    outbound_enabled: bool
    caller_id_name: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Call(Struct, frozen=True, kw_only=True):
    """A call of the call log. While it is live, `status` and everything that follows from the end is None.

    `did` is the number itself when it was asked for with `expand_did`, else its id.
    """

    id: str
    user_id: str
    direction: str
    state: str
    endpoint_id: str | None = None
    did: str | PhoneNumber | None = None
    did_id: str | None = None
    from_number: str | None = None
    from_label: str | None = None
    to_number: str | None = None
    to_label: str | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None
    ended_at_estimated: bool = False
    duration_seconds: int | None = None
    status: str | None = None
    outcome: str | None = None
    reason: str | None = None
    failed_leg: str | None = None
    ended_by: str | None = None
    hangup_cause: int | None = None
    sip_code: int | None = None
    recording_url: str | None = None
    quality_metrics: list[Quality] | None = None
    anonymous: bool = False
    livemode: bool = True
    rule: str | None = None
    emergency: Emergency | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)
    legs: list[Leg] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state != "ended"


class EventLeg(Struct, frozen=True, kw_only=True):
    """The leg that an event tells of."""

    id: str
    side: str
    state: str
    endpoint_id: str | None = None
    device: str | None = None
    number: str | None = None
    outcome: str | None = None
    hangup_cause: int | None = None
    sip_code: int | None = None


class EventData(Struct, frozen=True, kw_only=True):
    """What an event tells of its call; what is known at the end only is None before. `leg` is there in `leg.*`."""

    call_id: str
    user_id: str
    direction: str
    sequence: int
    endpoint_id: str | None = None
    from_number: str | None = None
    from_name: str | None = None
    from_label: str | None = None
    to_number: str | None = None
    to_label: str | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    connected_at: datetime | None = None
    rule: str | None = None
    ended_at: datetime | None = None
    ended_at_estimated: bool = False
    duration_seconds: int | None = None
    status: str | None = None
    outcome: str | None = None
    reason: str | None = None
    ended_by: str | None = None
    failed_leg: str | None = None
    hangup_cause: int | None = None
    sip_code: int | None = None
    quality_metrics: list[Quality] | None = None
    leg: EventLeg | None = None
    emergency: Emergency | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One event of a call, the same on the stream, in its log and in webhooks."""

    id: str
    type: str
    account_id: str
    data: EventData
    created_at: datetime | None = None


class Notice(Struct, frozen=True, kw_only=True):
    """An event that is of no call: `webhook_endpoint.test`, `webhook_endpoint.disabled`."""

    id: str
    type: str
    account_id: str
    data: dict[str, Any]
    created_at: datetime | None = None


class StreamEvent(Struct, frozen=True, kw_only=True):
    """An event and its number on the stream: who comes back with `after=number` gets what follows."""

    number: int
    event: Event


class Reset(Struct, frozen=True, kw_only=True):
    """Not all events after a number are there: `too_old` (what is kept follows) or `unknown` (what happens now follows)."""

    reason: str
    after: int | None = None
    number: int | None = None


class PreflightDevice(Struct, frozen=True, kw_only=True):
    """A device, and whether it would ring."""

    status: str
    contacts: int
    rings: bool
    endpoint_id: str | None = None
    device: str | None = None
    name: str | None = None


class PreflightEmergency(Struct, frozen=True, kw_only=True):
    """What an emergency call would have with it."""

    emergency_trunk: bool
    test: bool
    callback_number: str | None = None
    location_id: str | None = None
    location_name: str | None = None
    address: dict[str, str] | None = None
    missing: list[str] = field(default_factory=list)


class Preflight(Struct, frozen=True, kw_only=True):
    """What would become of a call, if it were asked for now."""

    allowed: bool
    rule: str
    reason: str
    user_id: str
    dial_string: str
    international: bool
    asterisk: str
    anonymous: bool
    ring_timeout: float
    answer_timeout: float
    max_duration: float
    status: int | None = None
    code: str | None = None
    retry_after: int | None = None
    kind: str | None = None
    number: str | None = None
    number_class: str | None = None
    region: str | None = None
    callee: str | None = None
    did_id: str | None = None
    from_number: str | None = None
    from_label: str | None = None
    emergency: PreflightEmergency | None = None
    devices: list[PreflightDevice] = field(default_factory=list)
    destination_devices: list[PreflightDevice] = field(default_factory=list)
    trunks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Account(Struct, frozen=True, kw_only=True):
    """A tenant of a platform."""

    id: str
    name: str | None = None
    email: str | None = None
    primary_contact_name: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    caller_number_id: str | None = None
    cors_origins: list[str] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Key(Struct, frozen=True, kw_only=True):
    """What a server asks the service with; `secret`, the key itself, is in the answer that made it, and never again."""

    id: str
    hint: str
    livemode: bool
    status: str
    networks: list[str] = field(default_factory=list)
    created_at: datetime | None = None
    revoked_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    secret: str | None = None


class Location(Struct, frozen=True, kw_only=True):
    """Where users and devices are; `e911_status` is `not_provisioned`: your carrier knows addresses, the service does not."""

    id: str
    name: str
    address: dict[str, str | None]
    status: str
    e911_status: str
    primary_did_id: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Extension(Struct, frozen=True, kw_only=True):
    """A short number, and the user it leads to."""

    number: str
    target: str
    user_id: str
    status: str
    created_at: datetime | None = None
    updated_at: datetime | None = None


class User(Struct, frozen=True, kw_only=True):
    """A person with phones."""

    id: str
    name: str
    do_not_disturb: bool
    email: str | None = None
    caller_number_id: str | None = None
    location_id: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Contact(Struct, frozen=True, kw_only=True):
    """Where a device is registered."""

    uri: str
    reachable: bool
    user_agent: str | None = None


class Sip(Struct, frozen=True, kw_only=True):
    """What to enter into the phone; `password` is there once."""

    username: str
    domain: str
    transport: str
    uri: str
    port: int | None = None
    websocket_url: str | None = None
    password: str | None = None


class Setup(Struct, frozen=True, kw_only=True):
    """The same for people and for the camera of a softphone; there once."""

    text: str
    qr_text: str
    qr_svg: str


class BrowserPhone(Struct, frozen=True, kw_only=True):
    """What a page registers with; it counts until the next page asks."""

    endpoint_id: str
    type: str
    user_id: str
    name: str
    websocket_url: str
    uri: str
    username: str
    password: str


class Device(Struct, frozen=True, kw_only=True):
    """A phone of one user; `setup` and `sip.password` are in the answer that made them, and never again."""

    id: str
    user_id: str
    type: str
    endpoint: str
    status: str
    provisioning: str
    sip: Sip
    name: str | None = None
    contacts: list[Contact] = field(default_factory=list)
    location_id: str | None = None
    created_at: datetime | None = None
    setup: Setup | None = None

    @property
    def online(self) -> bool:
        """Whether one of its contacts can be reached."""
        return self.status == "online"


class UserSession(Struct, frozen=True, kw_only=True):
    """What a browser may call with, for one user; `client_secret` is the token."""

    user_id: str
    account_id: str
    client_secret: str
    expires_at: datetime


class AccountSession(Struct, frozen=True, kw_only=True):
    """What may call for every user of one account; `client_secret` is the token."""

    account_id: str
    client_secret: str
    expires_at: datetime


class WebhookEndpoint(Struct, frozen=True, kw_only=True):
    """Where events are sent; `secret` is in the answer that made it, and never again."""

    id: str
    url: str
    enabled_events: list[str]
    status: str
    livemode: bool
    description: str | None = None
    created_at: datetime | None = None
    failing_since: datetime | None = None
    disabled_reason: str | None = None
    previous_secret_until: datetime | None = None
    secret: str | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One POST to a webhook endpoint."""

    duration_ms: int
    response: str
    at: datetime | None = None
    status_code: int | None = None
    error: str | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """One event for one webhook endpoint, and what became of it."""

    id: str
    webhook_endpoint_id: str
    event_id: str
    type: str
    status: str
    attempt_count: int
    call_id: str | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    settled_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
