"""How the directory is changed: every change is checked, committed, and counted so that other processes notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from c2c_stasis import ids
from c2c_stasis.directory import keys as key_format
from c2c_stasis.directory.model import Account, Device, Extension, Key, PhoneNumber, Platform, User
from c2c_stasis.errors import AccountNotAllowed, InvalidRequest, UserNotFound
from c2c_stasis.ids import AccountId, DeviceId, NumberId, PlatformId, UserId, new_id
from c2c_stasis.store import tables, validation
from c2c_stasis.store.rows import read, row_of
from c2c_stasis.store.writer import Writer

T = TypeVar("T")
V = TypeVar("V", Platform, Account, User, Device, Extension, PhoneNumber)


class Provisioning:
    """The part of the store that changes the directory.

    Each method returns when its change is committed, and raises `InvalidRequest` (naming the field), `AccountNotAllowed` or
    `UserNotFound` when it makes no sense, `StoreUnavailable` when it could not be written; then nothing has changed.
    """

    def __init__(self, writer: Writer, wall: Callable[[], float]) -> None:
        self._writer = writer
        self._wall = wall

    async def create_platform(self, name: str) -> Platform:
        """A new platform, which may have accounts and keys."""
        platform = Platform(PlatformId(new_id(ids.PLATFORM)), validation.name("name", name))
        return await self._change(lambda connection: self._add(connection, tables.platforms, platform))

    async def create_account(
        self,
        platform_id: PlatformId,
        name: str,
        *,
        region: str = "US",
        extension_length: int = 4,
        timezone: str = "UTC",
    ) -> Account:
        """A new account of a platform."""
        account = Account(
            AccountId(new_id(ids.ACCOUNT)),
            platform_id,
            validation.name("name", name),
            validation.region(region),
            validation.extension_length(extension_length),
            validation.timezone(timezone),
        )

        def change(connection: Connection) -> Account:
            _require_platform(connection, platform_id)
            self._add(connection, tables.accounts, account)
            connection.execute(insert(tables.event_counters).values(account_id=account.id, last_sequence=0))
            return account

        return await self._change(change)

    async def create_user(
        self, account_id: AccountId, name: str, *, email: str = "", do_not_disturb: bool = False
    ) -> User:
        """A new user of an account."""
        user = User(
            UserId(new_id(ids.USER)),
            account_id,
            validation.name("name", name),
            validation.email(email),
            do_not_disturb,
        )

        def change(connection: Connection) -> User:
            _account(connection, account_id)
            return self._add(connection, tables.users, user)

        return await self._change(change)

    async def create_device(self, account_id: AccountId, user_id: UserId, endpoint: str, *, name: str = "") -> Device:
        """A new device of a user; the Asterisk endpoint it stands for can belong to one device only."""
        device = Device(
            DeviceId(new_id(ids.DEVICE)),
            account_id,
            user_id,
            validation.endpoint(endpoint),
            validation.one_line("name", name, validation.NAME_LENGTH),
        )

        def change(connection: Connection) -> Device:
            _user(connection, account_id, user_id)
            _require_free(connection, "endpoint", tables.devices, tables.devices.c.endpoint == endpoint)
            return self._add(connection, tables.devices, device)

        return await self._change(change)

    async def delete_device(self, account_id: AccountId, device_id: DeviceId) -> None:
        """Remove a device; the calls it took part in keep naming it."""

        def change(connection: Connection) -> None:
            mine = (tables.devices.c.account_id == account_id, tables.devices.c.id == device_id)
            if not read(connection, Device, *mine):
                raise InvalidRequest("device_id", "is no device of this account")
            connection.execute(delete(tables.devices).where(*mine))

        await self._change(change)

    async def create_extension(self, account_id: AccountId, number: str, user_id: UserId) -> Extension:
        """A new extension that leads to a user."""
        extension = Extension(account_id, number, user_id)

        def change(connection: Connection) -> Extension:
            account = _account(connection, account_id)
            validation.extension(number, account.extension_length, account.region)
            _user(connection, account_id, user_id)
            mine, same = tables.extensions.c.account_id == account_id, tables.extensions.c.number == number
            _require_free(connection, "number", tables.extensions, mine, same)
            return self._add(connection, tables.extensions, extension)

        return await self._change(change)

    async def create_phone_number(
        self,
        account_id: AccountId,
        number: str,
        *,
        caller_id_name: str = "",
        active: bool = True,
        outbound_enabled: bool = True,
    ) -> PhoneNumber:
        """A new number of an account; no two accounts can have the same."""
        phone_number = PhoneNumber(
            NumberId(new_id(ids.NUMBER)),
            account_id,
            validation.e164(number),
            active,
            outbound_enabled,
            validation.one_line("caller_id_name", caller_id_name, validation.CALLER_ID_NAME_LENGTH),
        )

        def change(connection: Connection) -> PhoneNumber:
            _account(connection, account_id)
            _require_free(connection, "number", tables.phone_numbers, tables.phone_numbers.c.number == number)
            return self._add(connection, tables.phone_numbers, phone_number)

        return await self._change(change)

    async def set_account_caller_number(self, account_id: AccountId, number_id: NumberId | None) -> Account:
        """The number that users of the account show when they have none of their own."""

        def change(connection: Connection) -> Account:
            account = _account(connection, account_id)
            _require_number(connection, account_id, number_id)
            self._alter(connection, tables.accounts, account_id, caller_number_id=number_id)
            return replace(account, caller_number_id=number_id)

        return await self._change(change)

    async def set_user_caller_number(self, account_id: AccountId, user_id: UserId, number_id: NumberId | None) -> User:
        """The number that this user shows; without one, the account's."""

        def change(connection: Connection) -> User:
            user = _user(connection, account_id, user_id)
            _require_number(connection, account_id, number_id)
            self._alter(connection, tables.users, user_id, caller_number_id=number_id)
            return replace(user, caller_number_id=number_id)

        return await self._change(change)

    async def set_do_not_disturb(self, account_id: AccountId, user_id: UserId, on: bool) -> User:
        """Whether the user's devices ring when somebody else calls the user."""

        def change(connection: Connection) -> User:
            user = _user(connection, account_id, user_id)
            self._alter(connection, tables.users, user_id, do_not_disturb=on)
            return replace(user, do_not_disturb=on)

        return await self._change(change)

    async def create_key(self, platform_id: PlatformId, *, livemode: bool = True) -> tuple[str, Key]:
        """A new platform key: the key itself, which is kept nowhere and cannot be shown again, and what is kept of it."""
        secret = key_format.new_key(livemode)
        digest, hint = key_format.digest(secret), key_format.hint(secret)
        key = Key(new_id(ids.KEY), platform_id, digest, hint, livemode, created_at=self._wall())

        def change(connection: Connection) -> Key:
            _require_platform(connection, platform_id)
            connection.execute(insert(tables.keys).values(row_of(key)))
            return key

        return secret, await self._change(change)

    async def revoke_key(self, key_id: str) -> Key:
        """Make a key useless; a key that is revoked already stays revoked since then."""

        def change(connection: Connection) -> Key:
            found = read(connection, Key, tables.keys.c.id == key_id)
            if not found:
                raise InvalidRequest("key_id", "is no key")
            if found[0].revoked_at is not None:
                return found[0]
            revoked = replace(found[0], revoked_at=self._wall())
            connection.execute(update(tables.keys).where(tables.keys.c.id == key_id).values(row_of(revoked)))
            return revoked

        return await self._change(change)

    async def _change(self, change: Callable[[Connection], T]) -> T:
        def counted(connection: Connection) -> T:
            result = change(connection)
            revision = tables.counters.c.name == tables.DIRECTORY_REVISION
            connection.execute(update(tables.counters).where(revision).values(value=tables.counters.c.value + 1))
            return result

        return await self._writer.run(counted)

    def _add(self, connection: Connection, table: Table, value: V) -> V:
        times = {name: self._wall() for name in ("created_at", "updated_at") if name in table.c}
        connection.execute(insert(table).values(row_of(value) | times))
        return value

    def _alter(self, connection: Connection, table: Table, row_id: str, **changed: object) -> None:
        connection.execute(update(table).where(table.c.id == row_id).values(**changed, updated_at=self._wall()))


def _require_platform(connection: Connection, platform_id: PlatformId) -> None:
    if not read(connection, Platform, tables.platforms.c.id == platform_id):
        raise InvalidRequest("platform_id", "is no platform")


def _account(connection: Connection, account_id: AccountId) -> Account:
    found = read(connection, Account, tables.accounts.c.id == account_id)
    if not found:
        raise AccountNotAllowed("Account not found")
    return found[0]


def _user(connection: Connection, account_id: AccountId, user_id: UserId) -> User:
    found = read(connection, User, tables.users.c.id == user_id, tables.users.c.account_id == account_id)
    if not found:
        raise UserNotFound("User not found")
    return found[0]


def _require_number(connection: Connection, account_id: AccountId, number_id: NumberId | None) -> None:
    mine = (tables.phone_numbers.c.id == number_id, tables.phone_numbers.c.account_id == account_id)
    if number_id is not None and not read(connection, PhoneNumber, *mine):
        raise InvalidRequest("caller_number_id", "is no number of this account")


def _require_free(connection: Connection, field: str, table: Table, *same: ColumnElement[bool]) -> None:
    if connection.execute(select(table.c.account_id).where(*same)).first():
        raise InvalidRequest(field, "is already in use")
