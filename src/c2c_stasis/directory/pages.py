"""Lists in pages: newest first, each page found by where the one beside it ends."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: beside the entry made at `created_at` with this key, which may be gone meanwhile."""

    created_at: float  # Unix seconds
    key: str
    towards_newer: bool = False  # which of the two sides of it


@dataclass(frozen=True, slots=True)
class Wish:
    """Which page is wanted: so many entries from a place on; the first page when there is none."""

    limit: int
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page, newest first, and where the pages beside it begin."""

    entries: tuple[T, ...]
    newer: Place | None = None
    older: Place | None = None
