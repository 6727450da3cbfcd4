"""How something in the directory becomes different."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from c2c_stasis.directory.changes import (
    AccountChanges,
    DeviceChanges,
    ExtensionChanges,
    LocationChanges,
    PhoneNumberChanges,
    UserChanges,
)
from c2c_stasis.directory.directory import CALLER_ID_NAME_LENGTH
from c2c_stasis.directory.model import Account, Device, Extension, Location, PhoneNumber, User
from c2c_stasis.errors import DeviceNotFound, ExtensionNotFound, InvalidRequest, LocationNotFound, PhoneNumberNotFound
from c2c_stasis.ids import AccountId, DeviceId, LocationId, NumberId, UserId
from c2c_stasis.store import tables, validation
from c2c_stasis.store.changing import (
    Changing,
    account_of,
    kept_json,
    regions_of,
    require_free_endpoint,
    require_location,
    require_no_emergency,
    require_number,
    user_of,
)
from c2c_stasis.store.rows import read

CHECKS: dict[str, Callable[[Any], object]] = {
    "name": lambda text: validation.name("name", text),
    "email": validation.email,
    "primary_contact_name": lambda text: validation.one_line("primary_contact_name", text, validation.NAME_LENGTH),
    "region": validation.region,
    "extension_length": validation.extension_length,
    "timezone": validation.timezone,
    "endpoint": validation.endpoint,
    "caller_id_name": lambda text: validation.one_line("caller_id_name", text, CALLER_ID_NAME_LENGTH),
}


class Updating(Changing):
    """The part of the store that changes what there is."""

    async def update_account(self, account_id: AccountId, changes: AccountChanges) -> Account:
        """Change an account; its extensions must fit what it becomes."""
        _check(changes)
        if (named := changes.get("cors_origins")) is not None:
            changes = {**changes, "cors_origins": validation.origins(named)}

        def change(connection: Connection) -> Account:
            account = account_of(connection, account_id)
            require_number(connection, account_id, changes.get("caller_number_id"))
            changed = self._alter(connection, account, _with_kept(account.kept, changes))
            if {"extension_length", "region"} & set(changes):
                _require_fitting_extensions(connection, changed)
            return changed

        return await self._change(change)

    async def update_user(self, account_id: AccountId, user_id: UserId, changes: UserChanges) -> User:
        """Change a user."""
        _check(changes)

        def change(connection: Connection) -> User:
            user = user_of(connection, account_id, user_id)
            require_number(connection, account_id, changes.get("caller_number_id"))
            require_location(connection, account_id, changes.get("location_id"))
            return self._alter(connection, user, _with_kept(user.kept, changes))

        return await self._change(change)

    async def update_device(self, account_id: AccountId, device_id: DeviceId, changes: DeviceChanges) -> Device:
        """Change a device; its endpoint can belong to one device only."""
        named = (
            {"name": validation.one_line("name", changes["name"], validation.NAME_LENGTH)} if "name" in changes else {}
        )
        endpoint = {"endpoint": validation.endpoint(changes["endpoint"])} if "endpoint" in changes else {}
        located = {"location_id": changes["location_id"]} if "location_id" in changes else {}

        def change(connection: Connection) -> Device:
            device = device_of(connection, account_id, device_id)
            if endpoint and endpoint["endpoint"] != device.endpoint:
                if device.provisioned:
                    raise InvalidRequest("endpoint", "is made by the service; create another device instead")
                require_free_endpoint(connection, endpoint["endpoint"])
            require_location(connection, account_id, changes.get("location_id"))
            return self._alter(connection, device, named | endpoint | located)

        return await self._change(change)

    async def reset_device(self, account_id: AccountId, device_id: DeviceId, ha1: str) -> Device:
        """Give a provisioned device another password. Raises `InvalidRequest` for one that was attached."""

        def change(connection: Connection) -> Device:
            device = device_of(connection, account_id, device_id)
            if not device.provisioned:
                raise InvalidRequest("endpoint", "was attached by its name; its password is in Asterisk's own files")
            return self._alter(connection, device, {"ha1": ha1})

        return await self._change(change)

    async def update_extension(self, account_id: AccountId, number: str, changes: ExtensionChanges) -> Extension:
        """Let an extension lead to another user."""

        def change(connection: Connection) -> Extension:
            extension = extension_of(connection, account_id, number)
            if "user_id" in changes:
                user_of(connection, account_id, changes["user_id"])
            return self._alter(connection, extension, changes)

        return await self._change(change)

    async def update_phone_number(
        self, account_id: AccountId, number_id: NumberId, changes: PhoneNumberChanges
    ) -> PhoneNumber:
        """Change what a number may be used for, and the name that is shown with it."""
        _check(changes)

        def change(connection: Connection) -> PhoneNumber:
            number = number_of(connection, account_id, number_id)
            return self._alter(connection, number, _with_kept(number.kept, changes))

        return await self._change(change)

    async def update_location(
        self, account_id: AccountId, location_id: LocationId, changes: LocationChanges
    ) -> Location:
        """Change a location; a new address takes the place of the whole old one."""
        _check(changes)
        address = {"address": validation.address(changes["address"])} if "address" in changes else {}

        def change(connection: Connection) -> Location:
            location = location_of(connection, account_id, location_id)
            require_number(connection, account_id, changes.get("primary_number_id"), "primary_number_id")
            require_no_emergency(connection, replace(location, address=address.get("address", location.address)))
            return self._alter(connection, location, _with_kept(location.kept, changes) | address)

        return await self._change(change)

    async def set_account_caller_number(self, account_id: AccountId, number_id: NumberId | None) -> Account:
        """The number that users of the account show when they have none of their own."""
        return await self.update_account(account_id, {"caller_number_id": number_id})

    async def set_user_caller_number(self, account_id: AccountId, user_id: UserId, number_id: NumberId | None) -> User:
        """The number that this user shows; without one, the account's."""
        return await self.update_user(account_id, user_id, {"caller_number_id": number_id})

    async def set_do_not_disturb(self, account_id: AccountId, user_id: UserId, on: bool) -> User:
        """Whether the user's devices ring when somebody else calls the user."""
        return await self.update_user(account_id, user_id, {"do_not_disturb": on})


def device_of(connection: Connection, account_id: AccountId, device_id: DeviceId) -> Device:
    """Raises `DeviceNotFound`."""
    found = read(connection, Device, tables.devices.c.account_id == account_id, tables.devices.c.id == device_id)
    if not found:
        raise DeviceNotFound
    return found[0]


def extension_of(connection: Connection, account_id: AccountId, number: str) -> Extension:
    """Raises `ExtensionNotFound`."""
    mine, same = tables.extensions.c.account_id == account_id, tables.extensions.c.number == number
    found = read(connection, Extension, mine, same)
    if not found:
        raise ExtensionNotFound
    return found[0]


def number_of(connection: Connection, account_id: AccountId, number_id: NumberId) -> PhoneNumber:
    """Raises `PhoneNumberNotFound`."""
    mine, same = tables.phone_numbers.c.account_id == account_id, tables.phone_numbers.c.id == number_id
    found = read(connection, PhoneNumber, mine, same)
    if not found:
        raise PhoneNumberNotFound
    return found[0]


def location_of(connection: Connection, account_id: AccountId, location_id: LocationId) -> Location:
    """Raises `LocationNotFound`."""
    mine, same = tables.locations.c.account_id == account_id, tables.locations.c.id == location_id
    found = read(connection, Location, mine, same)
    if not found:
        raise LocationNotFound
    return found[0]


def _check(changes: Mapping[str, object]) -> None:
    """Raises `InvalidRequest` for the first value that makes no sense."""
    for name, value in changes.items():
        if name in CHECKS:
            CHECKS[name](value)


def _with_kept(before: str, changes: Mapping[str, Any]) -> dict[str, object]:
    kept = {"kept": kept_json(before, changes["kept"])} if changes.get("kept") else {}
    return {name: value for name, value in changes.items() if name != "kept"} | kept


def _require_fitting_extensions(connection: Connection, account: Account) -> None:
    """Raises `InvalidRequest` when an extension could not be dialled any more."""
    for extension in read(connection, Extension, tables.extensions.c.account_id == account.id):
        try:
            validation.extension(extension.number, account.extension_length, regions_of(connection, account))
        except InvalidRequest as error:
            reason = f"does not fit the extension {extension.number}, which {error.reason}; delete that first"
            field = "region" if "emergency" in error.reason else "extension_length"
            raise InvalidRequest(field, reason) from error
