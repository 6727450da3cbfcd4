"""What is known of a telephone number: its type, and the region that it belongs to."""

from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

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
"""Types that are dialled only when they are allowed."""

_NORTH_AMERICA = 1
# A subscriber number that every area code can hold; it asks libphonenumber whose the area code is.
_PROBE = 2_345_678
# The area code of examples and films, +1 555 123 4567: nobody has it, nobody will get it, and a call to it costs nothing.
_FICTION = "555"


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number in E.164 and what is known of it.

    `region` is None when several regions share the calling code and none of them claims the number; `assigned` when it
    belongs to a range that is known to be in use.
    """

    text: str
    parsed: PhoneNumber
    number_class: NumberClass
    region: str | None
    assigned: bool
    fictitious: bool

    @property
    def calling_code(self) -> int:
        """The country calling code, such as 44."""
        return self.parsed.country_code or 0

    def belongs_to(self, region: str) -> bool:
        """Whether people of this region take the number for one of their own."""
        if self.region == region:
            return True
        # Freephone numbers of +1 are listed under US and yet belong to the plan of Canada and others as well.
        return self.assigned and phonenumbers.is_valid_number_for_region(self.parsed, region)

    def has_calling_code_of(self, region: str) -> bool:
        """Whether the region has this number's calling code, perhaps with others."""
        return phonenumbers.country_code_for_region(region) == self.calling_code


def look_up(number: str) -> Number:
    """What is known of a number, which is E.164."""
    parsed = phonenumbers.parse(number)
    found = phonenumbers.region_code_for_number(parsed)
    kind = _BY_CALLING_CODE.get(parsed.country_code or 0) or _CLASSES[phonenumbers.number_type(parsed)]
    return Number(
        text=number,
        parsed=parsed,
        number_class=kind,
        region=found or _region_of_area_code(parsed),
        assigned=found is not None and phonenumbers.is_valid_number_for_region(parsed, found),
        fictitious=found is None and parsed.country_code == _NORTH_AMERICA and number.startswith(f"+1{_FICTION}"),
    )


def _region_of_area_code(number: PhoneNumber) -> str | None:
    """The region that owns the area code of a +1 number which is itself in no region's plan, such as +1 416 155 0000."""
    national = str(number.national_number)
    if number.country_code != _NORTH_AMERICA or len(national) != 10:
        return None
    probe = PhoneNumber(country_code=_NORTH_AMERICA, national_number=int(national[:3]) * 10_000_000 + _PROBE)
    return phonenumbers.region_code_for_number(probe)
