"""Accounts and what belongs to them, as frozen values.

When something was made and changed (Unix seconds) is told beside what it is: two values that differ in that alone are equal.
`kept` is JSON that published clients send and we do not use: it is given back as it came.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.ids import AccountId, DeviceId, LocationId, NumberId, PlatformId, UserId


@dataclass(frozen=True, slots=True)
class Platform:
    """Who operates accounts; keys belong to a platform."""

    id: PlatformId
    name: str


@dataclass(frozen=True, slots=True)
class Account:
    """A customer of the platform. `region` is ISO 3166-1 alpha-2, `timezone` an IANA name.

    `policy` is JSON: what may be dialled here, where that is other than configured for all (`policy.settings.AccountPolicy`).
    """

    id: AccountId
    platform_id: PlatformId
    name: str
    region: str = "US"
    extension_length: int = 4
    timezone: str = "UTC"
    caller_number_id: NumberId | None = None
    email: str = ""
    primary_contact_name: str = ""
    kept: str = "{}"
    policy: str = "{}"
    created_at: float = field(default=0.0, compare=False)
    updated_at: float = field(default=0.0, compare=False)
    sessions_revoked_at: float | None = None  # whatever session of the account began until then is over
    cors_origins: str | None = None  # the pages that may act for it, with commas; None for those of the whole service

    @property
    def page_origins(self) -> tuple[str, ...] | None:
        """The origins of those pages, one by one."""
        return None if self.cors_origins is None else tuple(filter(None, self.cors_origins.split(", ")))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whose phones ring."""

    id: UserId
    account_id: AccountId
    name: str
    email: str = ""
    do_not_disturb: bool = False
    caller_number_id: NumberId | None = None
    kept: str = "{}"
    location_id: LocationId | None = None
    created_at: float = field(default=0.0, compare=False)
    updated_at: float = field(default=0.0, compare=False)
    sessions_revoked_at: float | None = None  # as with accounts


SIP_PHONE: Final = "sip"
BROWSER_PHONE: Final = "browser"
"""What a device may be: a phone or softphone of any maker, or a web page, which always is provisioned."""


@dataclass(frozen=True, slots=True)
class Device:
    """A phone of a user; `endpoint` is the name of its Asterisk endpoint (`[A-Za-z0-9_-]{1,64}`).

    A device is attached, when the endpoint is Asterisk's own, or provisioned: then the service makes the endpoint, the phone
    registers under the endpoint's name, and `ha1` is what is kept of its password (`directory/sip_account.py`).
    """

    id: DeviceId
    account_id: AccountId
    user_id: UserId
    endpoint: str
    name: str = ""
    location_id: LocationId | None = None
    ha1: str = field(default="", repr=False)  # who has it can register: it belongs into no log
    type: str = SIP_PHONE
    created_at: float = field(default=0.0, compare=False)

    @property
    def provisioned(self) -> bool:
        """Whether the endpoint is made by the service, and not by hand in Asterisk's files."""
        return bool(self.ha1)

    @property
    def browser(self) -> bool:
        """Whether the phone is a web page."""
        return self.type == BROWSER_PHONE

    @property
    def registrant(self) -> Registrant:
        """Who registers there, if it is provisioned."""
        return Registrant(self.ha1, self.browser)


@dataclass(frozen=True, slots=True)
class Extension:
    """A short number inside an account that leads to a user."""

    account_id: AccountId
    number: str
    user_id: UserId
    created_at: float = field(default=0.0, compare=False)
    updated_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of the account, E.164, which may serve as its caller id."""

    id: NumberId
    account_id: AccountId
    number: str
    active: bool = True
    outbound_enabled: bool = True
    caller_id_name: str = ""
    kept: str = "{}"
    created_at: float = field(default=0.0, compare=False)
    updated_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Location:
    """Where users and devices are, for emergency services. `address` is JSON; `primary_number_id` is its call-back number."""

    id: LocationId
    account_id: AccountId
    name: str
    address: str
    primary_number_id: NumberId | None = None
    kept: str = "{}"
    created_at: float = field(default=0.0, compare=False)
    updated_at: float = field(default=0.0, compare=False)

    @property
    def country(self) -> str:
        """The country of the address, ISO 3166-1 alpha-2; empty if there is none."""
        return self.lines.get("country", "")

    @property
    def lines(self) -> dict[str, str]:
        """The address, by the names of its parts."""
        found: dict[str, str] = json.loads(self.address)
        return found


@dataclass(frozen=True, slots=True)
class Key:
    """A platform key as it is kept: never the key itself. `digest` is the SHA-256 of the whole key, in hex."""

    id: str
    platform_id: PlatformId
    digest: str
    hint: str  # the first characters, to tell keys apart
    livemode: bool
    created_at: float
    revoked_at: float | None = None
    expires_at: float | None = None  # a key that was rotated opens nothing from then on
    last_used_at: float | None = field(default=None, compare=False)  # to the minute
    networks: str = ""  # from where it may be used, with commas; empty for everywhere


@dataclass(frozen=True, slots=True)
class SigningKey:
    """With what session tokens are signed: an Ed25519 private key, 32 bytes. The newest signs; older ones are believed."""

    id: str
    private_key: bytes = field(repr=False)
    created_at: float


@dataclass(frozen=True, slots=True)
class DirectoryRows:
    """The whole directory, as it is read from the store."""

    platforms: tuple[Platform, ...] = ()
    accounts: tuple[Account, ...] = ()
    users: tuple[User, ...] = ()
    devices: tuple[Device, ...] = ()
    extensions: tuple[Extension, ...] = ()
    numbers: tuple[PhoneNumber, ...] = ()
    keys: tuple[Key, ...] = ()
    signing_keys: tuple[SigningKey, ...] = ()
    locations: tuple[Location, ...] = ()
    removed_endpoints: tuple[str, ...] = ()  # of provisioned devices that were deleted: Asterisk must not have them

    @property
    def regions(self) -> set[str]:
        """Where users may be: the regions of accounts, and the countries of locations."""
        return {account.region for account in self.accounts} | {
            location.country for location in self.locations if location.country
        }
