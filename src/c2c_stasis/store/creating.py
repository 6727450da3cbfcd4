"""How something new comes into the directory."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert

from c2c_stasis import ids
from c2c_stasis.directory import keys as key_format
from c2c_stasis.directory.directory import CALLER_ID_NAME_LENGTH
from c2c_stasis.directory.model import SIP_PHONE, Account, Device, Extension, Key, Location, PhoneNumber, Platform, User
from c2c_stasis.ids import AccountId, DeviceId, LocationId, NumberId, PlatformId, UserId, new_id
from c2c_stasis.store import tables, validation
from c2c_stasis.store.changing import (
    Changing,
    account_of,
    kept_json,
    regions_of,
    require_free,
    require_free_endpoint,
    require_location,
    require_no_emergency,
    require_number,
    require_platform,
    user_of,
)
from c2c_stasis.store.rows import row_of


class Creating(Changing):
    """The part of the store that makes what is new."""

    async def create_platform(self, name: str) -> Platform:
        """A new platform, which may have accounts and keys."""
        platform = Platform(PlatformId(new_id(ids.PLATFORM)), validation.name("name", name))
        return await self._change(lambda connection: self._add(connection, platform))

    async def create_account(
        self,
        platform_id: PlatformId,
        name: str,
        *,
        region: str = "US",
        extension_length: int = 4,
        timezone: str = "UTC",
        email: str = "",
        primary_contact_name: str = "",
        policy: str = "{}",
        cors_origins: Sequence[str] | None = None,
        kept: Mapping[str, object] | None = None,
    ) -> Account:
        """A new account of a platform."""
        account = Account(
            AccountId(new_id(ids.ACCOUNT)),
            platform_id,
            validation.name("name", name),
            validation.region(region),
            validation.extension_length(extension_length),
            validation.timezone(timezone),
            email=validation.email(email),
            primary_contact_name=validation.one_line(
                "primary_contact_name", primary_contact_name, validation.NAME_LENGTH
            ),
            policy=policy,
            cors_origins=None if cors_origins is None else validation.origins(cors_origins),
            kept=kept_json("{}", kept or {}),
        )

        def change(connection: Connection) -> Account:
            require_platform(connection, platform_id)
            made = self._add(connection, account)
            connection.execute(insert(tables.event_counters).values(account_id=account.id, last_sequence=0))
            return made

        return await self._change(change)

    async def create_user(
        self,
        account_id: AccountId,
        name: str,
        *,
        email: str = "",
        do_not_disturb: bool = False,
        caller_number_id: NumberId | None = None,
        kept: Mapping[str, object] | None = None,
        location_id: LocationId | None = None,
    ) -> User:
        """A new user of an account."""
        user = User(
            UserId(new_id(ids.USER)),
            account_id,
            validation.name("name", name),
            validation.email(email),
            do_not_disturb,
            caller_number_id,
            kept_json("{}", kept or {}),
            location_id,
        )

        def change(connection: Connection) -> User:
            account_of(connection, account_id)
            require_number(connection, account_id, caller_number_id)
            require_location(connection, account_id, location_id)
            return self._add(connection, user)

        return await self._change(change)

    async def create_device(
        self,
        account_id: AccountId,
        user_id: UserId,
        endpoint: str,
        *,
        name: str = "",
        location_id: LocationId | None = None,
        ha1: str = "",
        type: str = SIP_PHONE,
    ) -> Device:
        """A new device of a user; the Asterisk endpoint it stands for can belong to one device only.

        With `ha1` it is provisioned: the service makes the endpoint, and a phone registers there with that password.
        """
        device = Device(
            DeviceId(new_id(ids.DEVICE)),
            account_id,
            user_id,
            validation.endpoint(endpoint),
            validation.one_line("name", name, validation.NAME_LENGTH),
            location_id,
            ha1,
            type,
        )

        def change(connection: Connection) -> Device:
            user_of(connection, account_id, user_id)
            require_location(connection, account_id, location_id)
            require_free_endpoint(connection, endpoint)
            return self._add(connection, device)

        return await self._change(change)

    async def create_extension(self, account_id: AccountId, number: str, user_id: UserId) -> Extension:
        """A new extension that leads to a user."""
        extension = Extension(account_id, number, user_id)

        def change(connection: Connection) -> Extension:
            account = account_of(connection, account_id)
            validation.extension(number, account.extension_length, regions_of(connection, account))
            user_of(connection, account_id, user_id)
            mine, same = tables.extensions.c.account_id == account_id, tables.extensions.c.number == number
            require_free(connection, "number", tables.extensions, mine, same)
            return self._add(connection, extension)

        return await self._change(change)

    async def create_phone_number(
        self,
        account_id: AccountId,
        number: str,
        *,
        caller_id_name: str = "",
        active: bool = True,
        outbound_enabled: bool = True,
        kept: Mapping[str, object] | None = None,
    ) -> PhoneNumber:
        """A new number of an account; no two accounts can have the same."""
        phone_number = PhoneNumber(
            NumberId(new_id(ids.NUMBER)),
            account_id,
            validation.e164(number),
            active,
            outbound_enabled,
            validation.one_line("caller_id_name", caller_id_name, CALLER_ID_NAME_LENGTH),
            kept_json("{}", kept or {}),
        )

        def change(connection: Connection) -> PhoneNumber:
            account_of(connection, account_id)
            require_free(connection, "number", tables.phone_numbers, tables.phone_numbers.c.number == number)
            return self._add(connection, phone_number)

        return await self._change(change)

    async def create_location(
        self,
        account_id: AccountId,
        name: str,
        address: Mapping[str, str],
        *,
        primary_number_id: NumberId | None = None,
        kept: Mapping[str, object] | None = None,
    ) -> Location:
        """A new location of an account."""
        location = Location(
            LocationId(new_id(ids.LOCATION)),
            account_id,
            validation.name("name", name),
            validation.address(address),
            primary_number_id,
            kept_json("{}", kept or {}),
        )

        def change(connection: Connection) -> Location:
            account_of(connection, account_id)
            require_number(connection, account_id, primary_number_id, "primary_number_id")
            require_no_emergency(connection, location)
            return self._add(connection, location)

        return await self._change(change)

    async def create_key(
        self, platform_id: PlatformId, *, livemode: bool = True, networks: Sequence[str] = ()
    ) -> tuple[str, Key]:
        """A new platform key: the key itself, which is kept nowhere and cannot be shown again, and what is kept of it."""
        allowed = validation.networks(networks)
        secret, key = new_platform_key(platform_id, livemode=livemode, at=self._wall(), networks=allowed)

        def change(connection: Connection) -> Key:
            require_platform(connection, platform_id)
            connection.execute(insert(tables.keys).values(row_of(key)))
            return key

        return secret, await self._change(change)


def new_platform_key(platform_id: PlatformId, *, livemode: bool, at: float, networks: str = "") -> tuple[str, Key]:
    """A key that nobody has yet, and what is to be kept of it."""
    secret = key_format.new_key(livemode)
    digest, hint = key_format.digest(secret), key_format.hint(secret)
    return secret, Key(new_id(ids.KEY), platform_id, digest, hint, livemode, created_at=at, networks=networks)
