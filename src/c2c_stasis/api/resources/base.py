"""What the routes of all resources have in common."""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar, cast

from msgspec import Struct

from c2c_stasis.api import problems
from c2c_stasis.api.port import DirectoryStore, Service
from c2c_stasis.api.routes import Doors
from c2c_stasis.directory.model import Account, Device, Extension, Key, Location, PhoneNumber, User
from c2c_stasis.directory.webhooks import Delivery, WebhookEndpoint
from c2c_stasis.errors import NotFound
from c2c_stasis.ids import is_id

T = TypeVar("T")
V = TypeVar("V", Account, User, Device, Extension, PhoneNumber, Location, Key, WebhookEndpoint, Delivery)
C = TypeVar("C", bound=Mapping[str, object])


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


def as_changes(kind: type[C], given: dict[str, Any]) -> C:
    """The fields of a request as changes in the directory; the struct of the request has seen to their types."""
    assert given.keys() <= kind.__annotations__.keys()
    return cast(C, given)


def known_form(name: str, text: str, prefix: str) -> str:
    """The id in a filter. Raises `Problem` when it cannot be one: an empty list would hide the mistake."""
    if not is_id(text, prefix):
        raise problems.invalid(name, f"is not an id such as {prefix}_01h2xcejqtf2nbrexx3vqjhp42")
    return text


def there(found: V | None, missing: type[NotFound]) -> V:
    """What was found. Raises the error that says there is none."""
    if found is None:
        raise missing
    return found
