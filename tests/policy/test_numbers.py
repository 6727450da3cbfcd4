"""Two hundred numbers, and what accounts of the United States and of Great Britain may do with them when nothing is configured.

`numbers.csv` was gone through line by line: whoever changes it says in the commit why the new line makes sense.
"""

import csv
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from c2c_stasis.config import CostlyType
from c2c_stasis.directory import dial_strings
from c2c_stasis.errors import NumberNotDialable
from c2c_stasis.policy.numbers import look_up
from tests.policy.asking import judged

E164 = PhoneNumberFormat.E164
_LIBRARY_TYPES = {
    CostlyType.PREMIUM_RATE: PhoneNumberType.PREMIUM_RATE,
    CostlyType.SHARED_COST: PhoneNumberType.SHARED_COST,
    CostlyType.PERSONAL_NUMBER: PhoneNumberType.PERSONAL_NUMBER,
    CostlyType.PAGER: PhoneNumberType.PAGER,
    CostlyType.UNIVERSAL_ACCESS: PhoneNumberType.UAN,
}

with (Path(__file__).parent / "numbers.csv").open(encoding="utf-8") as _file:
    ROWS = list(csv.DictReader(_file))


@pytest.mark.parametrize("row", ROWS, ids=[row["number"] for row in ROWS])
def test_a_number_is_decided_as_the_table_says(row: dict[str, str]) -> None:
    number = row["number"]
    found = look_up(number)
    assert (found.region or "", found.number_class) == (row["region"], row["class"])
    for region, allowed, rule in (("US", row["us"], row["us_rule"]), ("GB", row["gb"], row["gb_rule"])):
        dialled = dial_strings.parse(number, region=region, extension_length=4).number
        decision = judged(dialled, region)
        assert (decision.allowed, decision.rule) == (allowed == "allow", rule), row["note"]


def test_the_table_is_large_enough() -> None:
    assert len({row["number"] for row in ROWS}) >= 200
    assert len({row["region"] for row in ROWS} - {"", "001"}) >= 40
    assert len({rule for row in ROWS for rule in (row["us_rule"], row["gb_rule"])}) >= 9


def test_nothing_outside_the_own_country_is_dialled() -> None:
    for region, column in (("US", "us"), ("GB", "gb")):
        assert {row["region"] for row in ROWS if row[column] == "allow"} <= {region, ""}


@pytest.mark.parametrize(
    ("dialled", "region"),
    [
        ("0900 1 123456 7", "DE"),  # a premium rate number, and one digit that the network does not wait for
        ("+4990011234567", "DE"),
        ("0900 123456 11", "CH"),
        ("0900 8765 43 11", "CZ"),
        ("0990 123456 1", "JP"),
        ("118 80", "DE"),  # directory enquiries, which are numbers of their country to libphonenumber
        ("+4911880", "DE"),
        ("118877", "AT"),
        ("+3521300", "LU"),  # a service of few digits whose price nobody knows
        ("118118", "SE"),
        ("118913", "PL"),
        ("+6112400", "AU"),  # a service of which nobody knows the price
        ("+1 600 700 1234", "CA"),  # a satellite phone of Canada
        ("+1 600 155 1234", "CA"),
    ],
)
def test_no_digit_too_many_and_no_short_service_makes_a_dear_number_cheap(dialled: str, region: str) -> None:
    number = dial_strings.parse(dialled, region=region, extension_length=4).number
    decision = judged(number, region)
    assert not decision.allowed
    assert decision.rule in {kind.value for kind in CostlyType}


def test_services_that_are_paid_by_the_call_are_no_ordinary_numbers_of_north_america() -> None:
    assert judged("+12129761234").rule == judged("+12125551212").rule == "premium_rate"
    assert judged("+14165551212", "CA").rule == "premium_rate"
    assert judged("+18005551212").rule == judged("+12125551213").rule == "home_region"
    assert judged("+18099761234", "DO").rule == "home_region"  # an exchange like others there


def test_at_home_a_new_range_is_still_dialled() -> None:
    """What libphonenumber does not know yet has no type; nothing that it begins with costs extra."""
    for number, region in (
        ("+49199123456", "DE"),
        ("+491118123456", "DE"),
        ("+491151234567", "DE"),
        ("+5430000000", "AR"),
    ):
        decision = judged(number, region)
        assert (decision.number_class, decision.rule) == ("unknown", "home_region")


@pytest.mark.parametrize("kind", sorted(CostlyType))
def test_in_no_country_digits_too_many_hide_what_a_number_costs(kind: CostlyType) -> None:
    tried = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, _LIBRARY_TYPES[kind])
        if example is None or look_up(e164 := phonenumbers.format_number(example, E164)).costly is None:
            continue
        for more in ("1", "11", "987"):
            try:
                longer = dial_strings.parse(e164 + more, region=region, extension_length=4).number
            except NumberNotDialable:
                continue
            if longer != e164 + more or look_up(longer).assigned:
                continue  # a number of another kind
            tried += 1
            decision = judged(longer, region)
            assert not decision.allowed, f"{longer} from {region} by {decision.rule}"
    assert tried >= 5
