"""Two hundred numbers, and what accounts of the United States and of Great Britain may do with them when nothing is configured.

`numbers.csv` was gone through line by line: whoever changes it says in the commit why the new line makes sense.
"""

import csv
from pathlib import Path

import pytest

from c2c_stasis.directory import dial_strings
from c2c_stasis.policy.numbers import look_up
from tests.policy.asking import judged

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
