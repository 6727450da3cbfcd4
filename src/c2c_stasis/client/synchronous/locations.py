# Drawn from ../asynchronous/locations.py by tools/draw_client.py; change it there.
"""Locations: where users and devices are, for emergency calls."""

from collections.abc import Iterator, Mapping
from typing import Unpack

from c2c_stasis.client.fields import LocationChanges, LocationFields
from c2c_stasis.client.records import Location
from c2c_stasis.client.synchronous.asking import Resource


class Locations(Resource):
    """`/v1/locations`."""

    def create(self, name: str, address: Mapping[str, str | None], **fields: Unpack[LocationFields]) -> Location:
        """A new location; of the address, `street`, `city` and `country` are required."""
        return self._post(Location, "locations", body={"name": name, "address": address, **fields})

    def retrieve(self, location_id: str) -> Location:
        """One location."""
        return self._get(Location, "locations", location_id)

    def list(self, *, search: str | None = None) -> Iterator[Location]:
        """All locations, or those whose name holds this, newest first."""
        return self._every(Location, "locations", search=search)

    def update(self, location_id: str, **fields: Unpack[LocationChanges]) -> Location:
        """Change what is said."""
        return self._post(Location, "locations", location_id, body=fields)

    def delete(self, location_id: str) -> None:
        """Remove a location at which nobody is."""
        self._delete("locations", location_id)
