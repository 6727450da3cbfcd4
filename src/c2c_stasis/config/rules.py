"""What a value of the configuration may be; each rule says what is wrong and what to write instead."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from c2c_stasis.config.problems import Wrong

_SHOWN = 64  # characters of a wrong value that are quoted
_CREDENTIAL = re.compile(r"://|:[^@]*@")  # a URL, or user:password@host
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Rule(Protocol):
    """What one value may be."""

    @property
    def form(self) -> str:
        """What is allowed, in a few words for documents: `1 to 120 seconds`."""
        ...

    def from_text(self, text: str) -> object:
        """The value that a text of the environment stands for, as TOML would have given it; unreadable text stays text."""
        ...

    def check(self, value: object) -> object:
        """The value as the program uses it. Raises `Wrong`."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two bounds, both included."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False

    @property
    def form(self) -> str:
        """The bounds and the unit."""
        return f"{self.low:g} to {_plain(self.high)} {self.unit}".rstrip()

    def from_text(self, text: str) -> object:
        """Whole numbers and decimal fractions."""
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return text

    def check(self, value: object) -> float | int:
        """Booleans are no numbers here, nor are `inf` and `nan`, which TOML has."""
        unit = f" {self.unit}" if self.unit else ""
        number = "whole number" if self.whole else "number"
        fix = f"Give a {number} from {self.low:g} to {_plain(self.high)}{unit}, without quotes"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"is {_kind(value)} and must be a number", fix)
        if self.whole and not isinstance(value, int):
            raise Wrong(f"is {_short(value)} and must be a whole number", fix)
        if not self.low <= value <= self.high:  # false for nan, too
            raise Wrong(f"is {_short(value)}, which is out of range", fix)
        return value if self.whole else float(value)


UNLIMITED: Final[Literal["unlimited"]] = "unlimited"
"""In place of a number: there is no limit."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A number between two bounds, or the word that says that there is no limit."""

    number: Number

    @property
    def form(self) -> str:
        """The bounds, the unit and the word."""
        return f"{self.number.form}, or {UNLIMITED}"

    def from_text(self, text: str) -> object:
        """Numbers as ever, and the word."""
        return self.number.from_text(text)

    def check(self, value: object) -> object:
        """The number, or the word."""
        if value == UNLIMITED:
            return UNLIMITED
        try:
            return self.number.check(value)
        except Wrong as wrong:
            raise Wrong(wrong.what, f'{wrong.fix}, or write "{UNLIMITED}"') from None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    @property
    def form(self) -> str:
        """The two words."""
        return "true or false"

    def from_text(self, text: str) -> object:
        """The usual words for yes and no."""
        word = text.lower()
        return True if word in _TRUE else False if word in _FALSE else text

    def check(self, value: object) -> bool:
        """Only the two words that TOML has for it."""
        if not isinstance(value, bool):
            raise Wrong(f"is {_kind(value)} and must be true or false", "Write true or false, without quotes")
        return value


@dataclass(frozen=True, slots=True)
class Words:
    """Several words, as they stand in one text of the configuration."""

    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that full-matches a pattern; `parse` makes the program's value of it and may raise `Wrong`.

    `form` says in a few words what is allowed. What is wrong with a `private` text is said without quoting it: it is a secret,
    or a place where people write one by mistake.
    """

    fix: str
    form: str
    pattern: str = r"[^\x00-\x1f\x7f]+"
    private: bool = False
    parse: Callable[[str], object] | None = None

    def from_text(self, text: str) -> object:
        """The text itself."""
        return text

    def check(self, value: object) -> object:
        """A secret is never quoted in what is raised, nor is what looks like one."""
        if not isinstance(value, str):
            raise Wrong(f"is {_kind(value)} and must be a text", f"{self.fix}, in quotes")
        if re.fullmatch(self.pattern, value) is None:
            hidden = self.private or _CREDENTIAL.search(value) is not None
            shown = "has a form" if hidden else f"is {_short(value)}"
            raise Wrong(f"{shown} which is not understood" if value else "is empty", self.fix)
        return self.parse(value) if self.parse else value


def one_of(names: list[str], parse: Callable[[str], object] | None = None) -> Text:
    """A rule for one of several words."""
    listed = ", ".join(f'"{name}"' for name in names)
    return Text(f"Write one of {listed}", listed, "|".join(re.escape(name) for name in names), parse=parse)


PEM_FILE = Text("Give the path of a PEM file, or leave the key out", "a path, or none", r"[^\x00-\x1f\x7f]*")


def _plain(number: float) -> str:
    """86400, not 8.64e+04 or 86400.0."""
    return str(int(number)) if number == int(number) else str(number)


def _short(value: object) -> str:
    """A wrong value as a message quotes it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _kind(value: object) -> str:
    """What TOML calls this value, with a word on the commonest mistake: a number in quotes."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case dict():
            return "a table"
        case _:
            return "a date or time"
