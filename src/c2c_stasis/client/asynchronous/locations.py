"""Locations: where users and devices are, for emergency calls."""

from collections.abc import AsyncIterator, Mapping
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.fields import LocationChanges, LocationFields
from c2c_stasis.client.records import Location


class Locations(Resource):
    """`/v1/locations`."""

    async def create(self, name: str, address: Mapping[str, str | None], **fields: Unpack[LocationFields]) -> Location:
        """A new location; of the address, `street`, `city` and `country` are required."""
        return await self._post(Location, "locations", body={"name": name, "address": address, **fields})

    async def retrieve(self, location_id: str) -> Location:
        """One location."""
        return await self._get(Location, "locations", location_id)

    def list(self, *, search: str | None = None) -> AsyncIterator[Location]:
        """All locations, or those whose name holds this, newest first."""
        return self._every(Location, "locations", search=search)

    async def update(self, location_id: str, **fields: Unpack[LocationChanges]) -> Location:
        """Change what is said."""
        return await self._post(Location, "locations", location_id, body=fields)

    async def delete(self, location_id: str) -> None:
        """Remove a location at which nobody is."""
        await self._delete("locations", location_id)
