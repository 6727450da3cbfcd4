"""`[emergency]`: which texts are emergency numbers, beside those that every region has."""

import re
from dataclasses import dataclass
from typing import Annotated

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Text, Words
from c2c_stasis.config.sections.about import About

_ONE_LINE = r"[^\x00-\x1f\x7f]*"
_DIGITS = re.compile("[0-9]{1,3}")
_NUMBER = re.compile("[0-9]{2,6}")
_OUTSIDE_FIX = 'Give digits such as outside_line = "9", with commas between several, or "" for none'
_NUMBERS_FIX = 'Give short numbers such as numbers = "116", with commas between several, or leave the key out'


def _outside_line(text: str) -> Words:
    return _listed(text, _DIGITS, "are not one to three digits", _OUTSIDE_FIX)


def _numbers(text: str) -> Words:
    return _listed(text, _NUMBER, "is no number of two to six digits", _NUMBERS_FIX)


def _listed(text: str, form: re.Pattern[str], what: str, fix: str) -> Words:
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for one in found:
        if form.fullmatch(one) is None:
            raise Wrong(f"names {one[:64]!r}, which {what}", fix)
    return Words(found)


NINE = Words(("9",))
NONE = Words()


@dataclass(frozen=True, slots=True)
class Emergency:
    """`[emergency]`: what is dialled as an emergency number, beside the numbers of the user's region.

    Which trunks carry these calls stands under `[[trunks]]`.
    """

    outside_line: Annotated[
        Words,
        Text(_OUTSIDE_FIX, "digits, with commas; or none", _ONE_LINE, parse=_outside_line),
        About(
            "What people are used to dial for an outside line: 9 911 is then 911, unless the account has an extension 9911",
            reloads=True,
        ),
    ] = NINE
    numbers: Annotated[
        Words,
        Text(_NUMBERS_FIX, "short numbers, with commas; or none", _ONE_LINE, parse=_numbers),
        About("Further numbers that are emergency numbers, for every account", reloads=True),
    ] = NONE
