"""Lists of beginnings of numbers, of which the longest that fits counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


def longest(table: Mapping[str, T], number: str) -> tuple[str, T] | None:
    """The longest beginning of a number that stands in the table, and what stands beside it."""
    for length in range(len(number), 0, -1):
        found = table.get(number[:length])
        if found is not None:
            return number[:length], found
    return None


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Beginnings of E.164 numbers, each allowed (true) or denied."""

    table: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, allow: Iterable[str], deny: Iterable[str]) -> "Prefixes":
        """The list; what stands in both is denied."""
        return cls(dict.fromkeys(allow, True) | dict.fromkeys(deny, False))

    def find(self, number: str) -> tuple[str, bool] | None:
        """The prefix that decides about a number, and how; nothing when none does."""
        return longest(self.table, number) if self.table else None
