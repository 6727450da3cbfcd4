"""What every change of the directory has in common: checked, committed, and counted so that other processes notice."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, insert, select, update

from c2c_stasis.directory.dial_strings import is_emergency
from c2c_stasis.directory.model import Account, Device, Extension, Location, PhoneNumber, Platform, User
from c2c_stasis.errors import AccountNotAllowed, AlreadyInUse, InvalidRequest, UserNotFound
from c2c_stasis.ids import AccountId, LocationId, NumberId, PlatformId, UserId
from c2c_stasis.store import tables
from c2c_stasis.store.rows import TABLES, read, row_of
from c2c_stasis.store.writer import Writer

T = TypeVar("T")
V = TypeVar("V", Platform, Account, User, Device, Extension, PhoneNumber, Location)

KEPT_LENGTH = 16_384  # characters of JSON that is kept with an account or a user; as much as one request may hold


class Changing:
    """The way to change the directory; its methods are the steps of a change, inside one transaction."""

    def __init__(self, writer: Writer, wall: Callable[[], float]) -> None:
        self._writer = writer
        self._wall = wall

    async def _change(self, change: Callable[[Connection], T]) -> T:
        def counted(connection: Connection) -> T:
            result = change(connection)
            revision = tables.counters.c.name == tables.DIRECTORY_REVISION
            connection.execute(update(tables.counters).where(revision).values(value=tables.counters.c.value + 1))
            return result

        return await self._writer.run(counted)

    def _add(self, connection: Connection, value: V) -> V:
        """Write a new value, and give it with the time at which it was made."""
        table = TABLES[type(value)]
        times: dict[str, Any] = {name: self._wall() for name in ("created_at", "updated_at") if name in table.c}
        connection.execute(insert(table).values(row_of(value) | times))
        told = {field.name for field in fields(value)}
        return replace(value, **{name: at for name, at in times.items() if name in told})

    def _alter(self, connection: Connection, value: V, changed: Mapping[str, Any]) -> V:
        """Write what is changed of a value, and give the new value."""
        table = TABLES[type(value)]
        news: dict[str, Any] = dict(changed) | ({"updated_at": self._wall()} if "updated_at" in table.c else {})
        if news:
            key = [column == getattr(value, column.name) for column in table.primary_key.columns]
            connection.execute(update(table).where(*key).values(news))
        return replace(value, **news)


def kept_json(before: str, more: Mapping[str, object]) -> str:
    """What is kept when this is laid over it, name by name; a null takes a name away. Raises `InvalidRequest`."""
    kept = {name: value for name, value in (json.loads(before) | dict(more)).items() if value is not None}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    if len(text) > KEPT_LENGTH:
        raise InvalidRequest(next(iter(more)), f"is too much: all that is kept may have {KEPT_LENGTH} characters")
    return text


def require_platform(connection: Connection, platform_id: PlatformId) -> None:
    """Raises `InvalidRequest`."""
    if not read(connection, Platform, tables.platforms.c.id == platform_id):
        raise InvalidRequest("platform_id", "is no platform")


def account_of(connection: Connection, account_id: AccountId) -> Account:
    """Raises `AccountNotAllowed`."""
    found = read(connection, Account, tables.accounts.c.id == account_id)
    if not found:
        raise AccountNotAllowed("Account not found")
    return found[0]


def user_of(connection: Connection, account_id: AccountId, user_id: UserId) -> User:
    """Raises `UserNotFound`."""
    found = read(connection, User, tables.users.c.id == user_id, tables.users.c.account_id == account_id)
    if not found:
        raise UserNotFound
    return found[0]


def require_number(
    connection: Connection, account_id: AccountId, number_id: NumberId | None, field: str = "caller_number_id"
) -> None:
    """Raises `InvalidRequest` when the number that shall be shown, or called back, is not the account's."""
    mine = (tables.phone_numbers.c.id == number_id, tables.phone_numbers.c.account_id == account_id)
    if number_id is not None and not read(connection, PhoneNumber, *mine):
        raise InvalidRequest(field, "is no number of this account")


def require_location(connection: Connection, account_id: AccountId, location_id: LocationId | None) -> None:
    """Raises `InvalidRequest` when the location is not the account's."""
    mine = (tables.locations.c.id == location_id, tables.locations.c.account_id == account_id)
    if location_id is not None and not read(connection, Location, *mine):
        raise InvalidRequest("location_id", "is no location of this account")


def regions_of(connection: Connection, account: Account) -> set[str]:
    """Where users of an account may be: in its region, and where its locations are."""
    locations = read(connection, Location, tables.locations.c.account_id == account.id)
    return {account.region, *(location.country for location in locations)}


def require_no_emergency(connection: Connection, location: Location) -> None:
    """Raises `InvalidRequest` when who dials an extension of the account at this location would call for help."""
    for extension in read(connection, Extension, tables.extensions.c.account_id == location.account_id):
        if is_emergency(extension.number, location.country):
            reason = f"does not fit the extension {extension.number}, which is an emergency number there"
            raise InvalidRequest("address.country", f"{reason}; delete that first")


def require_free_endpoint(connection: Connection, endpoint: str) -> None:
    """Raises `AlreadyInUse`; and `InvalidRequest` for one that is removed from Asterisk whenever it is found there."""
    require_free(connection, "endpoint", tables.devices, tables.devices.c.endpoint == endpoint)
    removed = tables.removed_endpoints.c.endpoint
    if connection.execute(select(removed).where(removed == endpoint)).first():
        raise InvalidRequest("endpoint", "was that of a device which was deleted")


def require_free(connection: Connection, field: str, table: Table, *same: ColumnElement[bool]) -> None:
    """Raises `AlreadyInUse` when there is such a row."""
    if connection.execute(select(table.c.account_id).where(*same)).first():
        raise AlreadyInUse(field)
