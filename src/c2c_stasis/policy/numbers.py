"""What is known of a telephone number: its type, and the region that it belongs to."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, shortnumberinfo
from phonenumbers.shortnumberinfo import ShortNumberCost

from c2c_stasis.config import CostlyType

WORLD = "001"
"""The region of numbers that belong to no country (UN M49)."""


class NumberClass(StrEnum):
    """The type of a number, as numbering plans know it."""

    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"  # a plan that does not tell the two apart, as North America's
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UNIVERSAL_ACCESS = "universal_access"  # one number for all offices of a company
    VOICEMAIL = "voicemail"
    SATELLITE = "satellite"
    INTERNATIONAL_NETWORK = "international_network"
    UNKNOWN = "unknown"  # no plan claims it; it may be newer than what we know


_CLASSES = {
    PhoneNumberType.FIXED_LINE: NumberClass.FIXED_LINE,
    PhoneNumberType.MOBILE: NumberClass.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberClass.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberClass.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberClass.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: NumberClass.SHARED_COST,
    PhoneNumberType.VOIP: NumberClass.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberClass.PERSONAL_NUMBER,
    PhoneNumberType.PAGER: NumberClass.PAGER,
    PhoneNumberType.UAN: NumberClass.UNIVERSAL_ACCESS,
    PhoneNumberType.VOICEMAIL: NumberClass.VOICEMAIL,
    PhoneNumberType.UNKNOWN: NumberClass.UNKNOWN,
}
# libphonenumber 9.0 calls these mobile or voip, which they are, and what they cost is another matter.
_BY_CALLING_CODE = {
    870: NumberClass.SATELLITE,  # Inmarsat
    881: NumberClass.SATELLITE,  # Iridium, Globalstar
    882: NumberClass.INTERNATIONAL_NETWORK,
    883: NumberClass.INTERNATIONAL_NETWORK,
}
COSTLY = {NumberClass(one.value): one for one in CostlyType}
"""Types that are dialled only when they are allowed; `Number.costly` knows the exceptions."""

# British 03 numbers are of universal access, and may cost no more than a call to a geographic one (Ofcom's National Telephone
# Numbering Plan).
_COSTS_A_CALL = "+443"
_NORTH_AMERICA = 1
# Services of Canada without a place, satellite phones (+1 600 700) among them, which libphonenumber 9.0 calls voip: whoever
# calls pays for the airtime (Canadian Numbering Administrator, NPA 600).
_CANADIAN_SERVICES = "+1600"
# In the United States and Canada the exchange 976 of every area code is for services that are paid by the call (no carrier may
# have it, by NANPA's Central Office Code Assignment Guidelines), and 555 1212 is its directory assistance.
_PAID_BY_THE_CALL = re.compile(r"\+1[0-9]{3}(976[0-9]{4}|5551212)")
_OF_THE_GUIDELINES = ("US", "CA")
# Directory enquiries all over Europe (+3, +4), at several euros a minute; what is in no plan and begins so is nothing else.
_DIRECTORY_ENQUIRIES = "118"
_EUROPE = ("3", "4")
_SHORTEST_CODE = 3  # digits; a service that is shorter than that costs nothing extra anywhere
_REMEMBERED = 4096  # numbers: what an office calls in a day, and a megabyte or two
# A subscriber number that every area code can hold; it asks libphonenumber whose the area code is.
_PROBE = 2_345_678
# The area code of examples and films, +1 555 123 4567: nobody has it, nobody will get it, and a call to it costs nothing.
_FICTION = "555"


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number in E.164 and what is known of it.

    `region` is None when several regions share the calling code and none of them claims the number; `assigned` when it
    belongs to a range that is known to be in use. `known_as` is the number itself, or one of its area code that is in a plan
    when the number is in none.
    """

    text: str
    known_as: PhoneNumber
    number_class: NumberClass
    region: str | None
    assigned: bool
    fictitious: bool

    @property
    def calling_code(self) -> int:
        """The country calling code, such as 44."""
        return self.known_as.country_code or 0

    @property
    def costly(self) -> CostlyType | None:
        """As what the number costs more than a call, if it does."""
        return None if self.text.startswith(_COSTS_A_CALL) else COSTLY.get(self.number_class)

    def belongs_to(self, region: str) -> bool:
        """Whether people of this region take the number for one of their own."""
        # Freephone numbers of +1 are listed under US and yet belong to the plan of Canada and others as well.
        return self.region == region or phonenumbers.is_valid_number_for_region(self.known_as, region)

    def has_calling_code_of(self, region: str) -> bool:
        """Whether the region has this number's calling code, perhaps with others."""
        return phonenumbers.country_code_for_region(region) == self.calling_code


@lru_cache(_REMEMBERED)
def look_up(number: str) -> Number:
    """What is known of a number, which is E.164."""
    parsed = phonenumbers.parse(number)
    region = phonenumbers.region_code_for_number(parsed)
    kind = _class_of(parsed)
    claimed = region is not None
    if not claimed and (probe := _probe_of_area_code(parsed)) is not None:
        parsed, region, area_class = probe, phonenumbers.region_code_for_number(probe), _class_of(probe)
        # +1 900 before an exchange that nobody has is in no plan, and still no number that is dialled lightly.
        kind = area_class if area_class in COSTLY else kind
    if number.startswith(_CANADIAN_SERVICES) or _is_paid_by_the_call(number, region, kind):
        kind = NumberClass.PREMIUM_RATE
    elif kind is NumberClass.UNKNOWN:
        kind = _dearest_beginning(parsed) or kind
    return Number(
        text=number,
        known_as=parsed,
        number_class=kind,
        region=region,
        assigned=claimed and phonenumbers.number_type(parsed) != PhoneNumberType.UNKNOWN,
        fictitious=number.startswith(f"+{_NORTH_AMERICA}{_FICTION}"),
    )


def _class_of(number: PhoneNumber) -> NumberClass:
    return _BY_CALLING_CODE.get(number.country_code or 0) or _CLASSES[phonenumbers.number_type(number)]


def _is_paid_by_the_call(number: str, region: str | None, kind: NumberClass) -> bool:
    of_a_place = kind is NumberClass.FIXED_LINE_OR_MOBILE and region in _OF_THE_GUIDELINES  # 800 555 1212 is free
    return of_a_place and _PAID_BY_THE_CALL.fullmatch(number) is not None


def _dearest_beginning(number: PhoneNumber) -> NumberClass | None:
    """As what a number that is in no plan would cost: networks connect as soon as enough digits have come, and let the rest go.

    So 0900 1 123456 with one digit more is the premium rate number, and 118 80 is the directory enquiries with or without +49.
    """
    code = number.country_code or 0
    if code == _NORTH_AMERICA:
        return None  # all numbers there have ten digits
    whole = phonenumbers.national_significant_number(number)
    # Of a number that is too long, libphonenumber may leave the 0 that people dial before it; a network may not.
    texts = dict.fromkeys((whole, whole.lstrip("0")))
    beginnings = [_number(code, text[:end]) for text in texts for end in range(_SHORTEST_CODE, len(text) + 1)]
    dear = any(_is_dear_service(one, whole=one == number) for one in beginnings)
    enquiries = str(code).startswith(_EUROPE) and any(text.startswith(_DIRECTORY_ENQUIRIES) for text in texts)
    if dear or enquiries:
        return NumberClass.PREMIUM_RATE
    found = {_class_of(one) for one in beginnings}
    return next((one for one in COSTLY if one in found), None)


def _number(code: int, national: str) -> PhoneNumber:
    zeros = len(national) - len(national.lstrip("0"))
    return PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def _is_dear_service(number: PhoneNumber, *, whole: bool) -> bool:
    """Whether these digits are a service of few digits in a region of their calling code, which somebody charges extra for.

    Of those for which nobody knows the price, only the `whole` number counts: many a longer number begins like one.
    """
    for region in phonenumbers.region_codes_for_country_code(number.country_code or 0):
        if shortnumberinfo.is_valid_short_number_for_region(number, region):
            cost = shortnumberinfo.expected_cost_for_region(number, region)
            if cost == ShortNumberCost.PREMIUM_RATE or (whole and cost == ShortNumberCost.UNKNOWN_COST):
                return True
    return False


def _probe_of_area_code(number: PhoneNumber) -> PhoneNumber | None:
    """A number of the same area code of +1 that is in a plan, for one that is in none, such as +1 416 155 0000."""
    national = str(number.national_number)
    if number.country_code != _NORTH_AMERICA or len(national) != 10:
        return None
    probe = PhoneNumber(country_code=_NORTH_AMERICA, national_number=int(national[:3]) * 10_000_000 + _PROBE)
    return probe if phonenumbers.is_valid_number(probe) else None
