"""What holds for one call: what its request says, else what is configured for the user, the account and the service."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from c2c_stasis.call.model import Limits
from c2c_stasis.directory.call_options import ORDINARY, SHORTEST, CallOptions
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, Device, PhoneNumber, User
from c2c_stasis.errors import DeviceNotFound, InvalidRequest
from c2c_stasis.ids import CallId

logger = logging.getLogger(__name__)

T = TypeVar("T")

# What would keep a phone from ringing, or an emergency centre from being waited for, by their names in the API.
_NARROW = {name: name.removesuffix("_id") for name in ("device_id", "ring_timeout", "answer_timeout", "max_duration")}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The number that is shown to the outside, if there is one, the devices that ring, and how long each part may take.

    `anonymous` when the number is withheld from who is called.
    """

    number: PhoneNumber | None
    devices: tuple[Device, ...]
    limits: Limits
    anonymous: bool = False


def choose(
    directory: Directory,
    account: Account,
    user: User,
    options: CallOptions,
    limits: Limits,
    *,
    lenient: bool,
    call_id: CallId,
) -> Chosen:
    """What holds for a call with these options; `limits` are the longest times there may be.

    Raises `InvalidRequest` and `DeviceNotFound`; if `lenient`, for an emergency call, what cannot be is told in the log, and
    the call is as if it had not been asked for. Whatever was asked, it shows the number under which the user is called back,
    all phones ring, and nothing is given up sooner than usual.
    """
    own = directory.callback_number(account, user) if lenient else directory.shown_number(account, user)
    ordinary = Chosen(own, directory.devices(user.id), limits)
    if options is ORDINARY:
        return ordinary
    if lenient and (narrow := [shown for name, shown in _NARROW.items() if getattr(options, name) is not None]):
        extra = {"call_id": call_id, "user_id": user.id, "options": ", ".join(narrow)}
        logger.warning("options of an emergency call ignored", extra=extra)
        options = CallOptions(options.did_id, own_number=options.own_number, anonymous=options.anonymous)

    def tried(of: Callable[[], T], otherwise: T) -> T:
        try:
            return of()
        except (InvalidRequest, DeviceNotFound) as error:
            if not lenient:
                raise
            extra = {"call_id": call_id, "user_id": user.id, "error": str(error)}
            logger.warning("option of an emergency call ignored", extra=extra)
            return otherwise

    return Chosen(
        own if lenient and own else tried(lambda: _number(directory, account, user, options) or own, own),
        tried(lambda: _devices(ordinary.devices, options), ordinary.devices),
        tried(lambda: _limits(options, limits), limits),
        tried(lambda: _anonymous(options, lenient=lenient), False),
    )


def _anonymous(options: CallOptions, *, lenient: bool) -> bool:
    if options.anonymous and lenient:
        raise InvalidRequest("anonymous", "must not be: emergency services have to be able to call back")
    return options.anonymous


def _number(directory: Directory, account: Account, user: User, options: CallOptions) -> PhoneNumber | None:
    if options.did_id is None:
        return None
    number = directory.phone_number(account.id, options.did_id)
    foreign = options.own_number and options.did_id not in (user.caller_number_id, account.caller_number_id)
    if number is None or foreign:
        raise InvalidRequest("did", "is no phone number of this account")
    if not number.active or not number.outbound_enabled:
        raise InvalidRequest("did", "may not be shown: it must be active and outbound_enabled")
    return number


def _devices(devices: tuple[Device, ...], options: CallOptions) -> tuple[Device, ...]:
    if options.device_id is None:
        return devices
    only = tuple(device for device in devices if device.id == options.device_id)
    if not only:
        raise DeviceNotFound
    return only


def _limits(options: CallOptions, longest: Limits) -> Limits:
    asked = {
        name: seconds
        for name in ("ring_timeout", "answer_timeout", "max_duration")
        if (seconds := getattr(options, name)) is not None
    }
    for name, seconds in asked.items():
        most = getattr(longest, name)
        least = min(SHORTEST, most)
        if not least <= seconds <= most:
            raise InvalidRequest(name, f"must be {least:g} to {most:g} seconds")
    return replace(longest, **asked)
