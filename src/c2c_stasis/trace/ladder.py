"""A ladder: who took part in a call, and what passed between them when. What draws it need not know where it came from."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from msgspec import Struct, convert, to_builtins

from c2c_stasis.printable import printable

ASTERISK, SERVICE = "asterisk", "service"
GAP = 1.0  # seconds without any news that are worth a line of their own


class Kind(StrEnum):
    """What a row of the ladder is."""

    SIP = "sip"  # between a phone or a carrier and Asterisk, in the words of SIP
    REQUEST = "request"  # from the service to Asterisk
    MEDIA = "media"  # what both sides hear
    MARK = "mark"  # something that happened to one participant alone
    STATE = "state"  # the call moved, the service says
    GAP = "gap"  # nothing happened for a while


class Tone(StrEnum):
    """How a row is meant."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"


class Column(Struct, frozen=True):
    """One participant. `key` is a leg's short name, such as a1, or Asterisk or the service."""

    key: str
    title: str
    detail: str = ""


class Row(Struct, frozen=True):
    """Something `at` so many seconds after the call was accepted; `to` is empty for what does not travel."""

    at: float
    kind: Kind
    origin: str
    to: str
    text: str
    detail: str = ""
    tone: Tone = Tone.PLAIN


class Ladder(Struct, frozen=True):
    """The whole story: `outcome` is how it ended, `facts` what else is to be known, `source` what it was drawn from."""

    call_id: str
    began: str  # RFC 3339
    facts: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    outcome: str
    tone: Tone
    source: str
    where: str

    def place(self, key: str) -> int:
        """The number of a column from the left."""
        return next(number for number, column in enumerate(self.columns) if column.key == key)


def to_be_seen(ladder: Ladder) -> Ladder:
    """The same, with nothing in its texts that a terminal or a picture could not show."""
    return convert(_printable(to_builtins(ladder)), Ladder)


def _printable(value: Any) -> Any:
    match value:
        case str():
            return printable(value)
        case list() | tuple():
            return [_printable(one) for one in value]
        case dict():
            return {name: _printable(one) for name, one in value.items()}
    return value


@dataclass(slots=True)
class Participant:
    """A leg as it is drawn, and what is known of it so far."""

    key: str
    name: str
    invited: bool = False
    rang: bool = False
    answered: bool = False
    let_go: int | None = None  # the cause with which we asked Asterisk to end it
    ended: bool = False
    cause: int | None = None
    sip_code: int | None = None


@dataclass(slots=True)
class Telling:
    """A ladder in the making."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows.append(row)

    def done(self) -> tuple[Row, ...]:
        """All rows in their order, with a line for each time in which nothing happened."""
        rows = sorted(self.rows, key=lambda row: row.at)
        told: list[Row] = []
        for row in rows:
            if told and row.at - told[-1].at >= GAP:
                told.append(Row(told[-1].at, Kind.GAP, "", "", f"+ {duration(row.at - told[-1].at)}"))
            told.append(row)
        return tuple(told)


def duration(seconds: float) -> str:
    """A time as people say it: `1.2 s`, `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
