"""What the routes of all resources have in common."""

from collections.abc import Awaitable
from typing import TypeVar

from msgspec import Struct

from c2c_stasis.api.port import DirectoryStore, Service
from c2c_stasis.api.routes import Doors
from c2c_stasis.directory.model import Account, Device, Extension, Key, Location, PhoneNumber, User
from c2c_stasis.errors import NotFound

T = TypeVar("T")
V = TypeVar("V", Account, User, Device, Extension, PhoneNumber, Location, Key)


class NoFields(Struct):
    """There is nothing to say."""


class ResourceRoutes:
    """A resource's way to the store and to the running service."""

    def __init__(self, service: Service, store: DirectoryStore) -> None:
        self._service = service
        self._store = store
        self._doors = Doors(service)

    async def _changed(self, change: Awaitable[T]) -> T:
        """Make the change, and let it count for every request after this one."""
        result = await change
        await self._service.directory_changed()
        return result


def there(found: V | None, missing: type[NotFound]) -> V:
    """What was found. Raises the error that says there is none."""
    if found is None:
        raise missing
    return found
