"""What the fields of the API mean, by their names: a name means the same wherever it stands, unless it is told apart here.

Patterns and formats stand here and not at the fields: what a field must look like is checked by the rules of the directory,
whose answers say more than that something "does not match".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from c2c_stasis import ids
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import (
    CallState,
    DestinationKind,
    EndedBy,
    FailedLeg,
    Lack,
    LegOutcome,
    LegState,
    Outcome,
    Reason,
    Side,
)
from c2c_stasis.directory.webhooks import EVENT_TYPES, TEST_EVENT, DeliveryStatus, WebhookStatus
from c2c_stasis.policy.numbers import NumberClass


@dataclass(frozen=True, slots=True)
class Word:
    """What a field means; `schema` says more of its form, and `example` is one that would do."""

    means: str
    example: object = None
    schema: dict[str, Any] | None = None


def id_word(prefix: str, means: str) -> Word:
    """An id: a TypeID, whose 26 characters are 128 bits in Crockford's base 32 and so begin with 0 to 7."""
    pattern = f"^{prefix}_[0-7][0-9abcdefghjkmnpqrstvwxyz]{{25}}$"
    return Word(means, f"{prefix}_01h2xcejqtf2nbrexx3vqjhp41", {"pattern": pattern})


def _only(prefix: str, means: str) -> Word:
    """The same for a field that an ordinary request has not."""
    return Word(means, None, id_word(prefix, means).schema)


def _moment(means: str) -> Word:
    return Word(f"{means}; RFC 3339, UTC", "2026-11-23T13:17:08.399Z", {"format": "date-time"})


def _number(means: str, example: str = "+12025550142") -> Word:
    return Word(means, example)


def _expand(what: str) -> Word:
    """The one thing that is shown in full for who asks."""
    return Word("what is shown in full", [what], {"items": {"type": "string", "enum": [what]}})


def _one_of(means: str, example: str, kind: type[StrEnum], *, always: bool = False) -> Word:
    """One word of an enumeration; null as long as it is not known, unless it always is."""
    return Word(means, example, {"enum": [word.value for word in kind] + ([] if always else [None])})


_USER = id_word(ids.USER, "the user")
_DEVICE = id_word(ids.DEVICE, "the device of the user that answered")
_CALLER_NUMBER = id_word(ids.NUMBER, "the number that is shown to whoever is called; null for the account's, or none")
_LOCATION = id_word(ids.LOCATION, "where it is, for emergency services; null if that is not known")
_PRIMARY = id_word(ids.NUMBER, "the number under which somebody there can be called back")
_ENDPOINT = id_word(ids.WEBHOOK, "the webhook endpoint")
_EVENT = id_word(ids.EVENT, "the event; the same in every attempt")
_CALL = id_word(ids.CALL, "the call; null for an event of none")
_WEBHOOK_URL = Word(
    "where events are sent: https, port 443 or 8443", "https://app.example.com/hooks", {"maxLength": 2048}
)
_LINE = {"maxLength": 128}
_CONFIG = Word("settings of the client, kept as they are", {"theme": "dark"})
_PROVINCE = Word("state or province", "IL", _LINE)
_ADDRESS = Word("the postal address", {"street": "1200 Main Street", "city": "Springfield", "country": "US"})
_KEPT = Word("kept as it is", {"country": "US"})
_LEG_STATE = _one_of("where the leg stands", "ended", LegState, always=True)
_LEG_OUTCOME = _one_of("what became of it; null while it lives", "answered", LegOutcome)
_SECONDS = {"minimum": 5}
_STATUS = {"enum": ["completed", "no-answer", "busy", "failed", "voicemail"]}
_E164 = {"pattern": r"^\+[1-9][0-9]{6,14}$"}

WORDS: dict[str, Word] = {
    # what everything has
    "id": Word("its id"),
    "name": Word("what people call it", "Carol", {"maxLength": 128}),
    "created_at": _moment("when it was made"),
    "updated_at": _moment("when it was changed last"),
    "status": Word("its status"),
    "type": _one_of("what happened", "call.end", EventType, always=True),
    "rule": Word("the rule of the policy that decided (docs/policy.md)", "home_region"),
    # lists
    "object": Word("always `list`", "list", {"const": "list"}),
    "url": Word("the address of the list", "/v1/users"),
    "next_page_url": Word("the older page, relative; null at the end", None),
    "previous_page_url": Word("the newer page, relative; null at the beginning", None),
    "data": Word("the entries of this page, newest first"),
    "limit": Word("how many entries a page has at most", 10),
    "page": Word("which page; from `next_page_url` or `previous_page_url`"),
    "search": Word("a part of the name or the e-mail address", "carol"),
    "expand[]": _expand("extensions"),
    # who
    "user": _USER,
    "user_id": _USER,
    "account_id": id_word(ids.ACCOUNT, "the account"),
    "email": Word("e-mail address", "carol@example.com", {"maxLength": 254}),
    "cors_origins": Word(
        "origins of the web pages that may act for the account, as browsers write them; null for those of the whole service",
        ["https://app.example.com"],
        {"maxItems": 64},
    ),
    "primary_contact_name": Word("whom to ask for", "Carol Jones", {"maxLength": 128}),
    "config": _CONFIG,
    "address": _KEPT,
    "billing_address": _KEPT,
    "pricing": Word("kept as it is", {"plan": "basic"}),
    "do_not_disturb": Word("whether the devices stay silent when somebody calls the user", False),
    "caller_number": _CALLER_NUMBER,
    "caller_number_id": _CALLER_NUMBER,
    "extensions": Word("the extensions of the user; with `expand[]=extensions`"),
    "location": _LOCATION,
    "location_id": _LOCATION,
    "phone": Word("kept as it is", "+12025550144"),
    "hold_music_clip": Word("kept as it is"),
    "hold_music_clip_id": Word("kept as it is"),
    "main_location": Word("kept as it is"),
    "main_location_id": Word("kept as it is"),
    "default_button_template": Word("kept as it is"),
    # locations
    "primary_did": _PRIMARY,
    "primary_did_id": _PRIMARY,
    "e911_status": Word("always `none`: no emergency service is told of it", "none"),
    "address_number": Word("house number, unless it stands in `street`", "1200", _LINE),
    "street": Word("street", "Main Street", _LINE),
    "unit": Word("suite or apartment", "Suite 500", _LINE),
    "building": Word("building", "North tower", _LINE),
    "floor": Word("floor", "5", _LINE),
    "room": Word("room", "512", _LINE),
    "city": Word("city", "Springfield", _LINE),
    "postal_code": Word("postal code", "62701", _LINE),
    "country": Word("ISO 3166-1 alpha-2", "US", {"pattern": "^[A-Z]{2}$"}),
    # devices
    "endpoint": Word(
        "the name of the endpoint at Asterisk", "carol-desk", {"pattern": "^[A-Za-z0-9_-]{1,64}$", "maxLength": 64}
    ),
    "endpoint_id": _DEVICE,
    "contacts": Word("where the device is registered"),
    "uri": Word("the SIP URI of a contact", "sip:desk@192.0.2.7:5060"),
    "user_agent": Word("what the phone calls itself", "Desk Phone 3.1"),
    "reachable": Word("whether it answered Asterisk's last qualify request", True),
    "provisioning": Word("who made the endpoint in Asterisk, and whether it is there", "done"),
    "sip": Word("what the phone registers with"),
    "username": Word("the SIP user name, also for authentication", "c2c-k7m2q9x4wp3t"),
    "password": Word("the SIP password: in the answer that made it, and never again"),
    "domain": Word("where Asterisk is, as phones reach it", "pbx.example.com"),
    "port": Word("the port there; null for that of the transport, 5060, or 5061 for tls", None),
    "transport": Word("how the phone connects", "udp", {"enum": ["udp", "tcp", "tls", "ws", "wss"]}),
    "setup": Word("how to set the phone up; with the password, so in the answer that made it, and never again"),
    "text": Word("the settings, for people to copy"),
    "qr_text": Word("what the QR code says: an account of Grandstream Wave"),
    "qr_svg": Word("the QR code, a picture in SVG"),
    # numbers
    "number": Word(
        "the extension: as many digits as the account's `extension_length`", "1042", {"pattern": "^[0-9]{3,6}$"}
    ),
    "target": id_word(ids.USER, "the user that it leads to"),
    "phone_number": Word("the number, E.164", "+12025550143", _E164),
    "outbound_enabled": Word("whether calls may show it", True),
    "caller_id_name": Word("the name that is shown with it", "Front desk", {"maxLength": 64}),
    "caller_id_prefix": Word("kept as it is", "[Acme]"),
    "caller_id_visibility": Word("kept as it is", "PUBLIC"),
    "directory_listing_name": Word("kept as it is"),
    "directory_listing_type": Word("kept as it is"),
    "directory_listing_location": Word("kept as it is"),
    "directory_listing_location_id": Word("kept as it is"),
    "routing_target": Word("kept as it is"),
    "inbound_routing": Word("kept as it is"),
    "fax_enabled": Word("kept as it is", False),
    # keys
    "networks": Word(
        "addresses and networks from which the key may be used; none for everywhere",
        ["203.0.113.0/24"],
        {"maxItems": 64},
    ),
    "hint": Word("how the key begins", "sk_live_7Qb2"),
    "livemode": Word("false when it is for tests", True),
    "revoked_at": _moment("when it was revoked; null while it is valid"),
    "expires_at": _moment("until when it opens anything; null if that has no end"),
    "last_used_at": _moment("when it was used last, to the minute; null if it never was"),
    "overlap_seconds": Word("for how long the old key goes on working", 3600),
    # sessions
    "account": id_word(ids.ACCOUNT, "the account"),
    "ttl_seconds": Word("how long the session lasts", 3600),
    "client_secret": Word("the token, which the browser sends as `Authorization: Bearer`; shown once", "eyJhbGciOi…"),
    "keys": Word("the public keys, as JSON Web Keys (RFC 7517)"),
    "secret": Word("the key itself: in the answer to the POST, and never again", "sk_test_…"),
    # calls
    "dial_string": Word(
        "whom to call: E.164, a national number of the account's region, an extension, or an emergency number",
        "+15551234567",
        {"maxLength": 33},
    ),
    "metadata": Word("texts of yours that the record gives back", {"crm": "42"}),
    "did": Word("the number (id) that was shown; with `expand[]=did` the number itself; null if there was none"),
    "did_id": id_word(ids.NUMBER, "the number that was shown; null if there was none"),
    "direction": Word("through a trunk, or to an extension", "outbound"),
    "ring_timeout": Word("how long the user's devices ring, in seconds", None, _SECONDS),
    "answer_timeout": Word("how long the destination may take to answer, in seconds", None, _SECONDS),
    "max_duration": Word("how long they may talk, in seconds", None, _SECONDS),
    "anonymous": Word("whether the number is withheld from who is called", False),
    "live": Word("true for live calls, false for those that have ended", True),
    "from_date": _moment("began then or later; a date means its first moment"),
    "to_date": _moment("began before"),
    "from": _moment("another name of `from_date`"),
    "to": _moment("another name of `to_date`"),
    "from_number": _number("the number that the destination is shown"),
    "from_name": Word("the name beside it", "Front desk"),
    "from_label": Word("the name beside it", "Front desk"),
    "to_number": _number("who was dialled", "+15551234567"),
    "to_label": Word("the name behind an extension", None),
    "started_at": _moment("when the call was accepted"),
    "answered_at": _moment("when a device of the user answered; null if none did"),
    "connected_at": _moment("when both sides were joined; null if they never were"),
    "ended_at": _moment("when it was over; null while it lives"),
    "ended_at_estimated": Word(
        "whether it ended while the service could not hear Asterisk: `ended_at` is then when that was found out", False
    ),
    "duration_seconds": Word("from `answered_at` to `ended_at`; 0 if the user never answered", 5),
    "hangup_cause": Word("the Q.850 cause of the leg that decided", 16),
    "sip_code": Word("the SIP status with which the far end refused", None),
    "recording_url": Word("always null in this version", None),
    "quality_metrics": Word(
        "of each leg that was joined, what Asterisk measured of the media that it received; null without media,"
        " and while the call lives"
    ),
    "jitter_ms": Word("mean interarrival jitter (RFC 3550), in milliseconds", 4.2),
    "packet_loss_pct": Word("packets that never came, in percent; null if the call ended before it was counted", 0.4),
    "rtt_ms": Word("the round trip to the far end, in milliseconds; null if it sends no RTCP", 23.1),
    "mos": Word("mean opinion score, 1 to 4.5, by the E-model (ITU-T G.107); null without the loss", 4.37),
    "state": _one_of("where the call stands", "ended", CallState, always=True),
    "outcome": _one_of("how it ended; null while it lives", "completed", Outcome),
    "reason": _one_of("why it ended so; null while it lives", "normal", Reason),
    "failed_leg": _one_of("on which side it failed; null if it did not", "destination", FailedLeg),
    "ended_by": _one_of("who ended it; null while it lives", "destination", EndedBy),
    "timings": Word("milliseconds since the call was accepted; null for what was not reached"),
    "committed_ms": Word(
        "it was stored, and the 202 went out; null of an emergency call, which does not wait for that", 4
    ),
    "user_invited_ms": Word("the first INVITE to a device of the user went out", 14),
    "user_ringing_ms": Word("the first device of the user rang", 116),
    "user_answered_ms": Word("a device of the user answered", 1028),
    "destination_dialled_ms": Word("the destination was dialled", 1028),
    "destination_invited_ms": Word("the INVITE to the destination went out", 1033),
    "destination_ringing_ms": Word("the destination rang", 1142),
    "connected_ms": Word("the destination answered", 2542),
    "bridged_ms": Word("both sides were in the bridge", 2542),
    "ended_ms": Word("the call was over", 5548),
    "legs": Word("one for each contact of each device of the user, and for each trunk that was tried"),
    "side": _one_of("the user's, or the destination's", "a", Side, always=True),
    "device": Word("the name of the endpoint at Asterisk; null for a trunk", "carol-desk"),
    "trunk": Word("the name of the trunk; null for a device, and in a session for a user", "carrier"),
    "contact": Word("where it was registered", "sip:desk@192.0.2.7:5060"),
    "won": Word("whether this one was joined", True),
    "dialled_at": _moment("when it was dialled"),
    "ringing_at": _moment("when it began to ring"),
    "ring_delay_ms": Word("from the INVITE to the first ringing", 102),
    # events
    "call_id": id_word(ids.CALL, "the call"),
    "call": id_word(ids.CALL, "the call"),
    "after": Word(
        "a number of an event; the stream begins with the next, or with what happens next if it is left out", 4711
    ),
    "types": Word("names of events, `call.*`, `leg.*` or `*`, with commas between them", "call.ringing,call.end"),
    "sequence": Word("counts the events of a call, from 1", 11),
    "leg": Word("the leg that it happened to; in `leg.*`"),
    # preflight
    "allowed": Word("whether the call would be accepted", True),
    "code": Word("the error code of the refusal; null if there is none", None),
    "retry_after": Word("seconds after which a limit would let the same request through", None),
    "kind": Word(
        "what was read; null if it is nothing", "external", {"enum": [*(one.value for one in DestinationKind), None]}
    ),
    "number_class": Word(
        "the type of a telephone number", "mobile", {"enum": [*(one.value for one in NumberClass), None]}
    ),
    "international": Word("whether it is no number of the account's own region", False),
    "devices": Word("the devices that the user has, or the one that was asked for"),
    "rings": Word("whether it would ring now", True),
    "callee": Word("whom the extension leads to", None),
    "destination_devices": Word("the devices of whom the extension leads to"),
    "trunks": Word("the trunks that would be tried, in this order; not told to sessions for a user", ["carrier"]),
    "emergency": Word("what is known of an emergency call, or would be; null of others", None),
    "test": Word("whether a test number was dialled, 933 in North America: nobody needs help", False),
    "location_name": Word("what people call the place where the user is", "Head office"),
    "missing": Word(
        "what the call should have and has not: `emergency_trunk`, `callback_number`, `location`",
        ["location"],
        {"items": {"enum": [lack.value for lack in Lack]}},
    ),
    "emergency_trunk": Word("whether a trunk is marked for emergency calls", True),
    "callback_number": Word("the number under which the user can be called back", "+12025550142"),
    "asterisk": Word("`ok`, or what is wrong with Asterisk", "ok"),
    "warnings": Word("what would go wrong although the call may be, in sentences", []),
    # webhooks
    "webhook_endpoint": _ENDPOINT,
    "webhook_endpoint_id": _ENDPOINT,
    "enabled_events": Word(
        "which events: `*` for all but `leg.*`, a family such as `leg.*`, or single types", ["*"], {"minItems": 1}
    ),
    "description": Word("what people call it", "CRM", {"maxLength": 256}),
    "failing_since": _moment(
        "when the first of the attempts failed after which none succeeded; null while all is well"
    ),
    "disabled_reason": Word("why it is disabled; null while it is enabled", None),
    "previous_secret_until": _moment("until when the secret before this one signs as well; null if there was none"),
    "event": _EVENT,
    "event_id": _EVENT,
    "attempt_count": Word("how often it was tried", 1),
    "next_attempt_at": _moment(
        "when it is tried next; null if it is settled, or waits for an earlier event of its call"
    ),
    "settled_at": _moment("when it was delivered or given up; null while it is pending"),
    "attempts": Word("the newest five attempts, newest first"),
    "at": _moment("when it was sent"),
    "duration_ms": Word("how long it took", 84),
    "status_code": Word("the status that was answered; null if nothing was", 200),
    "response": Word("how the answer begins, at most 1,024 bytes", "ok"),
    # service
    "openapi": Word("the version of the specification", "3.1.0"),
    "info": Word("name and version of the service"),
    "paths": Word("every operation"),
    "components": Word("what operations share"),
    "details": Word("each part that is needed: `ok`, or what is wrong with it", {"asterisk": "ok"}),
}

OF_ONE: dict[tuple[str, str], Word] = {
    **{(kind, "expand[]"): _expand("did") for kind in ("CallFilters", "ListFilters", "ShownWith")},
    ("AccountRecord", "id"): id_word(ids.ACCOUNT, "the account"),
    ("UserRecord", "id"): _USER,
    ("DeviceRecord", "id"): id_word(ids.DEVICE, "the device"),
    ("PhoneNumberRecord", "id"): id_word(ids.NUMBER, "the number"),
    **{
        (kind, "components"): Word(
            "accepted from published clients; every session is for calls", {"call_logs": {"enabled": True}}
        )
        for kind in ("CreateAccountSession", "CreateUserSession")
    },
    ("KeyRecord", "id"): id_word(ids.KEY, "the key"),
    ("CallRecord", "id"): id_word(ids.CALL, "the call"),
    ("EventRecord", "id"): id_word(ids.EVENT, "the event"),
    ("DeliveryRecord", "id"): id_word(ids.DELIVERY, "the delivery"),
    ("DeliveryRecord", "type"): Word("the type of the event", "call.end", {"enum": [*EVENT_TYPES, TEST_EVENT]}),
    ("DeliveryRecord", "call"): _CALL,
    ("DeliveryRecord", "call_id"): _CALL,
    ("DeliveryRecord", "status"): _one_of("what became of it", "delivered", DeliveryStatus, always=True),
    ("DeliveryFilters", "status"): _one_of("what became of it", "failed", DeliveryStatus, always=True),
    ("AttemptRecord", "error"): Word("why nothing was answered, or why the answer does not count; else null", None),
    ("WebhookEndpointRecord", "id"): _ENDPOINT,
    ("WebhookEndpointRecord", "url"): _WEBHOOK_URL,
    ("WebhookEndpointRecord", "status"): _one_of("whether events are sent", "enabled", WebhookStatus, always=True),
    ("WebhookEndpointRecord", "secret"): Word("with what events are signed: shown once", "whsec_…"),
    ("WebhookEndpointRecord", "livemode"): Word("false when it is told of test calls, and true of all others", True),
    ("CreateWebhookEndpoint", "url"): _WEBHOOK_URL,
    ("UpdateWebhookEndpoint", "url"): _WEBHOOK_URL,
    ("UpdateWebhookEndpoint", "status"): _one_of("whether events are sent", "enabled", WebhookStatus, always=True),
    ("RotateSecret", "overlap_seconds"): Word("for how long the old secret signs beside the new one", 86_400),
    ("LegRecord", "id"): Word("the call's id, with side and number", "call_01h2xcejqtf2nbrexx3vqjhp41.a1"),
    ("EventLeg", "id"): Word("the call's id, with side and number", "call_01h2xcejqtf2nbrexx3vqjhp41.a1"),
    ("CallRecord", "endpoint"): _DEVICE,
    ("EraseNumber", "number"): Word("the number, in any form that can be dialled, or an extension", "+15551234567"),
    ("Erased", "object"): Word("always `erasure`", "erasure"),
    ("Erased", "calls"): Word("from how many calls", 3),
    ("PreflightRecord", "object"): Word("always `preflight`", "preflight"),
    ("PreflightRecord", "number"): Word(
        "what would be dialled: E.164, an extension or emergency digits", "+15551234567"
    ),
    ("PreflightRecord", "reason"): Word("the rule in words", "numbers of US are dialled"),
    ("PreflightRecord", "region"): Word("whose the number is; null if that is not known", "US"),
    ("PreflightRecord", "status"): Word("the HTTP status of the refusal; null if there is none", None),
    ("PreflightRecord", "max_duration"): Word("seconds they may talk, or what is left of a limit", 14_400),
    ("PreflightDevice", "endpoint"): id_word(ids.DEVICE, "the device; null for a colleague's, in a session for a user"),
    ("PreflightDevice", "endpoint_id"): id_word(
        ids.DEVICE, "the device; null for a colleague's, in a session for a user"
    ),
    ("PreflightDevice", "status"): Word("whether it can be reached now", "online", {"enum": ["online", "offline"]}),
    ("PreflightDevice", "contacts"): Word("in how many places it is registered", 1),
    ("PreflightEmergency", "location"): _LOCATION,
    ("PreflightEmergency", "address"): _ADDRESS,
    ("EmergencyRecord", "address"): _ADDRESS,
    ("CallBody", "did_id"): _only(
        ids.NUMBER, "the number to show; one of the account that is active and outbound_enabled"
    ),
    ("CallBody", "did"): _only(
        ids.NUMBER, "the number to show; one of the account that is active and outbound_enabled"
    ),
    ("CallBody", "device_id"): _only(ids.DEVICE, "the only device of the user that shall ring"),
    ("CallBody", "device"): _only(ids.DEVICE, "the only device of the user that shall ring"),
    **{
        (kind, name): word
        for kind in ("CallFilters", "ListFilters")
        for name, word in {
            "status": Word("how it ended; live calls have none", "completed", _STATUS),
            "outcome": Word("how it ended", "completed"),
            "did": id_word(ids.NUMBER, "the number that was shown"),
        }.items()
    },
    ("EventData", "endpoint"): _DEVICE,
    ("LegQuality", "leg"): Word(
        "`endpoint`: a device; `pstn`: a trunk. The user's leg comes first", "endpoint", {"enum": ["endpoint", "pstn"]}
    ),
    ("LegRecord", "endpoint"): id_word(ids.DEVICE, "the device; null for a trunk"),
    ("LegRecord", "endpoint_id"): id_word(ids.DEVICE, "the device; null for a trunk"),
    ("EventLeg", "endpoint"): id_word(ids.DEVICE, "the device; null for a trunk"),
    ("EventLeg", "endpoint_id"): id_word(ids.DEVICE, "the device; null for a trunk"),
    ("LegRecord", "number"): _number("what was dialled, on a leg to the destination", "+15551234567"),
    ("EventLeg", "number"): _number("what was dialled, on a leg to the destination", "+15551234567"),
    ("LegRecord", "state"): _LEG_STATE,
    ("EventLeg", "state"): _LEG_STATE,
    ("LegRecord", "outcome"): _LEG_OUTCOME,
    ("EventLeg", "outcome"): _LEG_OUTCOME,
    ("CallRecord", "status"): Word(
        "how it ended, in the words of published clients; null while it lives",
        "completed",
        {"enum": ["completed", "no-answer", "busy", "failed", "voicemail", None]},
    ),
    ("EventData", "status"): Word("how it ended, in the words of published clients", "completed"),
    **{
        (kind, "type"): Word("what rings: a phone or softphone of any maker, or a web page", example)
        for kind, example in (("DeviceRecord", "sip"), ("CreateDevice", "sip"), ("BrowserPhone", "browser"))
    },
    ("SipRecord", "uri"): Word("the address of record", "sip:c2c-k7m2q9x4wp3t@pbx.example.com"),
    ("SipRecord", "websocket_url"): Word(
        "where a page registers, of `[sip]` in the configuration; null for other phones", "wss://pbx.example.com/ws"
    ),
    ("BrowserPhone", "websocket_url"): Word("where the page registers", "wss://pbx.example.com/ws"),
    **{
        ("OpenBrowserPhone", name): _only(ids.DEVICE, "which browser of the user, if there are several")
        for name in ("device_id", "device")
    },
    ("BrowserPhone", "uri"): Word("the address of record", "sip:c2c-k7m2q9x4wp3t@pbx.example.com"),
    ("BrowserPhone", "name"): Word("of the device, or of its user", "Alice"),
    ("DeviceRecord", "status"): Word("whether it can be reached now", "online", {"enum": ["online", "offline"]}),
    ("KeyRecord", "status"): Word("whether it is valid", "active", {"enum": ["active", "expired", "revoked"]}),
    ("LocationRecord", "id"): id_word(ids.LOCATION, "the location"),
    ("LocationRecord", "status"): Word("always `active`", "active"),
    ("LocationRecord", "address"): Word("the postal address"),
    ("Address", "state"): _PROVINCE,
    ("AddressRecord", "state"): _PROVINCE,
    ("CreateLocation", "address"): _ADDRESS,
    ("UpdateLocation", "address"): _ADDRESS,
    **{
        (kind, name): Word("kept as it is")
        for kind in ("CreatePhoneNumber", "UpdatePhoneNumber", "PhoneNumberRecord")
        for name in ("location", "location_id", "config", "expires_at")
    },
    ("ExtensionRecord", "status"): Word("always `active`", "active"),
    ("AccountConfig", "region"): Word("ISO 3166-1; whose national numbers are dialled", "US"),
    ("AccountRecord", "config"): Word(
        "`region`, `extension_length`, `timezone`, and what clients keep there", {"region": "US"}
    ),
}

ACCOUNT_CONFIG = Word(
    "`region` (ISO 3166-1, US), `extension_length` (3 to 6, 4), `timezone` (IANA, UTC); what else is in it is kept",
    {"region": "US", "extension_length": 4, "timezone": "Europe/Berlin"},
    {
        "properties": {
            "region": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "extension_length": {"type": "integer", "minimum": 3, "maximum": 6},
            "timezone": {"type": "string", "maxLength": 64},
        }
    },
)
ACCOUNT_POLICY = Word(
    "what may be dialled here, where that is other than configured (docs/policy.md); it replaces what was set before",
    {"allow_regions": ["CA"], "limits": {"calls_at_a_time": 20}},
)
OF_ONE |= {(kind, "policy"): ACCOUNT_POLICY for kind in ("CreateAccount", "UpdateAccount", "AccountRecord")}
OF_ONE |= {(kind, "config"): ACCOUNT_CONFIG for kind in ("CreateAccount", "UpdateAccount", "AccountRecord")}

ONE_OF_THESE = {
    "CreateUser": ("name", "email"),
    "CreateAccount": ("name", "primary_contact_name", "email"),
    "CreateExtension": ("target", "user_id", "user"),
}
"""Bodies of which one of several fields is required, beside what the structs tell."""


def word_for(kind: str, name: str) -> Word | None:
    """What a field of this kind of value means."""
    return OF_ONE.get((kind, name), WORDS.get(name))
