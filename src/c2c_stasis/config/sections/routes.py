"""`[[routes]]`: which trunks are tried for which numbers, and in which order."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Text, Words
from c2c_stasis.config.sections.about import About


class NumbersOf(StrEnum):
    """Kinds of numbers that a route can be for, as seen from the account's region."""

    NATIONAL = "national"
    INTERNATIONAL = "international"
    MOBILE = "mobile"  # as far as a plan tells mobile numbers from others; North America's does not
    TOLL_FREE = "toll_free"


ALL = Words()
_KINDS = {kind.value for kind in NumbersOf}
_BEGINNING = re.compile(r"\+[1-9][0-9]{0,14}")
_ACCOUNT = re.compile("acct_[0-9a-z]{26}")
_TRUNK = re.compile("[A-Za-z0-9_-]{1,64}")
_TRUNKS_FIX = 'Name trunks of [[trunks]], the first choice first: trunks = "carrier, second"'
_NUMBERS_FIX = f'Write words of {", ".join(sorted(_KINDS))}, and beginnings of numbers: numbers = "national, +44"'
_ACCOUNTS_FIX = "Give ids such as acct_01h2xcejqtf2nbrexx3vqjhp41, with commas between them, or leave the key out"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _numbers(text: str) -> Words:
    found = _listed(text.lower())
    for one in found:
        if one not in _KINDS and _BEGINNING.fullmatch(one) is None:
            raise Wrong(f"names {one[:64]!r}, which is neither", _NUMBERS_FIX)
    return Words(found)


def _accounts(text: str) -> Words:
    found = _listed(text)
    for one in found:
        if _ACCOUNT.fullmatch(one) is None:
            raise Wrong(f"names {one[:64]!r}, which is no id of an account", _ACCOUNTS_FIX)
    return Words(found)


def _trunks(text: str) -> Words:
    found = _listed(text)
    if not found:
        raise Wrong("names no trunk", _TRUNKS_FIX)
    for one in found:
        if _TRUNK.fullmatch(one) is None:
            raise Wrong(f"names {one[:64]!r}, which can be no trunk's name", _TRUNKS_FIX)
    return Words(found)


_ONE_LINE = r"[^\x00-\x1f\x7f]*"
_TRUNKS = Text(_TRUNKS_FIX, "names of trunks, with commas", _ONE_LINE, parse=_trunks)
_NUMBERS = Text(_NUMBERS_FIX, f"{', '.join(sorted(_KINDS))}, beginnings such as +44; or all", _ONE_LINE, parse=_numbers)
_ACCOUNTS = Text(_ACCOUNTS_FIX, "ids of accounts, with commas; or all", _ONE_LINE, parse=_accounts)


@dataclass(frozen=True, slots=True)
class RouteRule:
    """`[[routes]]`: which trunks are tried, one after another; the first route that fits a call counts.

    A route fits when it is for the account and for the number, and has a trunk for that kind of call. A call that no route fits
    tries the trunks in the order of the file.
    """

    trunks: Annotated[
        Words,
        _TRUNKS,
        About(
            "The trunks to try, in this order; the next one only when nothing rang through the one before", reloads=True
        ),
    ]
    numbers: Annotated[
        Words,
        _NUMBERS,
        About("For which numbers; each may be of any kind or beginning that stands here", reloads=True),
    ] = ALL
    accounts: Annotated[Words, _ACCOUNTS, About("For which accounts", reloads=True)] = ALL
