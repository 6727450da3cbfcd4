"""`/v1/locations`: where users and devices are, so that emergency services can be told."""

import json
from typing import Any

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api.fields import Text, called, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, as_changes, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.changes import LocationChanges
from c2c_stasis.directory.model import Location
from c2c_stasis.errors import LocationNotFound
from c2c_stasis.ids import LOCATION, LocationId, NumberId
from c2c_stasis.times import rfc3339

_NAMES = {"primary_number_id": "primary_did_id"}  # of a field in the store, in the API


class Address(Struct, kw_only=True):
    """A postal address, as exact as somebody must be found by it."""

    address_number: Text = UNSET
    street: str
    unit: Text = UNSET
    building: Text = UNSET
    floor: Text = UNSET
    room: Text = UNSET
    city: str
    state: Text = UNSET
    postal_code: Text = UNSET
    country: str


class LocationFields(Struct, kw_only=True):
    """What a location has beside name and address. `config` belongs to the client and is kept as it is."""

    primary_did_id: NumberId | UnsetType | None = UNSET
    config: dict[str, Any] | UnsetType | None = UNSET


class CreateLocation(LocationFields, kw_only=True):
    """A new location."""

    name: str
    address: Address


class UpdateLocation(LocationFields, kw_only=True):
    """Changes of a location; an address takes the place of the whole old one."""

    name: str | UnsetType = UNSET
    address: Address | UnsetType = UNSET


class LocationFilters(Paging, frozen=True, kw_only=True):
    """Which locations: `search` is a part of the name."""

    search: str = ""


class AddressRecord(Struct, frozen=True, kw_only=True):
    """A postal address; null is what was not said."""

    address_number: str | None = None
    street: str
    unit: str | None = None
    building: str | None = None
    floor: str | None = None
    room: str | None = None
    city: str
    state: str | None = None
    postal_code: str | None = None
    country: str


class LocationRecord(Struct, frozen=True):
    """A location."""

    id: str
    name: str
    address: AddressRecord
    primary_did: str | None
    primary_did_id: str | None
    status: str
    e911_status: str
    config: dict[str, Any]
    created_at: str | None
    updated_at: str | None


class LocationRoutes(ResourceRoutes):
    """The routes of locations."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/locations", "/v1/locations/{location_id:[^/]+}"
        return [
            self._doors.account("GET", every, self.page, filters=LocationFilters, gives=Listed[LocationRecord]),
            self._doors.account("POST", every, self.create, takes=CreateLocation, gives=LocationRecord),
            self._doors.account("GET", one, self.show, gives=LocationRecord),
            self._doors.account("POST", one, self.update, takes=UpdateLocation, gives=LocationRecord),
            self._doors.account("DELETE", one, self.delete, errors=("in_use",)),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of locations."""
        filters = asked.filters(LocationFilters)
        page = await self._store.page(Location, asked.account.id, filters.wish(), search=filters.search)
        return answer(listed(asked.request, page, [location_record(location) for location in page.entries]))

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new location."""
        given = _stored(said(await asked.body(CreateLocation)))
        with called(_NAMES):
            change = self._store.create_location(asked.account.id, given.pop("name"), given.pop("address"), **given)
            return answer(location_record(await self._changed(change)), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One location."""
        found = await self._store.find(Location, asked.account.id, _location_id(asked))
        return answer(location_record(there(found, LocationNotFound)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a location."""
        location_id, changes = _location_id(asked), _stored(said(await asked.body(UpdateLocation)))
        with called(_NAMES):
            change = self._store.update_location(asked.account.id, location_id, as_changes(LocationChanges, changes))
            return answer(location_record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a location; 409 while a user or a device is there."""
        await self._changed(self._store.delete_location(asked.account.id, _location_id(asked)))
        return nothing()


def location_record(location: Location) -> LocationRecord:
    """A location as the API shows it. Nobody but us knows of it, so emergency services do not: `e911_status` says so."""
    return LocationRecord(
        id=location.id,
        name=location.name,
        address=AddressRecord(**json.loads(location.address)),
        primary_did=location.primary_number_id,
        primary_did_id=location.primary_number_id,
        status="active",
        e911_status="none",
        config=json.loads(location.kept).get("config", {}),
        created_at=rfc3339(location.created_at),
        updated_at=rfc3339(location.updated_at),
    )


def _location_id(asked: AskedForAccount) -> LocationId:
    return LocationId(asked.path_id("location_id", LOCATION, LocationNotFound))


def _stored(given: dict[str, Any]) -> dict[str, Any]:
    """The fields as the store has them."""
    renamed = {"primary_number_id": given.pop("primary_did_id")} if "primary_did_id" in given else {}
    kept = {"kept": {"config": given.pop("config")}} if "config" in given else {}
    address = {"address": said(given.pop("address"))} if "address" in given else {}
    return given | renamed | kept | address
