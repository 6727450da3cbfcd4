"""The directory in memory: who exists, whose phones are whose, and which number a user shows; every question is one look-up."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from c2c_stasis.call.model import Party
from c2c_stasis.directory.model import (
    Account,
    Device,
    DirectoryRows,
    Extension,
    Key,
    Location,
    PhoneNumber,
    SigningKey,
    User,
)
from c2c_stasis.ids import AccountId, LocationId, NumberId, PlatformId, UserId

CALLER_ID_NAME_LENGTH = 64
NOT_IN_A_NAME = frozenset('"\\<>')  # they end the display name of a SIP header, or begin an address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Directory:
    """One state of the directory, which never changes; a newer state is another `Directory`."""

    _keys: dict[str, Key] = field(default_factory=dict)
    _key_ids: frozenset[str] = frozenset()
    signing_keys: tuple[SigningKey, ...] = ()
    """Oldest first."""
    _accounts: dict[AccountId, Account] = field(default_factory=dict)
    _users: dict[UserId, User] = field(default_factory=dict)
    _numbers: dict[NumberId, PhoneNumber] = field(default_factory=dict)
    _extensions: dict[tuple[AccountId, str], Extension] = field(default_factory=dict)
    _devices_by_user: dict[UserId, tuple[Device, ...]] = field(default_factory=dict)
    _extensions_by_user: dict[UserId, tuple[Extension, ...]] = field(default_factory=dict)
    _locations: dict[LocationId, Location] = field(default_factory=dict)
    page_origins: frozenset[str] = frozenset()
    """Of every page that may act for an account that names its own."""

    @classmethod
    def of(cls, rows: DirectoryRows) -> "Directory":
        """The directory that these rows describe."""
        return cls(
            {key.digest: key for key in rows.keys if key.revoked_at is None},
            frozenset(key.id for key in rows.keys if key.revoked_at is None),
            tuple(sorted(rows.signing_keys, key=lambda key: (key.created_at, key.id))),
            {account.id: account for account in rows.accounts},
            {user.id: user for user in rows.users},
            {number.id: number for number in rows.numbers},
            {(extension.account_id, extension.number): extension for extension in rows.extensions},
            _by_user((device.user_id, device) for device in rows.devices),
            _by_user((extension.user_id, extension) for extension in rows.extensions),
            {location.id: location for location in rows.locations},
            frozenset(origin for account in rows.accounts for origin in account.page_origins or ()),
        )

    def key(self, digest: str) -> Key | None:
        """The key with this digest; none when it is revoked."""
        return self._keys.get(digest)

    def key_stands(self, key_id: str) -> bool:
        """Whether there is a key with this id that nobody revoked; one that has expired was not."""
        return key_id in self._key_ids

    def any_account(self, account_id: AccountId) -> Account | None:
        """An account of whichever platform; for who has proved to be the account's."""
        return self._accounts.get(account_id)

    def account(self, platform_id: PlatformId, account_id: AccountId) -> Account | None:
        """An account of this platform; another platform's is as unknown as one that does not exist."""
        account = self._accounts.get(account_id)
        return account if account and account.platform_id == platform_id else None

    def user(self, account_id: AccountId, user_id: UserId) -> User | None:
        """A user of this account."""
        user = self._users.get(user_id)
        return user if user and user.account_id == account_id else None

    def without_user(self, user_id: UserId) -> "Directory":
        """The same directory, in which this user is not found."""
        return replace(self, _users={key: user for key, user in self._users.items() if key != user_id})

    def account_of_user(self, user: User) -> Account | None:
        """The account a user belongs to."""
        return self._accounts.get(user.account_id)

    def region_of(self, account: Account, user_id: UserId) -> str:
        """Where a user dials: the country of the user's location, without one the account's region."""
        user = self.user(account.id, user_id)
        location = self._locations.get(user.location_id) if user and user.location_id else None
        return (location.country if location else "") or account.region

    def devices(self, user_id: UserId) -> tuple[Device, ...]:
        """The devices of a user, oldest first; none for a user who is not known."""
        return self._devices_by_user.get(user_id, ())

    def extension(self, account_id: AccountId, number: str) -> Extension | None:
        """What an extension of this account leads to."""
        return self._extensions.get((account_id, number))

    def extensions_of(self, user: User) -> tuple[Extension, ...]:
        """The extensions that lead to a user, in order of number."""
        return self._extensions_by_user.get(user.id, ())

    def phone_number(self, account_id: AccountId, number_id: NumberId) -> PhoneNumber | None:
        """A number of this account."""
        number = self._numbers.get(number_id)
        return number if number and number.account_id == account_id else None

    def shown_number(self, account: Account, user: User) -> PhoneNumber | None:
        """The number that a user shows to the outside: the user's, else the account's; none when neither may be used."""
        for number_id in (user.caller_number_id, account.caller_number_id):
            number = self.phone_number(account.id, number_id) if number_id else None
            if number and number.active and number.outbound_enabled:
                return number
        return None

    def location(self, user: User) -> Location | None:
        """Where a user is: where it is said of the user, else where it is said of the first of the devices."""
        return next(self._locations_of(user), None)

    def regions(self, account: Account, user: User) -> tuple[str, ...]:
        """Whose emergency numbers a user may dial: those of the places of user and devices, and of the account."""
        countries = (location.lines.get("country", "") for location in self._locations_of(user))
        return tuple(dict.fromkeys(country for country in (*countries, account.region) if country))

    def regions_of_all(self, account: Account) -> tuple[str, ...]:
        """Whose emergency numbers somebody of this account may dial: those of all its places, and its own."""
        places = (place.country for place in self._locations.values() if place.account_id == account.id)
        return tuple(dict.fromkeys((account.region, *places)))

    def callback_number(self, account: Account, user: User) -> PhoneNumber | None:
        """Under which number emergency services call a user back: the user's, else the place's, else the account's.

        It need only be active: whether ordinary calls may show it is no matter here.
        """
        location = self.location(user)
        there = location.primary_number_id if location else None
        for number_id in (user.caller_number_id, there, account.caller_number_id):
            number = self.phone_number(account.id, number_id) if number_id else None
            if number and number.active:
                return number
        return None

    def _locations_of(self, user: User) -> Iterator[Location]:
        for location_id in (user.location_id, *(device.location_id for device in self.devices(user.id))):
            location = self._locations.get(location_id) if location_id else None
            if location and location.account_id == user.account_id:
                yield location


def party_of(number: PhoneNumber, account: Account) -> Party:
    """A number as it is shown, with its name or else the account's."""
    return Party(number.number, caller_id_name(number.caller_id_name) or caller_id_name(account.name))


def caller_id_name(text: str) -> str:
    """A name as it may stand in a SIP header: one line of 64 characters, no double quotes, backslashes or angle brackets."""
    shown = "".join(character for character in text if character.isprintable() and character not in NOT_IN_A_NAME)
    return " ".join(shown.split())[:CALLER_ID_NAME_LENGTH].rstrip()


def _by_user(pairs: Iterable[tuple[UserId, T]]) -> dict[UserId, tuple[T, ...]]:
    grouped: defaultdict[UserId, list[T]] = defaultdict(list)
    for user_id, value in pairs:
        grouped[user_id].append(value)
    return {user_id: tuple(values) for user_id, values in grouped.items()}
