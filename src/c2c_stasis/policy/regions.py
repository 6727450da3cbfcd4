"""Which countries an account may dial: its own, by the region of the number and not by its calling code.

Calling codes are shared: +1 876 is Jamaica, +44 1481 is Guernsey. "Country code 1 is allowed" is the classic hole of
international revenue share fraud, so the question here is always which *region* a number belongs to.
"""

import phonenumbers
from phonenumbers import PhoneNumber

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.errors import DestinationNotAllowed

OTHER_REGION = "other_region"  # the number belongs to another region than the account
WORLDWIDE = "worldwide_service"  # satellite networks, international premium rate and the like: region 001
UNKNOWN_REGION = "unknown_region"  # several regions share the calling code, and none of them claims the number

_WORLD = "001"
_NORTH_AMERICA = 1
# A subscriber number that every area code can hold; it asks libphonenumber whose the area code is.
_PROBE = 2_345_678
# The area code of examples and films, +1 555 123 4567: nobody has it, nobody will get it, and a call to it costs nothing.
_FICTION = "555"


def check_region(kind: DestinationKind, number: str, *, region: str) -> None:
    """Let a destination pass, or raise `DestinationNotAllowed` with the name of the rule that forbids it.

    Extensions and emergency numbers always pass. `number` is E.164, `region` the account's own.
    """
    if kind is not DestinationKind.EXTERNAL:
        return
    parsed = phonenumbers.parse(number)
    found = phonenumbers.region_code_for_number(parsed)
    # Freephone numbers of +1 are listed under US and yet belong to the plan of Canada and others as well.
    if found == region or phonenumbers.is_valid_number_for_region(parsed, region):
        return
    if found == _WORLD:
        raise DestinationNotAllowed(
            WORLDWIDE, f"numbers of +{parsed.country_code} belong to no country and are not dialled"
        )
    found = found or _region_of_area_code(parsed)
    # None: libphonenumber asks for a claim only where several regions share a calling code. There an unclaimed number may be
    # any of theirs; the dearest are the ones that are chosen.
    if found is None and not (_is_fiction(parsed) and phonenumbers.country_code_for_region(region) == _NORTH_AMERICA):
        raise DestinationNotAllowed(UNKNOWN_REGION, f"the number belongs to no known region; only {region} is dialled")
    if found not in (None, region):
        raise DestinationNotAllowed(OTHER_REGION, f"the number belongs to {found}; only {region} is dialled")


def _is_fiction(number: PhoneNumber) -> bool:
    national = phonenumbers.national_significant_number(number)
    return number.country_code == _NORTH_AMERICA and national.startswith(_FICTION)


def _region_of_area_code(number: PhoneNumber) -> str | None:
    """The region that owns the area code of a +1 number which is itself in no region's plan, such as +1 416 155 0000."""
    national = phonenumbers.national_significant_number(number)
    if number.country_code != _NORTH_AMERICA or len(national) != 10:
        return None
    probe = PhoneNumber(country_code=_NORTH_AMERICA, national_number=int(national[:3]) * 10_000_000 + _PROBE)
    return phonenumbers.region_code_for_number(probe)
