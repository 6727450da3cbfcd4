"""`[policy]`, `[user_limits]`, `[account_limits]` and `[key_limits]`: which numbers are dialled, and how often.

The defaults protect somebody who has just begun: the account's own country alone, no numbers that cost extra, and few calls.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import UNLIMITED, Ceiling, Flag, Number, Text, Words
from c2c_stasis.config.sections.about import About

EVERYWHERE = "*"
"""In place of a region: all of them."""


class CostlyType(StrEnum):
    """Types of numbers that are not dialled unless they are allowed: whoever calls them pays more than for a call."""

    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UNIVERSAL_ACCESS = "universal_access"


NO_WORDS = Words()
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def check_regions(names: Iterable[str]) -> tuple[str, ...]:
    """Regions as they are compared, or `*` alone. Raises `Wrong`."""
    from phonenumbers import SUPPORTED_REGIONS  # here: it takes 20 ms, and few files name a region

    found = tuple(dict.fromkeys(name.upper() for name in names))
    if EVERYWHERE in found:
        return (EVERYWHERE,)
    for name in found:
        if name not in SUPPORTED_REGIONS:
            hint = "GB" if name == "UK" else "US, CA or GB"
            raise Wrong(f"names {name[:64]!r}, which is no country", f"Write ISO 3166-1 codes of two letters: {hint}")
    return found


def check_types(names: Iterable[str]) -> tuple[CostlyType, ...]:
    """Types of numbers. Raises `Wrong`."""
    known = {one.value: one for one in CostlyType}
    found = []
    for name in names:
        if name not in known:
            raise Wrong(f"names {name[:64]!r}, which is no such type", f"Known are {', '.join(known)}")
        found.append(known[name])
    return tuple(dict.fromkeys(found))


def check_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """Beginnings of numbers. Raises `Wrong`."""
    found = tuple(dict.fromkeys(names))
    for name in found:
        if _PREFIX.fullmatch(name) is None:
            what = f"names {name[:64]!r}, which is no beginning of a number"
            raise Wrong(what, 'Write each with + and country code: "+44, +1212555"')
    return found


def _words(check: Callable[[Iterable[str]], tuple[str, ...]]) -> Callable[[str], object]:
    return lambda text: Words(check(text.replace(",", " ").split()))


_REGIONS = Text(
    'Write them as allow_regions = "CA, MX"',
    'countries (ISO 3166-1), with commas; "*" is all; or none',
    "[A-Za-z*, ]*",
    parse=_words(check_regions),
)
_TYPES = Text(
    'Write them as allow_types = "shared_cost, personal_number"',
    f"{', '.join(CostlyType)}, with commas; or none",
    "[a-z_, ]*",
    parse=_words(check_types),
)
_PREFIXES = Text(
    'Write them with + and country code: "+44, +1212555"',
    "beginnings of numbers, with + and commas; or none",
    r"[0-9+, ]*",
    parse=_words(check_prefixes),
)
_RATE_FILE = Text("Give the path of a CSV file, or leave the key out", "a path, or none", r"[^\x00-\x1f\x7f]*")

Limit = float | Literal["unlimited"]
"""How much there may be; 0 is nothing at all."""

_Starts = Annotated[
    Limit,
    Ceiling(Number(0, 1000, "calls")),
    About("How many calls may begin in a second, in the long run", reloads=True),
]
_Burst = Annotated[
    int,
    Number(1, 10_000, "calls", whole=True),
    About("How many of them may begin at once, after a time of rest", reloads=True),
]
_Calls = Annotated[
    Limit,
    Ceiling(Number(0, 100_000, "calls", whole=True)),
    About("How many calls there may be at a time", reloads=True),
]
_SameDestination = Annotated[
    Limit,
    Ceiling(Number(0, 100_000, "calls", whole=True)),
    About("How many calls to one telephone number may begin in ten minutes", reloads=True),
]
_International = Annotated[
    Limit,
    Ceiling(Number(0, 1_000_000, "calls", whole=True)),
    About("How many calls to other countries may begin in an hour", reloads=True),
]
_Minutes = Annotated[
    Limit,
    Ceiling(Number(0, 10_000_000, "minutes", whole=True)),
    About("How long calls may talk to telephone numbers in 24 hours, all together", reloads=True),
]
_Spend = Annotated[
    Limit,
    Ceiling(Number(0, 1_000_000_000)),
    About("What calls may cost in 24 hours, in the currency of the rate file", reloads=True),
]


@dataclass(frozen=True, slots=True)
class Policy:
    """`[policy]`: which telephone numbers are dialled. Emergency numbers always are, and extensions are no matter of it."""

    outbound_enabled: Annotated[
        bool,
        Flag(),
        About("Whether telephone numbers are dialled at all; each account has such a switch, too", reloads=True),
    ] = True
    allow_regions: Annotated[
        Words,
        _REGIONS,
        About(
            "Countries that are dialled beside the account's own. The country of a number counts, not its calling code:"
            " +1 876 is Jamaica",
            reloads=True,
        ),
    ] = NO_WORDS
    allow_types: Annotated[
        Words, _TYPES, About("Types of numbers that are dialled although they cost extra", reloads=True)
    ] = NO_WORDS
    allow_prefixes: Annotated[
        Words,
        _PREFIXES,
        About("What begins so is dialled, whatever its country and type. The longest prefix counts", reloads=True),
    ] = NO_WORDS
    deny_prefixes: Annotated[
        Words,
        _PREFIXES,
        About("What begins so is not dialled. Between two prefixes of one length, this one counts", reloads=True),
    ] = NO_WORDS
    strict_numbers: Annotated[
        bool,
        Flag(),
        About(
            "Whether a number must belong to a range that is known to be in use; numbers of films such as +1 555 123 4567"
            " then are not dialled",
            reloads=True,
        ),
    ] = False
    rate_file: Annotated[
        str,
        _RATE_FILE,
        About("What calls cost, as CSV; needed for spend_per_day alone. SIGHUP reads the file again", reloads=True),
    ] = ""


@dataclass(frozen=True, slots=True)
class UserLimits:
    """`[user_limits]`: how much one user may call. How many calls a user may have at a time stands in [calls]."""

    starts_per_second: _Starts = 1.0
    burst: _Burst = 3
    same_destination: _SameDestination = UNLIMITED
    international_per_hour: _International = UNLIMITED
    minutes_per_day: _Minutes = UNLIMITED
    spend_per_day: _Spend = UNLIMITED


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """`[account_limits]`: how much all users of one account together may call."""

    starts_per_second: _Starts = 5.0
    burst: _Burst = 10
    calls_at_a_time: _Calls = 10
    same_destination: _SameDestination = 5
    international_per_hour: _International = 10
    minutes_per_day: _Minutes = 3000
    spend_per_day: _Spend = UNLIMITED


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """`[key_limits]`: how much may be called with one platform key, whoever calls."""

    starts_per_second: _Starts = 10.0
    burst: _Burst = 20
    calls_at_a_time: _Calls = UNLIMITED
    same_destination: _SameDestination = UNLIMITED
    international_per_hour: _International = UNLIMITED
    minutes_per_day: _Minutes = UNLIMITED
    spend_per_day: _Spend = UNLIMITED
