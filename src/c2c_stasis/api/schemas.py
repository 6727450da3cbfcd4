"""The fields of the public API: what a request may hold, and what a record is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from c2c_stasis.api import problems
from c2c_stasis.api.problems import Problem
from c2c_stasis.api.resources.phone_numbers import PhoneNumberRecord
from c2c_stasis.api.strict_json import Json
from c2c_stasis.call.quality import LegQuality
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.ids import DEVICE, NUMBER, USER, is_id

Metadata = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


# For the document: the two functions below read the body, in the order of the contract.
class CallBody(Struct, kw_only=True):
    """A call to be placed."""

    user_id: str
    dial_string: str
    metadata: Metadata = field(default_factory=dict)
    did_id: str | None = None
    device_id: str | None = None
    ring_timeout: float | None = None
    answer_timeout: float | None = None
    max_duration: float | None = None
    anonymous: bool = False


_REQUIRED = ("user", "user_id", "dial_string")
WHO_CALLS_WHAT = (*_REQUIRED, "from", "to")
"""The fields that a call cannot do without, under all their names."""
# Known, and refused until they work, unless they ask for nothing: silence would let the client believe that we did as it said.
_NOT_SUPPORTED = ("auto_answer", "confirm", "record")
_UNKNOWN = "is not a known field"
_STRANGE = {"from": "stands for user_id, and only beside `to`", "to": "stands for dial_string, and only beside `from`"}
_SECONDS = ("ring_timeout", "answer_timeout", "max_duration")
_IDS = {"did": NUMBER, "device": DEVICE}  # fields that name something, under two spellings each
_OPTIONS = {*_NOT_SUPPORTED, "anonymous", *_SECONDS, "metadata", *_IDS, *(f"{name}_id" for name in _IDS)}


@dataclass(frozen=True, slots=True)
class PlaceCall:
    """What a client asks for. `ignored` names the fields of an emergency request that were wrong and were let pass."""

    dial_string: str
    metadata: dict[str, str] = data_field(default_factory=dict)
    options: CallOptions = ORDINARY
    ignored: tuple[str, ...] = ()


def with_own_names(body: Mapping[str, Json]) -> tuple[Mapping[str, Json], bool]:
    """The body with `from` and `to` as the user and the dial string, and whether they stood there.

    One published example calls them so, and wants the id of the call in the answer. Beside the usual names they are no fields.
    """
    if not any(body.get(name) not in (None, "") for name in ("from", "to")) or any(name in body for name in _REQUIRED):
        return body, False
    others = {name: value for name, value in body.items() if name not in ("from", "to")}
    return others | {"user_id": body.get("from"), "dial_string": body.get("to")}, True


# The order of the checks is part of the contract: what is missing, the form of the user id, whether there is such a user (the
# service knows), and only then everything else.


def read_user_id(body: Mapping[str, Json]) -> str:
    """Who calls, by the body of `POST /v1/calls`, once nothing that is required is missing. Raises `Problem`."""
    user_id = body.get("user_id") if body.get("user") in (None, "") else body["user"]
    if user_id in (None, ""):
        raise problems.missing("user_id")
    if body.get("dial_string") in (None, ""):
        raise problems.missing("dial_string")
    if not isinstance(user_id, str) or not is_id(user_id, USER):
        raise problems.invalid_user_id()
    return user_id


def read_place_call(body: Mapping[str, Json], *, emergency: bool) -> PlaceCall:
    """Understand the rest of the body of `POST /v1/calls`, for a user who is known.

    On an emergency call a bad optional field is let pass and named, never refused. Raises `Problem`.
    """
    dial_string = body["dial_string"]
    if not isinstance(dial_string, str):
        raise problems.invalid("dial_string", 'must be a text in quotes, such as "+15551234567" or "911"')
    asked = {key: value for key, value in body.items() if key not in _REQUIRED}
    if not asked:
        return PlaceCall(dial_string)
    wanted = (name for name in _NOT_SUPPORTED if not (asked.get(name) is None or asked[name] is False))
    found = {name: problems.not_supported(name) for name in wanted}
    found |= {name: problems.invalid(name, _STRANGE.get(name, _UNKNOWN)) for name in asked if name not in _OPTIONS}
    metadata = _read_metadata(asked, found)
    options = _read_options(asked, found)
    if found and not emergency:
        raise next(iter(found.values()))
    return PlaceCall(dial_string, metadata, options, tuple(found))


def _read_options(asked: Mapping[str, Json], found: dict[str, Problem]) -> CallOptions:
    """What is asked for this one call; what is wrong with it is added to what was found."""
    options: dict[str, Any] = {}
    for name in _SECONDS:
        seconds = asked.get(name)
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            options[name] = seconds
        elif seconds is not None:
            found[name] = problems.invalid(name, "must be a number of seconds")
    for short, prefix in _IDS.items():
        name = f"{short}_id" if asked.get(short) in (None, "") else short
        value = asked.get(name)
        if isinstance(value, str) and is_id(value, prefix):
            options[f"{short}_id"] = value
        elif value not in (None, ""):
            found[name] = problems.invalid(name, f"is not an id such as {prefix}_01h2xcejqtf2nbrexx3vqjhp42")
    anonymous = asked.get("anonymous")
    if isinstance(anonymous, bool):
        options["anonymous"] = anonymous
    elif anonymous is not None:
        found["anonymous"] = problems.invalid("anonymous", "must be true or false")
    return CallOptions(**options) if options else ORDINARY


def _read_metadata(options: Mapping[str, Json], found: dict[str, Problem]) -> dict[str, str]:
    metadata: dict[str, str] = {}
    try:
        if options.get("metadata") is not None:
            metadata = msgspec.convert(options["metadata"], Metadata)
    except msgspec.ValidationError:
        reason = "must be an object of at most 16 texts, with keys of 1 to 64 and values of at most 512 characters"
        found["metadata"] = problems.invalid("metadata", reason)
    return metadata


class EraseNumber(Struct, kw_only=True):
    """A number that shall leave the call log."""

    number: str


class Erased(Struct, frozen=True):
    """From how many calls a number was erased."""

    object: Literal["erasure"]
    calls: int


class LegRecord(Struct, frozen=True):
    """One device or trunk that was dialled for a call."""

    id: str
    side: str
    endpoint: str | None
    endpoint_id: str | None
    device: str | None  # the name of the endpoint at Asterisk; `endpoint` is our id of it
    trunk: str | None  # through which it was dialled; of a leg to the telephone network
    number: str | None  # what was dialled; of a leg to the destination
    contact: str | None
    user_agent: str | None
    state: str
    outcome: str | None
    won: bool
    dialled_at: str | None
    ringing_at: str | None
    answered_at: str | None
    ended_at: str | None
    ring_delay_ms: int | None  # from the INVITE to the first ringing
    hangup_cause: int | None
    sip_code: int | None


class Timings(Struct, frozen=True):
    """When each part of a call was reached, in milliseconds since it was accepted."""

    committed_ms: int | None  # in the store; after this the 202 goes out
    user_invited_ms: int | None
    user_ringing_ms: int | None
    user_answered_ms: int | None
    destination_dialled_ms: int | None
    destination_invited_ms: int | None
    destination_ringing_ms: int | None
    connected_ms: int | None
    bridged_ms: int | None
    ended_ms: int | None


class EmergencyRecord(Struct, frozen=True):
    """What is known of an emergency call, for whoever helps: is it a test, where is the user, how to call back."""

    test: bool
    callback_number: str | None
    location: str | None
    location_id: str | None
    location_name: str | None
    address: dict[str, str] | None
    missing: list[str]


class CallRecord(Struct, frozen=True):
    """A call of the call log. While it is live, `status` and everything that follows from the end is null."""

    id: str
    user: str
    user_id: str
    endpoint: str | None
    endpoint_id: str | None
    did: str | PhoneNumberRecord | None
    did_id: str | None
    direction: str
    from_number: str | None
    from_label: str | None
    to_number: str | None
    to_label: str | None
    started_at: str | None
    answered_at: str | None
    connected_at: str | None
    ended_at: str | None
    ended_at_estimated: bool
    duration_seconds: int | None
    status: str | None
    hangup_cause: int | None
    recording_url: str | None
    quality_metrics: list[LegQuality] | None
    state: str
    outcome: str | None
    reason: str | None
    failed_leg: str | None
    ended_by: str | None
    sip_code: int | None
    anonymous: bool  # the number was withheld from who was called
    livemode: bool
    rule: str | None  # of the policy, that let the call through
    emergency: EmergencyRecord | None
    metadata: dict[str, str]
    timings: Timings
    legs: list[LegRecord]


class EventLeg(Struct, frozen=True):
    """The leg that an event tells of."""

    id: str
    side: str
    endpoint: str | None
    endpoint_id: str | None
    device: str | None
    number: str | None
    state: str
    outcome: str | None
    hangup_cause: int | None
    sip_code: int | None


class EventData(Struct, frozen=True):
    """What an event tells of its call: as the record, and what is known at the end only then."""

    call_id: str
    user: str
    user_id: str
    endpoint: str | None
    endpoint_id: str | None
    direction: str
    from_number: str | None
    from_name: str | None
    from_label: str | None
    to_number: str | None
    to_label: str | None
    started_at: str | None
    answered_at: str | None
    connected_at: str | None
    sequence: int
    rule: str | UnsetType | None = UNSET
    ended_at: str | UnsetType | None = UNSET
    ended_at_estimated: bool | UnsetType = UNSET
    duration_seconds: int | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    ended_by: str | UnsetType | None = UNSET
    failed_leg: str | UnsetType | None = UNSET
    hangup_cause: int | UnsetType | None = UNSET
    sip_code: int | UnsetType | None = UNSET
    quality_metrics: list[LegQuality] | UnsetType | None = UNSET
    leg: EventLeg | UnsetType = UNSET
    emergency: EmergencyRecord | UnsetType | None = UNSET


class EventRecord(Struct, frozen=True):
    """One event of a call, as it is stored and sent."""

    id: str
    type: str
    account_id: str
    created_at: str | None
    data: EventData
