"""How a telephone number may be written in a text of the client, so that it is found there when it shall leave the log."""

import re
from collections.abc import Callable

import phonenumbers

from c2c_stasis.directory.dial_strings import E164

_LONG_ENOUGH = (
    7  # digits without a country code that are one number wherever they stand; fewer may be a part of anything
)
_BETWEEN = r"[\W_]*"  # whatever is neither a letter nor a digit may stand between two digits
# What is dialled for the +: in most of the world, North America, Australia, Japan, Russia.
_FOR_PLUS = "00|011|0011|010|810"
# Before a national number: another country's code, and perhaps an area code there, so that it is a part of a longer number. No
# comma, and no more digits than that: else it is another number, and this one comes after it.
_ABROAD = re.compile(r"\+(?:[ ().\-/]*[0-9]){1,5}[ ().\-/]*\Z")


def writings_of(number: str) -> Callable[[str], bool]:
    """What tells whether a number, as the log has it, stands in a text, however it is punctuated.

    A number in E.164 is found with its country code and without, with the national prefix (`020 7946 0018`) and without. It is
    not found within a longer number. An extension and an emergency number are found only where they are the whole text.
    """
    if E164.fullmatch(number) is None:
        return number.__eq__
    written = re.compile(rf"(?<![0-9])(?:{_pattern(number)})(?![0-9])")

    def stands_in(text: str) -> bool:
        return any(_ABROAD.search(text, 0, found.start()) is None for found in written.finditer(text))

    return stands_in


def _pattern(number: str) -> str:
    parsed = phonenumbers.parse(number)
    assert parsed.country_code is not None  # it is E.164
    national = phonenumbers.national_significant_number(parsed)
    region = phonenumbers.region_code_for_country_code(parsed.country_code)
    prefix = phonenumbers.ndd_prefix_for_region(region, True)
    with_prefix = f"(?:{_spaced(prefix)}{_BETWEEN})?{_spaced(national)}" if prefix else _spaced(national)
    # +44 (0)20: some write the prefix in brackets, and abroad it is a 0 to nearly everyone.
    code = f"(?:(?:{_FOR_PLUS}){_BETWEEN})?{_spaced(str(parsed.country_code))}{_BETWEEN}(?:0{_BETWEEN})?"
    return f"(?:{code}){'?' if len(national) >= _LONG_ENOUGH else ''}{with_prefix}"


def _spaced(digits: str) -> str:
    return _BETWEEN.join(digits)
