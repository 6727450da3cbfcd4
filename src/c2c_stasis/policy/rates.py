"""What calls cost: prices by the beginning of the number, read from the text of a CSV file.

    prefix,price_per_minute,first_seconds,next_seconds
    +1,0.009,60,60
    +44,0.012,1,1
    +447,0.09,30,6

The longest prefix that fits a number counts. `first_seconds` are charged as soon as somebody answers, then every
`next_seconds` that have begun. Money is counted in millionths of the currency, in whole numbers.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from c2c_stasis.config import ConfigError, Problem
from c2c_stasis.policy.prefixes import longest

COLUMNS = ("prefix", "price_per_minute", "first_seconds", "next_seconds")
MONEY = 1_000_000
"""Units of money in one of the currency."""


@dataclass(frozen=True, slots=True)
class _Check:
    """What a cell must be, and what to write instead."""

    pattern: re.Pattern[str]
    fix: str


_SECONDS = _Check(re.compile("[1-9][0-9]{0,3}"), "Write 1 to 9999 seconds")
_CHECKS = (
    _Check(re.compile(r"\+?[1-9][0-9]{0,14}"), "Write the beginning of a number with its country code: +447"),
    _Check(re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?"), "Write a number such as 0.012, with at most 6 decimals"),
    _SECONDS,
    _SECONDS,
)
_SHOWN = 40  # characters of a wrong cell that are quoted
_MANY = 20  # problems after which a file is taken for the wrong one


@dataclass(frozen=True, slots=True)
class Rate:
    """A price: `per_minute` in millionths, the first part that is charged whole, and each further one, in seconds."""

    per_minute: int
    first: int = 60
    following: int = 60

    def cost(self, talked: float) -> int:
        """What so many seconds cost, in millionths; nothing when nobody answered."""
        return self._price(self.charged(talked))

    def charged(self, talked: float) -> int:
        """How many seconds are charged of so many: until they are over, the cost stays the same."""
        return self.first + max(0, _ceil(talked - self.first, self.following)) if talked > 0 else 0

    @property
    def least(self) -> int:
        """What an answer costs at least, in millionths."""
        return self._price(self.first)

    def affords(self, money: int) -> int:
        """How many seconds so much money pays for, 0 when it does not pay for an answer; not to be asked of what is free."""
        seconds = money * 60 // self.per_minute
        if seconds < self.first:
            return 0
        return self.first + (seconds - self.first) // self.following * self.following

    def _price(self, seconds: int) -> int:
        return -(-self.per_minute * seconds // 60)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices by prefix."""

    table: Mapping[str, Rate]

    def find(self, number: str) -> Rate | None:
        """The price of a call to this number, which is E.164."""
        found = longest(self.table, number)
        return found[1] if found else None


def read_rates(text: str, name: str) -> Rates:
    """The prices of a CSV file of this name. Raises `ConfigError`, which lists all that is wrong with it."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    reading = _Reading(name)
    try:
        reading.head(next(rows, []))
        for cells in rows:
            if any(cell.strip() for cell in cells):
                reading.line(rows.line_num, [cell.strip() for cell in cells])
    except csv.Error as error:
        reading.wrong(rows.line_num, "", f"is no CSV: {error}", "Write plain cells with commas between them")
    if not reading.problems and not reading.table:
        reading.wrong(1, "", "holds no price", "Write one line for each prefix")
    if reading.problems:
        raise ConfigError(reading.problems)
    return Rates(reading.table)


class _Reading:
    """What was read of a file so far, and what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.table: dict[str, Rate] = {}
        self.problems: list[Problem] = []
        self._name = name
        self._lines: dict[str, int] = {}

    def wrong(self, line: int, column: str, what: str, fix: str) -> None:
        if len(self.problems) < _MANY:
            self.problems.append(Problem(f"{self._name}:{line}", column, what, fix))

    def head(self, cells: list[str]) -> None:
        found = tuple(cell.strip() for cell in cells)
        if found != COLUMNS:
            self.wrong(1, "", "does not begin with the names of the columns", f"Write {','.join(COLUMNS)}")

    def line(self, number: int, cells: list[str]) -> None:
        if len(cells) != len(COLUMNS):
            what = f"has {len(cells)} cells and must have {len(COLUMNS)}"
            self.wrong(number, "", what, f"Write {','.join(COLUMNS)}")
            return
        before = len(self.problems)
        for column, cell, check in zip(COLUMNS, cells, _CHECKS, strict=True):
            if check.pattern.fullmatch(cell) is None:
                self.wrong(number, column, f"is {_short(cell)}", check.fix)
        if len(self.problems) > before:
            return
        prefix, price, first, following = cells
        key = f"+{prefix.removeprefix('+')}"
        if key in self._lines:
            self.wrong(number, "prefix", f"is {key}, like line {self._lines[key]}", "Leave one of the two out")
            return
        self._lines[key] = number
        self.table[key] = Rate(int(Decimal(price) * MONEY), int(first), int(following))


def _short(cell: str) -> str:
    return "empty" if not cell else repr(cell[:_SHOWN])


def _ceil(seconds: float, step: int) -> int:
    """So many seconds, filled up to whole steps."""
    return -int(-seconds // step) * step
