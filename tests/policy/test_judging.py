"""Whether a destination may be dialled, whoever called how often."""

import pytest

from c2c_stasis.config import CostlyType
from c2c_stasis.policy.engine import decide, judge
from c2c_stasis.policy.numbers import NumberClass
from c2c_stasis.policy.prefixes import Prefixes
from c2c_stasis.policy.rates import Rate, Rates
from c2c_stasis.policy.settings import Ceilings, Settings
from c2c_stasis.policy.usage import Usage
from tests.policy.asking import BERLIN, LONDON, emergency, extension, external, judged

NEW_YORK, TORONTO, KINGSTON, FILM = "+12125550123", "+14165551234", "+18765230123", "+15551234567"
PREMIUM, SHARED, IRIDIUM = "+19005551234", "+611300123456", "+8816123456789"
NOTHING_MAY = Ceilings(starts_per_second=0, calls=0, same_destination=0, international=0, minutes=0, spend=0)
CLOSED = Settings(
    outbound_enabled=False,
    prefixes=Prefixes.of([], ["+9", "+1"]),
    strict_numbers=True,
    user=NOTHING_MAY,
    account=NOTHING_MAY,
    key=NOTHING_MAY,
)


@pytest.mark.parametrize("number", ["911", "112", "933", "999"])
def test_an_emergency_number_passes_when_nothing_else_does(number: str) -> None:
    decision = decide(emergency(number), CLOSED, Usage(), 0.0)
    assert decision.allowed
    assert decision.rule == "emergency"
    assert decision.longest is None


def test_a_number_that_is_forbidden_is_told_so_whatever_the_limits_say() -> None:
    nothing = Settings(user=NOTHING_MAY, account=NOTHING_MAY, key=NOTHING_MAY)
    assert decide(external(KINGSTON), nothing, Usage(), 0.0).rule == "other_region"
    assert decide(extension(), nothing, Usage(), 0.0).status == 409


def test_the_switch_stops_telephone_numbers_and_leaves_extensions() -> None:
    off = Settings(outbound_enabled=False)
    refusal = judge(external(NEW_YORK), off)
    assert refusal.rule == "outbound_disabled"
    assert (refusal.region, refusal.number_class) == ("US", NumberClass.FIXED_LINE_OR_MOBILE)  # told all the same
    assert judge(extension(), off).rule == "extension"


def test_a_permitted_prefix_opens_what_region_and_type_close() -> None:
    settings = Settings(prefixes=Prefixes.of(["+8816", "+190055512", "+1876"], []))
    for number in (IRIDIUM, PREMIUM, KINGSTON):
        decision = judged(number, settings=settings)
        assert decision.rule == "allowed_prefix"
        assert decision.reason in {
            f"numbers that begin with {one} are dialled" for one in ("+8816", "+190055512", "+1876")
        }
        assert decision.international is (number != PREMIUM)


def test_a_denied_prefix_closes_what_the_region_opens() -> None:
    refusal = judged(NEW_YORK, settings=Settings(prefixes=Prefixes.of([], ["+1212"])))
    assert refusal.rule == "denied_prefix"
    assert refusal.reason == "numbers that begin with +1212 are not dialled"


@pytest.mark.parametrize(
    ("allow", "deny", "rule"),
    [
        (["+1876"], ["+1"], "allowed_prefix"),
        (["+1"], ["+1876"], "denied_prefix"),
        (["+1876"], ["+1876"], "denied_prefix"),
        (["+18765230123"], ["+1876523012"], "allowed_prefix"),
        (["+1876"], ["+44"], "allowed_prefix"),
        (["+44"], ["+45"], "other_region"),
    ],
)
def test_the_longest_prefix_counts_and_between_equals_the_denial(allow: list[str], deny: list[str], rule: str) -> None:
    assert judged(KINGSTON, settings=Settings(prefixes=Prefixes.of(allow, deny))).rule == rule


def test_an_allowed_region_is_dialled_and_its_neighbours_under_the_same_code_are_not() -> None:
    settings = Settings(regions=("CA", "GB"))
    assert judged(TORONTO, settings=settings).rule == "allowed_region"
    assert judged("+14161550000", settings=settings).rule == "allowed_region"  # Toronto by its area code
    assert judged(LONDON, settings=settings).rule == "allowed_region"
    assert judged("+441481256789", settings=settings).rule == "other_region"  # Guernsey
    refusal = judged(KINGSTON, settings=settings)
    assert refusal.reason == "the number belongs to JM; only US, CA or GB is dialled"


def test_everywhere_is_every_country_and_no_worldwide_service() -> None:
    settings = Settings(regions=("*",))
    for number in (KINGSTON, BERLIN, "+12005550100"):
        assert judged(number, settings=settings).rule == "allowed_region"
    assert judged(IRIDIUM, settings=settings).rule == "worldwide_service"
    assert judged(PREMIUM, settings=settings).rule == "premium_rate"


def test_a_number_of_films_belongs_to_every_country_with_its_calling_code() -> None:
    assert judged(FILM).rule == "home_region"
    assert judged(FILM, "GB").rule == "unknown_region"
    assert judged(FILM, "GB", Settings(regions=("CA",))).rule == "allowed_region"
    assert judged(FILM, "GB", Settings(regions=("DE",))).rule == "unknown_region"


def test_only_numbers_in_use_are_dialled_when_it_is_strict() -> None:
    strict = Settings(strict_numbers=True)
    for number in (FILM, "+12121550000"):
        assert judged(number, settings=strict).rule == "unassigned_number"
        assert judged(number).rule == "home_region"
    assert judged(NEW_YORK, settings=strict).rule == "home_region"
    assert judged("+353300000000", "IE").rule == "home_region"
    assert judged("+353300000000", "IE", strict).rule == "unassigned_number"


def test_a_costly_type_is_dialled_when_it_is_allowed_and_no_other_with_it() -> None:
    settings = Settings(types=frozenset({CostlyType.SHARED_COST}))
    assert judged(SHARED, "AU", settings).rule == "home_region"
    assert judged("+611900123456", "AU", settings).rule == "premium_rate"
    assert judged(SHARED, "US", settings).rule == "other_region"
    refusal = judged(SHARED, "AU")
    assert (
        refusal.reason == 'a shared cost number costs more than a call; [policy] allow_types = "shared_cost" allows it'
    )


def test_an_area_code_that_costs_extra_does_so_before_an_exchange_that_nobody_has() -> None:
    assert judged("+19000000060").rule == "premium_rate"
    assert judged("+15000000060").rule == "personal_number"
    assert judged("+18000000060").rule == "home_region"
    assert judged("+18000000060", "JM").rule == "home_region"  # freephone is every region's


def test_what_goes_abroad_is_known_by_its_region() -> None:
    everywhere = Settings(regions=("*",))
    assert not judged(NEW_YORK, settings=everywhere).international
    assert not judged(FILM, settings=everywhere).international
    assert judged(TORONTO, settings=everywhere).international
    assert judged(LONDON, settings=everywhere).international
    assert not judged("+18005551234", "CA", everywhere).international  # freephone of the whole plan


def test_a_number_without_a_price_is_dialled_only_when_nobody_counts_money() -> None:
    rates = Rates({"+1": Rate(10_000)})
    counting = Settings(regions=("GB",), account=Ceilings(spend=5), rates=rates)
    assert judged(NEW_YORK, settings=counting).rate == Rate(10_000)
    assert judged(LONDON, settings=counting).rule == "no_rate"
    assert judged(LONDON, settings=Settings(regions=("GB",), rates=rates)).rule == "allowed_region"
    assert judged(BERLIN, settings=counting).rule == "other_region"
    assert judged(NEW_YORK, settings=Settings(user=Ceilings(spend=5))).rule == "no_rate"
    assert judged(NEW_YORK, settings=Settings(key=Ceilings(spend=5))).rule == "no_rate"


@pytest.mark.parametrize(
    ("number", "number_class"),
    [
        ("+18005551234", "toll_free"),
        ("+441212345678", "fixed_line"),
        ("+447400123456", "mobile"),
        ("+445612345678", "voip"),
        ("+18686191234", "voicemail"),
        (IRIDIUM, "satellite"),
        ("+870773111632", "satellite"),
        ("+88216123456", "international_network"),
        ("+883510012345", "international_network"),
        (FILM, "unknown"),
    ],
)
def test_the_type_of_a_number_is_told(number: str, number_class: str) -> None:
    assert judged(number).number_class == number_class
