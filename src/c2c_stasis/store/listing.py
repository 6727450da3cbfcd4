"""The directory in pages, and one value of it by its key; always as it is committed now."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, exists, or_, select, tuple_

from c2c_stasis.directory.model import Account, Device, Extension, Key, Location, PhoneNumber, Platform, User
from c2c_stasis.directory.pages import Page, Place, Wish
from c2c_stasis.directory.webhooks import Delivery, WebhookEndpoint
from c2c_stasis.store.database import Database
from c2c_stasis.store.rows import TABLES, all_of, read

T = TypeVar("T", Platform, Account, User, Device, Extension, PhoneNumber, Location, Key, WebhookEndpoint, Delivery)

NO_CONDITION: Mapping[str, object] = {}
SEARCHED = ("name", "email")  # the columns that a search looks into


class Listing:
    """The part of the store that shows the directory. `owner` is an account's id; for accounts and keys, a platform's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, kind: type[T], owner: str, key: str) -> T | None:
        """One value by its id, or an extension by its number; nothing when it is another owner's. Raises `StoreUnavailable`."""
        where = (_owner(kind) == owner, _key(kind) == key)
        found = await self._database.read(lambda connection: read(connection, kind, *where))
        return found[0] if found else None

    async def page(
        self, kind: type[T], owner: str, wish: Wish, *, search: str = "", equal: Mapping[str, object] = NO_CONDITION
    ) -> Page[T]:
        """A page of what this owner has and whose fields are `equal`; `search` is a part of a name or e-mail address.

        Raises `StoreUnavailable`.
        """
        table: Table = TABLES[kind]
        where = [_owner(kind) == owner, *(table.c[name] == value for name, value in equal.items())]
        if search:
            where.append(
                or_(*(table.c[name].icontains(search, autoescape=True) for name in SEARCHED if name in table.c))
            )
        return await self._database.read(lambda connection: _page(connection, kind, wish, where))


def _page(connection: Connection, kind: type[T], wish: Wish, where: list[ColumnElement[bool]]) -> Page[T]:
    created_at, key = TABLES[kind].c.created_at, _key(kind)
    position = tuple_(created_at, key)
    statement, place = all_of(kind).where(*where).limit(wish.limit), wish.place
    if place is not None and place.towards_newer:
        statement = statement.where(position > _at(place)).order_by(created_at, key)
        entries = tuple(kind(*row) for row in connection.execute(statement))[::-1]
    else:
        if place is not None:
            statement = statement.where(position < _at(place))
        statement = statement.order_by(created_at.desc(), key.desc())
        entries = tuple(kind(*row) for row in connection.execute(statement))
    if not entries:
        return Page(())

    def beside(entry: Any, *, newer: bool) -> Place | None:
        there = Place(entry.created_at, getattr(entry, key.name), towards_newer=newer)
        further = position > _at(there) if newer else position < _at(there)
        found = connection.scalar(select(exists(all_of(kind).where(*where, further))))
        return there if found else None

    return Page(entries, beside(entries[0], newer=True), beside(entries[-1], newer=False))


def _at(place: Place) -> Any:
    return tuple_(place.created_at, place.key)


def _owner(kind: type[Any]) -> ColumnElement[str]:
    columns = TABLES[kind].c
    owner: ColumnElement[str] = columns.account_id if "account_id" in columns else columns.platform_id
    return owner


def _key(kind: type[Any]) -> Any:
    """The column that names a value within its owner: the last of the primary key."""
    return list(TABLES[kind].primary_key.columns)[-1]
