"""Through which trunks a destination is dialled, and the exact dial string that Asterisk is given.

This is the last line before Asterisk: whatever happened earlier, only digits with an optional leading + leave here. Asterisk
would send `PJSIP/x@trunk/sip:evil@host` to that host, and `;`, `?` and `%` into the Request-URI unescaped (seen in 22.10.1).
"""

import re
from collections.abc import Iterable
from typing import NoReturn

import phonenumbers
from phonenumbers import PhoneNumberFormat, shortnumberinfo

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import NumberFormat, RouteRule, Trunk
from c2c_stasis.directory.dial_strings import IMPOSSIBLE, Dialled
from c2c_stasis.directory.routes import fitting
from c2c_stasis.errors import DestinationNotAllowed, NumberNotDialable
from c2c_stasis.ids import AccountId

NO_TRUNK = "no_trunk"  # no trunk carries this kind of call
TEST_MODE = "test_mode"  # a test key reaches only extensions and trunks marked as test

_SENDABLE = re.compile(r"\+?[0-9]{2,24}")  # 15 digits of E.164, "00" and a prefix of up to 7
_NOT_DIGITS = re.compile(r"[^0-9]")


def choose(
    trunks: Iterable[Trunk],
    dialled: Dialled,
    account_id: AccountId,
    rules: Iterable[RouteRule] = (),
    *,
    livemode: bool = True,
) -> tuple[Trunk, ...]:
    """The trunks for this destination, in the order in which they are tried: those of the first route that fits, else all.

    For emergency numbers it is every trunk: those that are marked for them, then those of the first route that fits, then the
    rest. Calls of test keys go through trunks marked `test` only, and no other call does. Raises `DestinationNotAllowed`.
    """
    emergency = dialled.kind is DestinationKind.EMERGENCY
    usable = [trunk for trunk in trunks if trunk.test is not livemode and (emergency or not trunk.emergency)]
    by_name = {trunk.name: trunk for trunk in usable}
    found = [
        [by_name[name] for name in rule.trunks.words if name in by_name] for rule in fitting(rules, dialled, account_id)
    ]
    routed = next(filter(None, found), [])
    if emergency:
        return tuple(dict.fromkeys(sorted(routed + usable, key=lambda trunk: not trunk.emergency))) or _none(livemode)
    return tuple(routed or usable) or _none(livemode)


def _none(livemode: bool) -> NoReturn:
    if livemode:
        raise DestinationNotAllowed(
            NO_TRUNK, "no trunk is configured for this destination; only extensions can be called"
        )
    raise DestinationNotAllowed(TEST_MODE, "a test key reaches only extensions and trunks marked as test")


def endpoint(trunk: Trunk, dialled: Dialled) -> str:
    """The dial string for Asterisk, such as `PJSIP/+15551234567@carrier`.

    Raises `NumberNotDialable` rather than pass on anything but digits. An extension has no way out: `ValueError`.
    """
    match dialled.kind:
        case DestinationKind.EXTENSION:
            raise ValueError(f"extension {dialled.number} does not leave through a trunk")
        case DestinationKind.EMERGENCY:
            number = dialled.number
        case DestinationKind.EXTERNAL:
            number = trunk.prefix + _formatted(trunk.format, dialled)
    if _SENDABLE.fullmatch(number) is None:
        raise NumberNotDialable("cannot be sent to the telephone network", IMPOSSIBLE)
    return trunk.endpoint.replace("{number}", number)


def _formatted(style: NumberFormat, dialled: Dialled) -> str:
    """An E.164 number as the carrier wants it."""
    match style:
        case NumberFormat.E164:
            return dialled.number
        case NumberFormat.E164_NO_PLUS:
            return dialled.number.removeprefix("+")
        case NumberFormat.ZERO_ZERO:
            return "00" + dialled.number.removeprefix("+")
        case NumberFormat.NATIONAL:
            return _national(dialled)


def _national(dialled: Dialled) -> str:
    """The number as a person in the region dials it: at home without the country calling code, abroad with the access code.

    Where each carrier has an access code of its own, as in Brazil or Singapore, abroad is E.164: without the + it would be a
    number at home.
    """
    number = phonenumbers.parse(dialled.number)
    if number.country_code == phonenumbers.country_code_for_region(dialled.region):
        text = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        # A number of no plan gets no 0: +49 112 1234567 would be 1121234567, of which a network takes the first three digits.
        if _calls_for_help(text, dialled.region) and not phonenumbers.is_valid_number(number):
            raise NumberNotDialable("begins, as it is dialled at home, with an emergency number", IMPOSSIBLE)
    else:
        text = phonenumbers.format_out_of_country_calling_number(number, dialled.region)
    return ("+" if text.startswith("+") else "") + _NOT_DIGITS.sub("", text)


def _calls_for_help(text: str, region: str) -> bool:
    digits = _NOT_DIGITS.sub("", text)
    return shortnumberinfo.connects_to_emergency_number(digits, region)
