"""A number is found in a text however it is written there, and not within another one."""

import time

import pytest
from phonenumbers import PhoneNumberFormat, format_number, parse

from c2c_stasis.directory.number_texts import writings_of

AMERICAN, BRITISH, ITALIAN, RUSSIAN = "+15551238888", "+442079460018", "+390612345678", "+79161234567"


@pytest.mark.parametrize(
    "text",
    [
        *("+15551238888", "15551238888", "5551238888", "+1 555 123 8888", "+1 (555) 123-8888", "1-555-123-8888"),
        *("(555) 123-8888", "555-123-8888", "555.123.8888", "555 123 8888", "555/123/8888", "555_123_8888"),
        *("5 5 5 1 2 3 8 8 8 8", "555\u00a0123\u20118888", "+1(0)5551238888", "011 1 555 123 8888", "00 1 5551238888"),
        *(
            "tel:+1-555-123-8888",
            "sip:5551238888@pbx",
            "call Jane, 555-123-8888!",
            "555-123-8888x12",
            "ref 42 555-123-8888",
        ),
        *("+12025550100, 555-123-8888", "+12025550100 555-123-8888", "+44 555 123 8888 or (555) 123-8888"),
    ],
)
def test_it_is_found_with_the_country_code_and_without(text: str) -> None:
    assert writings_of(AMERICAN)(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Jane Roe", "95551238888", "55512388889", "155512388889", "25551238888", "0005551238888000"),
        *("+44 555 123 8888", "+49 (0)555 123 8888", "+44-555-123-8888", "+4 41 5551238888", "+49 1555 123 8888"),
        *("555-123-8887", "123-8888", "555 123 x 8888", "+1 555 123 888"),
    ],
)
def test_another_number_and_a_longer_one_are_not_it(text: str) -> None:
    assert not writings_of(AMERICAN)(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((BRITISH, text) for text in ("020 7946 0018", "(020) 7946-0018", "20 7946 0018", "+44 (0)20 7946 0018")),
        *((BRITISH, text) for text in ("0044 20 7946 0018", "00442079460018", "442079460018", "02079460018")),
        *((ITALIAN, text) for text in ("06 1234 5678", "+39 06 1234 5678", "0039 0612345678")),
        *(
            (RUSSIAN, text)
            for text in ("8 (916) 123-45-67", "916 123 45 67", "8~10 7 916 123-45-67", "+7 916 123 45 67")
        ),
        ("+2908123", "+290 8123"),
        ("1001", "1001"),
        ("911", "911"),
    ],
)
def test_the_national_prefix_is_that_of_the_numbers_country(number: str, text: str) -> None:
    assert writings_of(number)(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (BRITISH, "120 7946 0018 5"),
        (BRITISH, "+1 207 946 0018"),
        ("+2908123", "8123"),
        ("1001", "21001"),
        ("911", "9-1-1"),
    ],
)
def test_what_is_too_short_may_be_a_part_of_anything(number: str, text: str) -> None:
    assert not writings_of(number)(text)


@pytest.mark.parametrize(
    "number", [AMERICAN, BRITISH, ITALIAN, RUSSIAN, "+36201234567", "+5511987654321", "+61412345678"]
)
def test_every_way_in_which_the_library_writes_it_is_found(number: str) -> None:
    found = writings_of(number)
    for style in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL):
        assert found(format_number(parse(number), style))
    assert found(format_number(parse(number), PhoneNumberFormat.RFC3966))


@pytest.mark.parametrize(
    "text", ["1 " * 256, "(" * 512, "+" * 512, "5" + " " * 510 + "5", "+1.5551238" * 51, "+5 55" * 102]
)
def test_no_text_takes_long(text: str) -> None:
    found = writings_of(AMERICAN)
    began = time.process_time()
    found(text)
    assert time.process_time() - began < 0.05
