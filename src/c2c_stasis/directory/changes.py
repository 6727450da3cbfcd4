"""What may be changed of what is in the directory; what is not named stays as it is."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from c2c_stasis.ids import LocationId, NumberId, UserId


class AccountChanges(TypedDict, total=False):
    """Changes of an account. `kept` is laid over what is kept, name by name; `policy` takes the place of the whole of it."""

    name: str
    email: str
    primary_contact_name: str
    region: str
    extension_length: int
    timezone: str
    caller_number_id: NumberId | None
    policy: str
    cors_origins: Sequence[str] | str | None
    kept: Mapping[str, object]


class UserChanges(TypedDict, total=False):
    """Changes of a user."""

    name: str
    email: str
    do_not_disturb: bool
    caller_number_id: NumberId | None
    location_id: LocationId | None
    kept: Mapping[str, object]


class DeviceChanges(TypedDict, total=False):
    """Changes of a device."""

    name: str
    endpoint: str
    location_id: LocationId | None


class ExtensionChanges(TypedDict, total=False):
    """Changes of an extension: whom it leads to."""

    user_id: UserId


class PhoneNumberChanges(TypedDict, total=False):
    """Changes of a number."""

    active: bool
    outbound_enabled: bool
    caller_id_name: str
    kept: Mapping[str, object]


class LocationChanges(TypedDict, total=False):
    """Changes of a location. `address` takes the place of the whole address."""

    name: str
    address: Mapping[str, str]
    primary_number_id: NumberId | None
    kept: Mapping[str, object]
