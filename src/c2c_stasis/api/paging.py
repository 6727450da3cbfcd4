"""Lists as the API shows them: pages, newest first, whose addresses keep the filters and hide where they begin."""

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from c2c_stasis.api import problems
from c2c_stasis.directory.pages import Page, Place, Wish

T = TypeVar("T", bound=Struct)

_LONGEST_KEY = 64


Limit = Annotated[int, Meta(ge=1, le=100)]
"""How many entries a page may have."""


class Paging(Struct, frozen=True, kw_only=True):
    """What every list takes; a list with filters of its own adds them."""

    limit: Limit = 10
    page: str = ""

    def wish(self) -> Wish:
        """The page that is asked for. Raises `Problem`."""
        return Wish(self.limit, _place(self.page) if self.page else None)


class Listed(Struct, Generic[T], frozen=True):
    """One page of a list of these records."""

    object: str
    url: str
    next_page_url: str | None
    previous_page_url: str | None
    data: list[T]


def listed(request: web.Request, page: Page[Any], data: Sequence[T]) -> Listed[T]:
    """The page as it is answered to this request."""
    filters = [(name, value) for name, value in request.query.items() if name != "page"]
    return listed_at(request.path, filters, page, data)


def listed_at(path: str, filters: Sequence[tuple[str, str]], page: Page[Any], data: Sequence[T]) -> Listed[T]:
    """A page of the list that this path has with these filters; its addresses are relative, as clients expect them."""

    def url(place: Place | None) -> str | None:
        return None if place is None else f"{path}?{urlencode([*filters, ('page', _cursor(place))])}"

    return Listed("list", path, url(page.older), url(page.newer), list(data))


def _cursor(place: Place) -> str:
    packed = msgspec.json.encode([place.created_at, place.key, place.towards_newer])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _place(cursor: str) -> Place:
    """The place that a cursor of ours stands for. Raises `Problem` for any other text."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        created_at, key, towards_newer = msgspec.json.decode(packed, type=tuple[float, str, bool])
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise problems.invalid_pagination() from error
    if not math.isfinite(created_at) or len(key) > _LONGEST_KEY or "\0" in key:
        raise problems.invalid_pagination()
    return Place(created_at, key, towards_newer)
