"""The directory's rows as its frozen values: a table's columns carry the names of the value's fields."""

import dataclasses
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from c2c_stasis.directory.model import (
    Account,
    Device,
    DirectoryRows,
    Extension,
    Key,
    Location,
    PhoneNumber,
    Platform,
    SigningKey,
    User,
)
from c2c_stasis.directory.webhooks import Delivery, WebhookEndpoint
from c2c_stasis.store import tables

T = TypeVar(
    "T", Platform, Account, User, Device, Extension, PhoneNumber, Location, Key, SigningKey, WebhookEndpoint, Delivery
)

TABLES: dict[type[Any], Table] = {
    Platform: tables.platforms,
    Account: tables.accounts,
    User: tables.users,
    Device: tables.devices,
    Extension: tables.extensions,
    PhoneNumber: tables.phone_numbers,
    Location: tables.locations,
    Key: tables.keys,
    SigningKey: tables.signing_keys,
    WebhookEndpoint: tables.webhook_endpoints,
    Delivery: tables.webhook_deliveries,
}


def read(connection: Connection, kind: type[T], *where: ColumnElement[bool]) -> tuple[T, ...]:
    """Every value of this kind that meets the conditions, oldest first."""
    rows = connection.execute(all_of(kind).where(*where).order_by(*TABLES[kind].primary_key.columns))
    return tuple(kind(*row) for row in rows)


def all_of(kind: type[T]) -> Select[Any]:
    """The columns of a value of this kind, of every row that was not deleted."""
    table = TABLES[kind]
    columns = [table.c[field.name] for field in dataclasses.fields(kind)]
    return select(*columns).where(*([table.c.deleted_at.is_(None)] if "deleted_at" in table.c else []))


def read_directory(connection: Connection) -> DirectoryRows:
    """The whole directory, as one transaction sees it."""
    return DirectoryRows(
        platforms=read(connection, Platform),
        accounts=read(connection, Account),
        users=read(connection, User),
        devices=read(connection, Device),
        extensions=read(connection, Extension),
        numbers=read(connection, PhoneNumber),
        keys=read(connection, Key),
        signing_keys=read(connection, SigningKey),
        locations=read(connection, Location),
        removed_endpoints=tuple(connection.execute(select(tables.removed_endpoints.c.endpoint)).scalars()),
    )


def row_of(
    value: Platform | Account | User | Device | Extension | PhoneNumber | Location | Key | SigningKey | WebhookEndpoint,
) -> dict[str, Any]:
    """The value's fields by column."""
    return dataclasses.asdict(value)
