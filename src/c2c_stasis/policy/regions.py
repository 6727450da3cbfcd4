"""Which countries an account may dial: its own, by the region of the number and not by its calling code.

Calling codes are shared: +1 876 is Jamaica, +44 1481 is Guernsey. "Country code 1 is allowed" is the classic hole of
international revenue share fraud, so the question here is always which *region* a number belongs to.
"""

from c2c_stasis.config.sections.policy import EVERYWHERE
from c2c_stasis.policy.numbers import WORLD, Number
from c2c_stasis.policy.rules import Rule


def rule_of(number: Number, *, home: str, allowed: tuple[str, ...]) -> Rule:
    """Which rule decides about the region of a number, for an account at `home` that may dial the `allowed` regions too.

    A number that no region claims may be any one's of those which share its calling code; the dearest are the ones that are
    chosen. So it passes only as an area code of a region that may be dialled, or as a number of films.
    """
    if is_home(number, home):
        return Rule.HOME_REGION
    if number.region == WORLD:
        return Rule.WORLDWIDE
    if (
        EVERYWHERE in allowed
        or number.region in allowed
        or any(number.belongs_to(region) or _is_fiction_of(number, region) for region in allowed)
    ):
        return Rule.ALLOWED_REGION
    return Rule.UNKNOWN_REGION if number.region is None else Rule.OTHER_REGION


def is_home(number: Number, home: str) -> bool:
    """Whether a number is one of the account's own country."""
    return number.belongs_to(home) or _is_fiction_of(number, home)


def _is_fiction_of(number: Number, region: str) -> bool:
    """A number of films belongs to every region that has its calling code."""
    return number.fictitious and number.has_calling_code_of(region)


def in_words(home: str, allowed: tuple[str, ...]) -> str:
    """The regions that may be dialled, for people: `US`, `US, CA or MX`."""
    names = list(dict.fromkeys((home, *allowed)))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
