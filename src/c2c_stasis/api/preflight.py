"""What would become of a call, as the API shows it."""

from typing import Literal

from msgspec import Struct

from c2c_stasis.call.model import Lack
from c2c_stasis.ports import Preflight, Ringable


class PreflightDevice(Struct, frozen=True):
    """A phone, and whether it would ring. Of a colleague's phones a session for a user is not told which they are."""

    endpoint: str | None
    endpoint_id: str | None
    device: str | None
    name: str | None
    status: str
    contacts: int
    rings: bool


class PreflightEmergency(Struct, frozen=True):
    """What an emergency call would be given: a trunk of its own, a number to call back, its place; and what it would lack."""

    emergency_trunk: bool
    test: bool
    callback_number: str | None
    location: str | None
    location_id: str | None
    location_name: str | None
    address: dict[str, str] | None
    missing: list[str]


class PreflightRecord(Struct, frozen=True):
    """What would become of a request for a call, if it came now."""

    object: Literal["preflight"]
    allowed: bool
    rule: str
    reason: str
    status: int | None
    code: str | None
    retry_after: int | None
    user: str
    user_id: str
    dial_string: str
    kind: str | None
    number: str | None
    number_class: str | None
    region: str | None
    international: bool
    devices: list[PreflightDevice]
    callee: str | None
    destination_devices: list[PreflightDevice]
    trunks: list[str]
    did: str | None
    did_id: str | None
    from_number: str | None
    from_label: str | None
    anonymous: bool
    ring_timeout: float
    answer_timeout: float
    max_duration: float
    emergency: PreflightEmergency | None
    asterisk: str
    warnings: list[str]


def preflight_record(told: Preflight, *, private: bool) -> PreflightRecord:
    """The answer; `private` is for the caller alone, who sees no trunks and no names of other people's phones."""
    decision, did_id = told.decision, told.did.id if told.did else None
    shown = told.caller
    return PreflightRecord(
        object="preflight",
        allowed=decision.allowed,
        rule=decision.rule,
        reason=decision.reason,
        status=decision.status,
        code=decision.code or None,
        retry_after=decision.retry_after,
        user=told.user.id,
        user_id=told.user.id,
        dial_string=told.dial_string,
        kind=told.kind,
        number=told.number,
        number_class=decision.number_class,
        region=decision.region,
        international=decision.international,
        devices=[_device(one) for one in told.devices],
        callee=told.callee.name if told.callee else None,
        destination_devices=[_device(one, unnamed=private) for one in told.far_devices],
        trunks=[] if private else [trunk.name for trunk in told.trunks],
        did=did_id,
        did_id=did_id,
        from_number=(shown.number or None) if shown else None,
        from_label=(shown.name or None) if shown else None,
        anonymous=told.anonymous,
        ring_timeout=told.limits.ring_timeout,
        answer_timeout=told.limits.answer_timeout,
        max_duration=told.limits.max_duration,
        emergency=_emergency(told),
        asterisk=told.switch,
        warnings=list(told.warnings),
    )


def _device(one: Ringable, *, unnamed: bool = False) -> PreflightDevice:
    device_id = None if unnamed else one.device.id
    return PreflightDevice(
        endpoint=device_id,
        endpoint_id=device_id,
        device=None if unnamed else one.device.endpoint,
        name=None if unnamed else one.device.name or None,
        status="online" if one.online else "offline",
        contacts=len(one.contacts),
        rings=one.rings,
    )


def _emergency(told: Preflight) -> PreflightEmergency | None:
    details = told.emergency_details
    if details is None:
        return None
    return PreflightEmergency(
        emergency_trunk=Lack.TRUNK not in details.missing,
        test=details.test,
        callback_number=told.did.number if told.did else None,
        location=details.location_id,
        location_id=details.location_id,
        location_name=details.location_name or None,
        address=details.address or None,
        missing=[lack.value for lack in details.missing],
    )
