"""What a check can say: that all is well, a fault by its code, or why it does not know."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Status(IntEnum):
    """Exit statuses; of several findings the largest counts (69 and 78 are those of sysexits.h)."""

    WELL = 0
    WARNING = 1
    UNAVAILABLE = 69
    CONFIG = 78


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # calls work, but not as well or as safely as they should
    ERROR = "error"  # calls fail, come late, or can be misused
    UNSEEN = "not seen"  # this cannot be seen from here; no fault is known
    SKIPPED = "not checked"  # something that this check needs is missing, and another check says what


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check says. `code` and `fix` are empty unless it is a fault."""

    level: Level
    fact: str
    code: str = ""
    fix: str = ""
    status: Status = Status.WELL


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: its stable code, what it means for calls, and what to do.

    A warning has the status WARNING; or WELL, when whoever set up as the README says cannot have done it yet.
    """

    code: str
    status: Status
    meaning: str
    fix: str

    @property
    def level(self) -> Level:
        """Error or warning."""
        return Level.WARNING if self.status <= Status.WARNING else Level.ERROR

    def found(self, fact: str) -> Finding:
        """This fault, with what was seen."""
        return Finding(self.level, fact, self.code, self.fix, self.status)


def well(fact: str) -> Finding:
    """All is well, and this is what was seen."""
    return Finding(Level.OK, fact)


def unseen(fact: str, fix: str = "") -> Finding:
    """It cannot be seen from here, and why; `fix` is how it could be."""
    return Finding(Level.UNSEEN, fact, fix=fix)


def skipped(fact: str) -> Finding:
    """It was not checked, and this is why: something that another check reports."""
    return Finding(Level.SKIPPED, fact)
