"""The policy against its oracle, for texts of every kind; `make fuzz-policy` does the same a million times."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import shortnumberinfo

from tests.policy.oracle import EMERGENCY, RULES, check, passes_the_shape_check

NASTY = [
    *(
        "+15551234567",
        "911",
        "9-1-1",
        "+911",
        "9911",
        "112",
        "000",
        " 1001",
        "10-01",
        "+1(876)523-0123",
        "011 44 20 7946 0018",
    ),
    *(
        "15551234567;ext=1",
        "sip:+15551234567@evil",
        "+1555123456７",
        "\u202e911",
        "9\x0011",
        "911\n",
        "",
        "+",
        "()",
        "(" * 32,
    ),
    *(
        "+8816123456789",
        "+979123456789",
        "+441481000000",
        "+12005550100",
        "00",
        "0" * 32,
        "+" + "9" * 32,
        "1-900-555-1234",
    ),
]
calling_codes = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
numbers = st.builds(lambda code, rest: f"+{code}{rest}", calling_codes, st.text("0123456789", min_size=4, max_size=12))
american = st.builds(
    lambda head, area, rest: f"{head}{area}{rest:07}",
    st.sampled_from(["+1", "1", "", "001", "+1 ", "(1) "]),
    st.integers(200, 999),
    st.integers(0, 9_999_999),
)
texts = st.one_of(
    numbers,
    american,
    st.text("+0123456789 ().-", max_size=36),
    st.text("0123456789", min_size=2, max_size=6),
    st.text(max_size=36),
    st.sampled_from(NASTY),
)


@settings(max_examples=1500, deadline=None)
@given(texts, st.sampled_from(sorted(EMERGENCY)), st.integers(3, 6), st.integers(0, len(RULES) - 1))
def test_the_policy_decides_as_the_oracle_does(text: str, home: str, extension_length: int, which: int) -> None:
    check(text, home, extension_length, which)


@pytest.mark.parametrize("home", sorted(EMERGENCY))
@pytest.mark.parametrize("text", NASTY)
def test_nothing_nasty_escapes(text: str, home: str) -> None:
    for which in range(len(RULES)):
        check(text, home, 4, which)


@pytest.mark.parametrize("home", sorted(EMERGENCY))
def test_the_oracle_knows_the_emergency_numbers(home: str) -> None:
    short = [f"{number:0{length}}" for length in (2, 3, 4) for number in range(10**length)]
    known = {number for number in short if shortnumberinfo.is_emergency_number(number, home)}
    assert EMERGENCY[home] - {"933"} == known


def test_the_shape_is_what_it_says() -> None:
    assert all(map(passes_the_shape_check, ("+12", "12", "  ", "+()", "1" * 32, "+" + "1" * 32)))
    assert not any(map(passes_the_shape_check, ("", "1", "+", "+1", "++12", "1+2", "1" * 33, "１２", "12\n", "*72")))
