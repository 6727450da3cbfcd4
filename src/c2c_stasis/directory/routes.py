"""Which `[[routes]]` fit a call: by its account, and by the number that it goes to."""

from collections.abc import Iterable, Iterator

import phonenumbers
from phonenumbers import PhoneNumberType

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import NumbersOf, RouteRule
from c2c_stasis.directory.dial_strings import Dialled
from c2c_stasis.ids import AccountId


def fitting(rules: Iterable[RouteRule], dialled: Dialled, account_id: AccountId) -> Iterator[RouteRule]:
    """The routes for this account and this number, in their order. Emergency digits are of no kind and have no beginning."""
    for rule in rules:
        if rule.accounts.words and account_id not in rule.accounts.words:
            continue
        if not rule.numbers.words or any(_is(word, dialled) for word in rule.numbers.words):
            yield rule


def _is(word: str, dialled: Dialled) -> bool:
    if dialled.kind is not DestinationKind.EXTERNAL:
        return False
    if word.startswith("+"):
        return dialled.number.startswith(word)
    number = phonenumbers.parse(dialled.number)
    match NumbersOf(word):
        case NumbersOf.NATIONAL:
            return _is_national(number, dialled.region)
        case NumbersOf.INTERNATIONAL:
            return not _is_national(number, dialled.region)
        case NumbersOf.MOBILE:
            return phonenumbers.number_type(number) == PhoneNumberType.MOBILE
        case NumbersOf.TOLL_FREE:
            return phonenumbers.number_type(number) == PhoneNumberType.TOLL_FREE


def _is_national(number: phonenumbers.PhoneNumber, region: str) -> bool:
    """Whether people of the region take the number for one of their own; not by its calling code, which others may share."""
    found = phonenumbers.region_code_for_number(number)
    if found is None:  # newer than what is known, or +1 555
        return phonenumbers.country_code_for_region(region) == number.country_code
    return found == region or phonenumbers.is_valid_number_for_region(number, region)
