"""What a dial string means: an emergency number, an extension, or a telephone number in E.164.

Nothing that a client wrote goes further than this file: what comes out is digits, with a leading + for E.164, and nothing
else, whatever came in. The order is the safety of it: the raw text is checked before any library may rewrite it, for
libphonenumber turns letters and full-width digits into digits (seen in 9.0.43); and emergency numbers are found before
anything else can refuse or claim them, the look at the raw text included.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult, shortnumberinfo

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import Emergency, Words
from c2c_stasis.errors import NumberNotDialable

_RAW = re.compile(r"[+]?[0-9 ().\-]{2,32}")
_SEPARATORS = re.compile(r"[^0-9]")
MALFORMED = "malformed_dial_string"  # the text holds something else than digits and what may stand between them
NO_NUMBER = "no_number"  # no telephone number of the region can be read from it
IMPOSSIBLE = "impossible_number"  # no number has this length there, or this country code

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""A telephone number as it is kept and sent: ITU-T E.164, and long enough to be one."""

# 933 reads the caller's number and address back in North America: it must travel the road of a 911 call to prove anything.
_EMERGENCY_TEST_NUMBERS = {"US": frozenset({"933"}), "CA": frozenset({"933"})}

# By their category (Unicode 15, 4.5): decimal digits, blanks, hyphens, and marks such as those of the direction of writing.
_SHOWN_AS: dict[str, Callable[[str], str]] = {
    "Nd": lambda digit: str(unicodedata.decimal(digit)),
    "Zs": lambda _: " ",
    "Pd": lambda _: "-",
    "Cf": lambda _: "",
}

ALONE = Emergency(outside_line=Words())
"""Nothing but the numbers of the regions themselves."""

_REMEMBERED = 4096  # texts that were read: the same people are called again and again, and reading takes 40 us

_TOO_LONG_OR_SHORT = {
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has no known country calling code",
    ValidationResult.TOO_SHORT: "is too short for a telephone number",
    ValidationResult.INVALID_LENGTH: "has a length no telephone number has there",
    ValidationResult.TOO_LONG: "is too long for a telephone number",
}


@dataclass(frozen=True, slots=True)
class Dialled:
    """What was dialled, and the region of the account (ISO 3166-1 alpha-2).

    `number` full-matches `\\+[1-9][0-9]{6,14}` for an external destination, and is ASCII digits alone otherwise.
    """

    kind: DestinationKind
    number: str
    region: str


def parse(dial_string: str, *, region: str, extension_length: int, dialled_in: str | None = None) -> Dialled:
    """Say what a dial string means to an account of this region, from somebody who may be in another one (`dialled_in`).

    Telephone numbers are read as they are dialled there; emergency numbers are those of both regions.
    Digits of the extension length are an extension whether or not the account has it: the caller looks, and answers
    `NumberNotDialable` when it has not. Everything that is no number at all raises `NumberNotDialable` here.
    """
    if _RAW.fullmatch(dial_string) is None:
        raise NumberNotDialable(
            "may hold 2 to 32 digits, spaces and ( ) . - after an optional leading +, and nothing else", MALFORMED
        )
    there = dialled_in or region
    if is_emergency(dial_string, there, region):
        return Dialled(DestinationKind.EMERGENCY, _SEPARATORS.sub("", dial_string), region)
    bare = dial_string.strip(" ")
    if bare.isdecimal() and len(bare) == extension_length:
        return Dialled(DestinationKind.EXTENSION, bare, region)
    return Dialled(DestinationKind.EXTERNAL, _e164(dial_string, there), region)


def is_emergency(dial_string: str, *regions: str) -> bool:
    """Whether this text reaches emergency services in one of these regions, however punctuated: `911`, `9-1-1`, not `+911`.

    The exact number only (`is_emergency_number`): a number that merely begins like one, such as 9116666666, is none. The
    North American test number 933 counts, so that a test takes the road a real call would take.
    """
    if _RAW.fullmatch(dial_string) is None or dial_string.startswith("+"):
        return False
    digits = _SEPARATORS.sub("", dial_string)
    if not digits:
        return False
    return any(
        digits in _EMERGENCY_TEST_NUMBERS.get(region, frozenset())
        or shortnumberinfo.is_emergency_number(digits, region)
        for region in dict.fromkeys(regions)
    )


def as_emergency(dial_string: str, regions: Iterable[str], settings: Emergency = ALONE) -> Dialled | None:
    """The emergency number of one of these regions that a text means, the first that fits; with what is configured beside.

    Also in the digits of other scripts, and with the blanks and hyphens of typesetters: nobody in need is told to type better.
    """
    dial_string = _in_ascii(dial_string)
    if _RAW.fullmatch(dial_string) is None or dial_string.startswith("+"):
        return None
    digits = _SEPARATORS.sub("", dial_string)
    outside = (digits.removeprefix(line) for line in settings.outside_line.words if digits.startswith(line))
    for number in (digits, *outside):
        for region in regions:
            if number and (number in settings.numbers.words or is_emergency(number, region)):
                return Dialled(DestinationKind.EMERGENCY, number, region)
    return None


def is_emergency_test(dialled: Dialled) -> bool:
    """Whether this is a number that people try emergency calls with: nobody needs help."""
    return dialled.number in _EMERGENCY_TEST_NUMBERS.get(dialled.region, ())


def digits_of(dial_string: str) -> str:
    """What is left of a text when only its digits count, of whatever script."""
    return _SEPARATORS.sub("", _in_ascii(dial_string))


def _in_ascii(text: str) -> str:
    """A text with the digits, blanks and hyphens of ASCII in place of others, and without marks that nobody sees."""
    if text.isascii():
        return text
    return "".join(_SHOWN_AS.get(unicodedata.category(sign), str)(sign) for sign in text)


@lru_cache(_REMEMBERED)
def _e164(dial_string: str, region: str) -> str:
    """The possible telephone number behind a checked raw text, in E.164."""
    try:
        number = phonenumbers.parse(dial_string, region)
    except NumberParseException as exc:
        reason = f"is no telephone number of {region}, no extension and no emergency number"
        if dial_string.startswith("+") and exc.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            reason = "has no country calling code that exists behind the +"
        raise NumberNotDialable(reason, NO_NUMBER) from exc
    # Who wrote a + named the country: the region had no part in how it was read.
    country = f"+{number.country_code}" if dial_string.startswith("+") else region
    # Possible, not valid: is_valid refuses +15551234567 and every range newer than the metadata.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != ValidationResult.IS_POSSIBLE:
        why = _TOO_LONG_OR_SHORT.get(possible, "is no possible telephone number")
        otherwise = "" if dial_string.startswith("+") else "; E.164 such as +15551234567 is always understood"
        raise NumberNotDialable(f"{why} (read as a number of {country}){otherwise}", IMPOSSIBLE)
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if E164.fullmatch(text) is None:
        raise NumberNotDialable("is no telephone number of 7 to 15 digits", IMPOSSIBLE)
    # 003 2748 0437 of Australia becomes +61 0327480437, which is read as +61 327480437: sent would be another than judged.
    if phonenumbers.format_number(phonenumbers.parse(text), phonenumbers.PhoneNumberFormat.E164) != text:
        raise NumberNotDialable(f"begins with a digit too many (read as a number of {country})", IMPOSSIBLE)
    return text
