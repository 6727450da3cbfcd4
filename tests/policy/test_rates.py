"""Prices: what a file may say, what a call costs, and how long money lasts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.config import ConfigError
from c2c_stasis.policy.counting import SECOND
from c2c_stasis.policy.rates import Rate, read_rates
from c2c_stasis.policy.usage import Talk
from tests.policy.asking import external

HEAD = "prefix,price_per_minute,first_seconds,next_seconds\n"


def problems(text: str) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        read_rates(text, "rates.csv")
    return str(caught.value).splitlines()


def test_the_longest_prefix_has_the_price() -> None:
    rates = read_rates(HEAD + "+1,0.009,60,60\n 44 , 0.012 , 1 , 1 \n\n+447,0.09,30,6\n", "rates.csv")
    assert rates.find("+12125550123") == Rate(9_000, 60, 60)
    assert rates.find("+442079460018") == Rate(12_000, 1, 1)
    assert rates.find("+447400123456") == Rate(90_000, 30, 6)
    assert rates.find("+4930123456") is None


def test_a_file_of_a_spreadsheet_is_read() -> None:
    rates = read_rates("\ufeff" + HEAD.replace("\n", "\r\n") + '"+1","0.5","60","60"\r\n', "rates.csv")
    assert rates.find("+1212") == Rate(500_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [f"rates.csv:1 does not begin with the names of the columns. Write {HEAD.strip()}"]),
        ("+1,0.01,60,60\n", [f"rates.csv:1 does not begin with the names of the columns. Write {HEAD.strip()}"]),
        (HEAD, ["rates.csv:1 holds no price. Write one line for each prefix"]),
        (HEAD + "+1,0.01,60\n", [f"rates.csv:2 has 3 cells and must have 4. Write {HEAD.strip()}"]),
        (
            HEAD + "0044,x,0,10000\n",
            [
                "rates.csv:2: prefix is '0044'. Write the beginning of a number with its country code: +447",
                "rates.csv:2: price_per_minute is 'x'. Write a number such as 0.012, with at most 6 decimals",
                "rates.csv:2: first_seconds is '0'. Write 1 to 9999 seconds",
                "rates.csv:2: next_seconds is '10000'. Write 1 to 9999 seconds",
            ],
        ),
        (
            HEAD + "+1,-1,60,60\n\n+1,,60,60\n",
            [
                "rates.csv:2: price_per_minute is '-1'. Write a number such as 0.012, with at most 6 decimals",
                "rates.csv:4: price_per_minute is empty. Write a number such as 0.012, with at most 6 decimals",
            ],
        ),
        (
            HEAD + "+1,1,60,60\n1,2,60,60\n",
            ["rates.csv:3: prefix is +1, like line 2. Leave one of the two out"],
        ),
        (
            HEAD + "+٤٤,1,60,60\n",
            ["rates.csv:2: prefix is '+٤٤'. Write the beginning of a number with its country code: +447"],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_a_broken_quote_is_told() -> None:
    assert problems(HEAD + '"+1,0.01,60,60\n')[0].startswith("rates.csv:2 is no CSV: ")


def test_the_wrong_file_is_not_told_line_by_line() -> None:
    assert len(problems("x,y\n" * 1000)) == 20


@given(
    per_minute=st.integers(1, 5_000_000),
    first=st.integers(1, 120),
    following=st.integers(1, 120),
    talked=st.floats(0.001, 20_000),
)
def test_a_call_costs_the_parts_that_have_begun(per_minute: int, first: int, following: int, talked: float) -> None:
    billed = first
    while billed < talked:
        billed += following
    cost = Rate(per_minute, first, following).cost(talked)
    assert cost * 60 >= per_minute * billed > (cost - 1) * 60


def test_nobody_pays_for_a_call_that_was_not_answered() -> None:
    assert Rate(10_000).cost(0.0) == 0
    assert Rate(10_000).cost(0.001) == Rate(10_000).least == 10_000


@given(
    rate=st.builds(Rate, st.integers(1, 5_000_000), st.integers(1, 120), st.integers(1, 120)),
    money=st.integers(-1_000_000, 50_000_000),
)
def test_money_lasts_as_long_as_it_pays(rate: Rate, money: int) -> None:
    seconds = rate.affords(money)
    if seconds == 0:
        assert rate.per_minute * rate.first > money * 60
        return
    assert rate.cost(seconds) <= max(0, money)
    assert rate.per_minute * (seconds + rate.following) > money * 60


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.integers(0, 40_000_000_000), min_size=1, max_size=30),
    st.booleans(),
)
def test_what_live_calls_cost_is_kept_only_as_long_as_it_holds(
    first: int, following: int, pauses: list[int], answered: bool
) -> None:
    """It is asked of every live call for every new one, and reckoned again when a new part has begun."""
    talk = Talk(external("+12125550123"), 0, False, Rate(10_000, first, following), 5 if answered else None)
    now = 0
    for pause in [0, 5, 1, first * SECOND - 1, 1, 1, *pauses]:
        now += pause
        assert talk.spends(now) == talk.spent(now)
