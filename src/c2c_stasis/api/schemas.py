"""The fields of the public API: what a request may hold, and what a record is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from c2c_stasis.api import problems
from c2c_stasis.api.problems import Problem
from c2c_stasis.api.strict_json import Json
from c2c_stasis.ids import USER, is_id

Metadata = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


# For the document: the two functions below read the body, in the order of the contract.
class CallBody(Struct, kw_only=True):
    """A call to be placed."""

    user_id: str
    dial_string: str
    metadata: Metadata = field(default_factory=dict)


_REQUIRED = ("user", "user_id", "dial_string")
# Known, and refused until they work: silence would let the client believe that we did as it said.
_NOT_SUPPORTED = (
    *("from", "to", "did", "did_id", "device", "device_id"),
    *("ring_timeout", "answer_timeout", "max_duration", "auto_answer", "confirm", "record"),
)


@dataclass(frozen=True, slots=True)
class PlaceCall:
    """What a client asks for. `ignored` names the fields of an emergency request that were wrong and were let pass."""

    dial_string: str
    metadata: dict[str, str] = data_field(default_factory=dict)
    ignored: tuple[str, ...] = ()


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


def read_place_call(body: Mapping[str, Json], *, is_emergency: Callable[[str], bool]) -> PlaceCall:
    """Understand the rest of the body of `POST /v1/calls`, for a user who is known.

    On an emergency call a bad optional field is let pass and named, never refused. Raises `Problem`.
    """
    dial_string = body["dial_string"]
    if not isinstance(dial_string, str):
        raise problems.invalid("dial_string", 'must be a text in quotes, such as "+15551234567" or "911"')
    metadata, found = _read_options({key: value for key, value in body.items() if key not in _REQUIRED})
    if found and not is_emergency(dial_string):
        raise next(iter(found.values()))
    return PlaceCall(dial_string, metadata, tuple(found))


def _read_options(options: Mapping[str, Json]) -> tuple[dict[str, str], dict[str, Problem]]:
    """The fields that a request need not have, and what is wrong with each that cannot be honoured."""
    found = {name: problems.not_supported(name) for name in options if name in _NOT_SUPPORTED}
    for name in options:
        if name not in (*_NOT_SUPPORTED, "metadata"):
            found[name] = problems.invalid(name, "is not a known field")
    metadata: dict[str, str] = {}
    try:
        if options.get("metadata") is not None:
            metadata = msgspec.convert(options["metadata"], Metadata)
    except msgspec.ValidationError:
        reason = "must be an object of at most 16 texts, with keys of 1 to 64 and values of at most 512 characters"
        found["metadata"] = problems.invalid("metadata", reason)
    return metadata, found


class LegRecord(Struct, frozen=True):
    """One device or trunk that was dialled for a call."""

    id: str
    side: str
    endpoint: str | None
    endpoint_id: str | None
    device: str | None  # the name of the endpoint at Asterisk; `endpoint` is our id of it
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

    user_ringing_ms: int | None
    user_answered_ms: int | None
    destination_dialled_ms: int | None
    destination_ringing_ms: int | None
    connected_ms: int | None
    ended_ms: int | None


class CallRecord(Struct, frozen=True):
    """A call of the call log. While it is live, `status` and everything that follows from the end is null."""

    id: str
    user: str
    user_id: str
    endpoint: str | None
    endpoint_id: str | None
    did: str | None
    direction: str
    from_number: str | None
    from_label: str | None
    to_number: str
    to_label: str | None
    started_at: str | None
    answered_at: str | None
    connected_at: str | None
    ended_at: str | None
    duration_seconds: int | None
    status: str | None
    hangup_cause: int | None
    recording_url: str | None
    quality_metrics: list[dict[str, float]] | None
    state: str
    outcome: str | None
    reason: str | None
    failed_leg: str | None
    ended_by: str | None
    sip_code: int | None
    livemode: bool
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
    to_number: str
    to_label: str | None
    started_at: str | None
    answered_at: str | None
    connected_at: str | None
    sequence: int
    ended_at: str | UnsetType | None = UNSET
    duration_seconds: int | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    ended_by: str | UnsetType | None = UNSET
    failed_leg: str | UnsetType | None = UNSET
    hangup_cause: int | UnsetType | None = UNSET
    sip_code: int | UnsetType | None = UNSET
    leg: EventLeg | UnsetType = UNSET


class EventRecord(Struct, frozen=True):
    """One event of a call, as it is stored and sent."""

    id: str
    type: str
    account_id: str
    created_at: str | None
    data: EventData
