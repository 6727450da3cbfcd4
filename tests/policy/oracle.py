"""What must become of a dial string, a second time: written from the rules as they are told, not from the code beside.

It asks libphonenumber other questions than the policy does: of every region that shares a calling code whether it claims the
number. What the policy reads, types and refuses is compared with this by `check`, which hypothesis and a fuzzer call.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, ValidationResult, shortnumberinfo

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import CostlyType, NumberFormat, Trunk
from c2c_stasis.directory import dial_strings, trunks
from c2c_stasis.errors import NumberNotDialable
from c2c_stasis.ids import AccountId, UserId
from c2c_stasis.policy.engine import decide
from c2c_stasis.policy.prefixes import Prefixes
from c2c_stasis.policy.request import Request, refused
from c2c_stasis.policy.settings import Settings
from c2c_stasis.policy.usage import Usage

EMERGENCY: Final[Mapping[str, frozenset[str]]] = {
    "US": frozenset({"911", "112", "933"}),
    "CA": frozenset({"911", "112", "933"}),
    "GB": frozenset({"999", "112"}),
    "DE": frozenset({"110", "112"}),
    "AU": frozenset({"000", "106", "112"}),
    "JM": frozenset({"110", "112", "119", "911"}),
}
"""Where fuzzed accounts are, and what their emergency numbers are."""

# ITU-T E.164, assigned country codes: those that are no country's.
WITHOUT_COUNTRY = frozenset({800, 808, 870, 878, 881, 882, 883, 888, 979})
UNREADABLE = "unreadable"
"""In place of `no_number` and `impossible_number`: where libphonenumber gives up a text is its own affair."""
_COSTLY = {
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "universal_access",
}
_NORTH_AMERICA = 1
# 5XX of the North American plan, and Canada's 6XX: numbers that follow a person, and that whoever calls pays for.
_FOLLOW_ME = frozenset(
    {*("500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "532", "533", "544", "566", "577", "588")}
    | {"622", "633"}
)
_SUBSCRIBERS = ("2345678", "4561234", "7012345", "9991234")  # that some number of an area code in use is one of


@dataclass(frozen=True)
class Rules:
    """What an account may dial, in the plainest form."""

    regions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    strict: bool = False
    outbound: bool = True

    @property
    def settings(self) -> Settings:
        """The same, as the policy takes it."""
        types = frozenset(CostlyType(one) for one in self.types)
        prefixes = Prefixes.of(self.allow, self.deny)
        return Settings(self.outbound, self.regions, types, prefixes, self.strict)


RULES = (
    Rules(),
    Rules(regions=("CA", "GB"), types=("shared_cost",), strict=True),
    Rules(regions=("*",), deny=("+1900", "+1876", "+88"), allow=("+8816", "+18765")),
    Rules(allow=("+1", "+4420"), deny=("+1212", "+442079")),
    Rules(outbound=False, allow=("+1",)),
)
_SETTINGS = tuple(one.settings for one in RULES)
_TRUNKS = tuple(
    Trunk("carrier", "PJSIP/{number}@carrier", style, "" if style is NumberFormat.E164 else "9")
    for style in NumberFormat
)


def passes_the_shape_check(text: str) -> bool:
    """Two to 32 digits, blanks, brackets, dots and hyphens of ASCII, after at most one plus sign."""
    body = text[1:] if text.startswith("+") else text
    return 2 <= len(body) <= 32 and all(one in string.digits + " ().-" for one in body)


def expected(text: str, home: str, extension_length: int, rules: Rules) -> tuple[str, str]:
    """The rule that must decide, and what is dialled if it may be."""
    if not passes_the_shape_check(text):
        return "malformed_dial_string", ""
    digits = "".join(one for one in text if one in string.digits)
    plus = text.startswith("+")
    if not plus and digits in EMERGENCY[home]:
        return "emergency", digits
    if not plus and len(digits) == extension_length == len(text.strip(" ")):
        return "extension", digits
    try:
        number = phonenumbers.parse(f"+{digits}" if plus else digits, home)
    except NumberParseException:
        return UNREADABLE, ""
    e164 = f"+{number.country_code}{phonenumbers.national_significant_number(number)}"
    possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    if not possible or not 8 <= len(e164) <= 16 or phonenumbers.parse(e164) != number:
        return UNREADABLE, ""
    return _of_number(number, e164, home, rules), e164


def _of_number(number: PhoneNumber, e164: str, home: str, rules: Rules) -> str:
    if not rules.outbound:
        return "outbound_disabled"
    listed = [prefix for prefix in (*rules.allow, *rules.deny) if e164.startswith(prefix)]
    if listed:
        return "denied_prefix" if max(listed, key=len) in rules.deny else "allowed_prefix"
    code = number.country_code or 0
    if code in WITHOUT_COUNTRY:
        return "worldwide_service"
    costly = _COSTLY.get(phonenumbers.number_type(number)) or _costly_area_code(e164) or _costly_when_cut(number, code)
    if code == 44 and phonenumbers.national_significant_number(number)[0] == "3":
        costly = None  # 03 of Great Britain costs what 01 and 02 do
    if costly is not None and costly not in rules.types:
        return costly
    sharing = phonenumbers.region_codes_for_country_code(code)
    claiming = {region for region in sharing if phonenumbers.is_valid_number_for_region(number, region)}
    if rules.strict and not claiming:
        return "unassigned_number"
    if not claiming:
        claiming = set(_owners(number, code, sharing))
    films = not claiming and code == _NORTH_AMERICA and e164.startswith("+1555")
    if home in claiming or (films and home in sharing):
        return "home_region"
    if "*" in rules.regions or any(one in claiming or (films and one in sharing) for one in rules.regions):
        return "allowed_region"
    return "other_region" if claiming else "unknown_region"


def _owners(number: PhoneNumber, code: int, sharing: tuple[str, ...]) -> frozenset[str]:
    """Whose a number is that is in no plan: a calling code's only region's, or whose area code it begins with."""
    if len(sharing) == 1:
        return frozenset(sharing)
    national = phonenumbers.national_significant_number(number)
    begins = {region for region in sharing if (leading := _leading_digits(region)) and re.match(leading, national)}
    if begins:
        return frozenset(begins)
    return _area_code(national[:3]) if code == _NORTH_AMERICA and len(national) == 10 else frozenset()


@cache
def _leading_digits(region: str) -> str | None:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return metadata.leading_digits if metadata else None


@cache
def _area_code(area: str) -> frozenset[str]:
    sharing = phonenumbers.region_codes_for_country_code(_NORTH_AMERICA)
    numbers = [PhoneNumber(country_code=_NORTH_AMERICA, national_number=int(area + one)) for one in _SUBSCRIBERS]
    return frozenset(
        region
        for region in sharing
        if any(phonenumbers.is_valid_number_for_region(number, region) for number in numbers)
    )


def _costly_area_code(e164: str) -> str | None:
    """Area codes of +1 of which every number costs extra (North American Numbering Plan, non-geographic codes)."""
    area = e164[2:5]
    place = phonenumbers.number_type(phonenumbers.parse(e164)) == PhoneNumberType.FIXED_LINE_OR_MOBILE
    if place and _area_code(area) & {"US", "CA"} and (e164[5:8] == "976" or e164[5:] == "5551212"):
        return "premium_rate"  # information and directory services of the United States and Canada
    if not e164.startswith("+1") or len(e164) != 12 or not _area_code(area):
        return None
    return "premium_rate" if area in ("600", "900") else "personal_number" if area in _FOLLOW_ME else None


def _costly_when_cut(number: PhoneNumber, code: int) -> str | None:
    """What a number of no plan costs where the network takes as many of its digits as make a number that is in one."""
    if phonenumbers.number_type(number) != PhoneNumberType.UNKNOWN or code == _NORTH_AMERICA:
        return None
    digits = phonenumbers.national_significant_number(number)
    found = {"premium_rate"} if re.match("0*118", digits) and str(code)[0] in "34" else set()
    for cut in {digits, digits.lstrip("0")}:
        for length in range(3, len(cut) + 1):
            begins = cut[:length]
            zeros = len(begins) - len(begins.lstrip("0"))
            shorter = PhoneNumber(code, int(begins), None, zeros > 0 or None, zeros if zeros > 1 else None)
            found.add(_COSTLY.get(phonenumbers.number_type(shorter), ""))
            for region in phonenumbers.region_codes_for_country_code(code):
                if shortnumberinfo.is_valid_short_number_for_region(shorter, region):
                    price = shortnumberinfo.expected_cost_for_region(shorter, region)
                    dear = price == 2 or (price == 3 and begins == digits)  # premium, unknown
                    found |= {"premium_rate"} if dear else set()
    return next((one for one in _COSTLY.values() if one in found), None)


class Escape(AssertionError):
    """The policy and the oracle disagree, or something else than digits came out."""


def check(text: str, home: str, extension_length: int, which: int) -> str:
    """Let both decide, and give the rule. Raises `Escape`."""
    rules = RULES[which % len(RULES)]
    rule, dialled = expected(text, home, extension_length, rules)
    try:
        read = dial_strings.parse(text, region=home, extension_length=extension_length)
    except NumberNotDialable as error:
        found, allowed, number = refused(error).rule.value, False, ""
        found = UNREADABLE if found in ("no_number", "impossible_number") else found
    else:
        request = Request(read.kind, read.number, home, AccountId("acct"), UserId("user"), "key")
        decision = decide(request, _SETTINGS[which % len(RULES)], Usage(), 0.0)
        found, allowed, number = decision.rule.value, decision.allowed, read.number
        if allowed and read.kind is not DestinationKind.EXTENSION:
            _check_what_is_sent(read)
    if (found, number) != (rule, dialled):
        raise Escape(f"{text!r} from {home} under {rules}: {found} {number!r}, and must be {rule} {dialled!r}")
    may = {"emergency", "extension", "home_region", "allowed_region", "allowed_prefix"}
    if allowed is not (rule in may):
        raise Escape(f"{text!r} from {home} under {rules}: {found} is {'allowed' if allowed else 'refused'}")
    return found


def _check_what_is_sent(read: dial_strings.Dialled) -> None:
    national = phonenumbers.national_significant_number(phonenumbers.parse(read.number, read.region))
    for trunk in _TRUNKS:
        try:
            head, at, tail = trunks.endpoint(trunk, read).partition("@")
        except NumberNotDialable:
            if trunk.format is NumberFormat.NATIONAL and national.startswith(tuple(EMERGENCY[read.region])):
                continue  # would call for help where nobody asked for it
            raise
        digits = head.removeprefix("PJSIP/").removeprefix("+")
        if not head.startswith("PJSIP/") or at + tail != "@carrier" or not digits or set(digits) - set(string.digits):
            raise Escape(f"{read} is sent as {head}{at}{tail}")
