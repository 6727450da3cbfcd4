"""What dial strings mean, and that nothing but digits comes out of them."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.directory.dial_strings import Dialled, is_emergency, parse
from c2c_stasis.errors import NumberNotDialable

EMERGENCY, EXTENSION, EXTERNAL = DestinationKind.EMERGENCY, DestinationKind.EXTENSION, DestinationKind.EXTERNAL

SAFE = {
    EXTERNAL: re.compile(r"\+[1-9][0-9]{6,14}"),
    EXTENSION: re.compile(r"[0-9]{3,6}"),
    EMERGENCY: re.compile(r"[0-9]{2,6}"),
}


@pytest.mark.parametrize(
    ("text", "region", "kind", "number"),
    [
        ("+15551234567", "US", EXTERNAL, "+15551234567"),  # the product page's example; libphonenumber calls it invalid
        ("5551234567", "US", EXTERNAL, "+15551234567"),
        ("1 (555) 123-4567", "US", EXTERNAL, "+15551234567"),
        ("(555) 123-4567", "US", EXTERNAL, "+15551234567"),
        ("555.123.4567", "CA", EXTERNAL, "+15551234567"),
        ("+1 555 123 4567", "GB", EXTERNAL, "+15551234567"),
        ("020 7946 0018", "GB", EXTERNAL, "+442079460018"),
        ("+44 20 7946 0018", "US", EXTERNAL, "+442079460018"),
        ("011 44 20 7946 0018", "US", EXTERNAL, "+442079460018"),
        ("+39 06 1234 5678", "IT", EXTERNAL, "+390612345678"),  # Italy keeps the zero
        ("1001", "US", EXTENSION, "1001"),
        (" 1001 ", "US", EXTENSION, "1001"),
        ("9911", "US", EXTENSION, "9911"),
        ("911", "US", EMERGENCY, "911"),
        ("9-1-1", "US", EMERGENCY, "911"),
        ("(911)", "US", EMERGENCY, "911"),
        ("112", "US", EMERGENCY, "112"),
        ("933", "US", EMERGENCY, "933"),
        ("999", "GB", EMERGENCY, "999"),
        ("112", "DE", EMERGENCY, "112"),
        ("000", "AU", EMERGENCY, "000"),
    ],
)
def test_what_is_dialled(text: str, region: str, kind: DestinationKind, number: str) -> None:
    assert parse(text, region=region, extension_length=4) == Dialled(kind, number, region)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("5551234", "US"),  # possible within an area code, and we do not know which
        ("911", "GB"),
        ("999", "US"),
        ("933", "GB"),
        ("+911", "US"),
        ("9116666666666", "US"),
        ("10-01", "US"),  # an extension is bare digits
        ("100", "US"),
        ("10001", "US"),
        ("", "US"),
        ("1", "US"),
        ("+", "US"),
        ("()", "US"),
        ("- -", "US"),
        ("++15551234567", "US"),
        ("+1555123456", "US"),
        ("+155512345678", "US"),
        ("+9991234567", "US"),
        ("+" + "1" * 31, "US"),
        ("1" * 33, "US"),
        ("1" * 2000, "US"),
        ("00327480437", "AU"),  # +61 0327480437, which libphonenumber reads as +61 327480437
        ("5551234567", "XX"),
        ("5551234567", ""),
    ],
)
def test_what_no_number_is(text: str, region: str) -> None:
    with pytest.raises(NumberNotDialable) as caught:
        parse(text, region=region, extension_length=4)
    assert caught.value.field == "dial_string"
    assert caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "15551234567@evil.example",
        "15551234567/sip:evil@192.0.2.1:5060",
        "15551234567;phone-context=x",
        "15551234567?Replaces=x",
        "15551234567,30,g",
        "15551234567&PJSIP/d1",
        "15551234567|x",
        "15551234567%0d%0aVia: x",
        "15551234567\r\nVia: x",
        "15551234567\n",
        "15551234567\x00",
        "PJSIP/d1",
        "Local/1001@default",
        "sip:15551234567@x",
        "tel:+15551234567",
        "1-900-FLOWERS",
        "*72",
        "#31#5551234567",
        "+1555١٢٣٤٥٦٧",
        "９１１",
        "\uff0b15551234567",
        "555\u200b1234567",
        "\u202e5551234567",
        "5551234567 ext. 12",
        "5551234567x12",
    ],
)
def test_an_injection_is_refused_before_any_library_reads_it(text: str) -> None:
    with pytest.raises(NumberNotDialable, match="nothing else"):
        parse(text, region="US", extension_length=4)


def test_an_emergency_number_is_never_an_extension() -> None:
    assert parse("911", region="US", extension_length=3).kind is EMERGENCY
    assert parse("912", region="US", extension_length=3).kind is EXTENSION


def test_digits_of_the_extension_length_are_an_extension_or_nothing() -> None:
    assert parse("555123", region="US", extension_length=6).kind is EXTENSION
    with pytest.raises(NumberNotDialable):
        parse("555123", region="US", extension_length=5)


def test_the_reason_helps() -> None:
    with pytest.raises(NumberNotDialable, match=r"lacks its area code .* US.*\+15551234567"):
        parse("5551234", region="US", extension_length=4)


@pytest.mark.parametrize(
    ("dial_string", "reason"),
    [
        ("+999123456789", "has no country calling code that exists behind the +"),
        ("+8811234567", "is too short for a telephone number (read as a number of +881)"),
        ("+1 555", "is too short for a telephone number (read as a number of +1)"),
        ("00442079460018", "is too long for a telephone number (read as a number of US); E.164 such as"),
    ],
)
def test_who_writes_a_plus_is_not_told_of_the_region(dial_string: str, reason: str) -> None:
    with pytest.raises(NumberNotDialable) as caught:
        parse(dial_string, region="US", extension_length=4)
    assert caught.value.reason.startswith(reason)
    assert ("US" in caught.value.reason) == (not dial_string.startswith("+"))


@pytest.mark.parametrize("text", ["", "+", "()", "+911", "9116666666", "9911", "911;x", "٩١١"])
def test_what_is_no_emergency(text: str) -> None:
    assert not is_emergency(text, "US")


regions = st.sampled_from(
    ["US", "CA", "GB", "DE", "FR", "AU", "JP", "BR", "IT", "AR", "MX", "SG", "KE", "001", "XX", ""]
)
number_like = st.text(alphabet="+0123456789 ().-", max_size=40)


@given(st.one_of(number_like, st.text(max_size=40)), regions, st.integers(3, 6))
def test_whatever_comes_in_only_digits_come_out(text: str, region: str, extension_length: int) -> None:
    try:
        dialled = parse(text, region=region, extension_length=extension_length)
    except NumberNotDialable:
        return
    assert SAFE[dialled.kind].fullmatch(dialled.number)
    assert dialled.number.isascii()


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_example_number_of_every_region_is_understood_both_ways(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example is not None
    e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    national = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
    for text in (e164, national):
        assert parse(text, region=region, extension_length=3) == Dialled(EXTERNAL, e164, region)
