"""The directory's rows as its frozen values: a table's columns carry the names of the value's fields."""

import dataclasses
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from c2c_stasis.directory.model import (
    Account,
    Device,
    DirectoryRows,
    Extension,
    Key,
    PhoneNumber,
    Platform,
    User,
)
from c2c_stasis.store import tables

T = TypeVar("T", Platform, Account, User, Device, Extension, PhoneNumber, Key)

TABLES: dict[type[Any], Table] = {
    Platform: tables.platforms,
    Account: tables.accounts,
    User: tables.users,
    Device: tables.devices,
    Extension: tables.extensions,
    PhoneNumber: tables.phone_numbers,
    Key: tables.keys,
}


async def read(connection: AsyncConnection, kind: type[T], *where: ColumnElement[bool]) -> tuple[T, ...]:
    """Every value of this kind that meets the conditions, oldest first."""
    table = TABLES[kind]
    columns = [table.c[field.name] for field in dataclasses.fields(kind)]
    rows = await connection.execute(select(*columns).where(*where).order_by(*table.primary_key.columns))
    return tuple(kind(*row) for row in rows)


async def read_directory(connection: AsyncConnection) -> DirectoryRows:
    """The whole directory, as one transaction sees it."""
    return DirectoryRows(
        platforms=await read(connection, Platform),
        accounts=await read(connection, Account),
        users=await read(connection, User),
        devices=await read(connection, Device),
        extensions=await read(connection, Extension),
        numbers=await read(connection, PhoneNumber),
        keys=await read(connection, Key),
    )


def row_of(value: Platform | Account | User | Device | Extension | PhoneNumber | Key) -> dict[str, Any]:
    """The value's fields by column."""
    return dataclasses.asdict(value)
