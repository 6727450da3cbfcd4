"""What of the ARI log may be seen: no number in any spelling, no secret, and everything one debugs with."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from c2c_stasis.arilog import masking
from c2c_stasis.arilog.masking import Mask


def masked(value: Any) -> Any:
    return json.loads(Mask(full=False).line(value))


def full(value: Any) -> Any:
    return json.loads(Mask(full=True).line(value))


# Those that would be taken for a date, an address or a moment, if it could be one.
SHORT_SPELLINGS = [
    "01.55.51.23",
    "155.51.23.467",
    "0155-51-23",
    "1955-51-23",
    "1955-12-34",
    "x:15.551234",
    "12:15.551234",
]

# One number as carriers, people and Asterisk write it.
SPELLINGS = [
    "+15551234567",
    "15551234567",
    "5551234567",
    "0015551234567",
    "915551234567",
    "PJSIP/+15551234567@carrier",
    "PJSIP/15551234567@carrier",
    "PJSIP/0015551234567@carrier",
    "/ari/endpoints/PJSIP%2F%2B15551234567",
    "+15551234567@carrier",
    "sip:+15551234567@10.0.0.1:5060;user=phone",
    "<sip:5551234567@10.0.0.1>",
    "tel:+1-555-123-4567",
    '"Ann" <+15551234567>',
    "+1 (555) 123-4567",
    "+1.555.123.4567",
    "+1 555 123 45 67",
    "(555) 123-4567",
    "555-123-4567",
    "555.123.4567",
    "555 123 4567",
    "call Ann at 555-123-4567 today",
    "W15551234567w",
    "＋１５５５１２３４５６７",
    "Allocation failed: PJSIP/15551234567@carrier",
    "+1\u2009555\u2009123\u20094567",
    "+1\u202f555\u202f123\u202f45\u202f67",
    "+1\u200b555\u200b123\u200b4567",
    "+1 (555)\u00ad123\u00ad4567",
    "1·555·123·4567",
    "\u202a+15551234567\u202c",
    "/ari/endpoints/PJSIP%2F1%20555%20123%204567",
    "sip:%2B1%20%28555%29%20123%2D4567@10.0.0.1",
    "Ann%20555%20123%204567",
    "tel:15.551234567",
    "times=15551234567",
    "0155-51-23 456 7",
    "015.55.123.4567",
    "1555-12-34567",
]


def digits(text: str) -> str:
    return "".join(str(int(char)) for char in text if char.isdecimal())


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_number_is_masked_however_it_is_written(text: str) -> None:
    seen = masked(text)
    assert "•••" in seen
    assert "1234567" not in digits(seen)
    assert "5551234" not in digits(seen)


@pytest.mark.parametrize("text", SHORT_SPELLINGS)
def test_a_number_is_not_taken_for_a_date_an_address_or_a_moment_that_there_cannot_be(text: str) -> None:
    assert "•••" in masked(text)
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert masked(masked(text)) == masked(text)


def test_a_number_can_still_be_recognised_and_its_dial_string_read() -> None:
    assert masked("+15551234567") == "+1555•••4567"
    assert masked("PJSIP/+15551234567@carrier") == "PJSIP/+1555•••4567@carrier"
    assert masked('"Ann" <+15551234567>') == '"Ann" <+1555•••4567>'
    assert masked("PJSIP/15551234567-0000001f") == "PJSIP/1555•••4567-0000001f"
    assert masked("PJSIP/15551234567-00000012") == "PJSIP/1555•••4567-00000012"


@pytest.mark.parametrize("text", ["5,5,5,1,2,3,4,5,6,7", "555-HOME-1234567", "5 5 5  1 2 3 4 5 6 7"])
def test_of_what_somebody_asked_to_dial_no_spelling_is_left(text: str) -> None:
    assert Mask(full=False).dial_string(text) == "5551•••567"
    assert Mask(full=True).dial_string(text) == text


def test_an_extension_that_was_dialled_is_kept() -> None:
    assert Mask(full=False).dial_string("1002") == "1002"


@pytest.mark.parametrize(
    "text",
    [
        "1002",
        "911",
        "call_01h2xcejqtf2nbrexx3vqjhp41.a1",
        "call_01000000000000000000000041",
        "PJSIP/carrier-00000012",
        "PJSIP/desk-10000012;2",
        "PJSIP/desk-0000000b",
        "PJSIP/desk-1234567a;1",
        "ssrc=390817933;themssrc=2306285548;lp=0;rxjitter=6.195250;rxcount=37;rtt=0.000350;rxmes=88.084802",
        "minrxjitter=000.000000;maxrxjitter=000.001625;avgrxjitter=000.000689;stdevrxjitter=000.000273;",
        "2026-11-23T09:46:52.839+0000",
        "2026-11-23 09:46",
        "sip:desk@192.168.100.200:50845",
        "sip:desk@10.20.30.40;rinstance=ab12",
        "5b8bb25f-1234-4567-9012-317af7ecf3be",
        "00:00:00:00:00:00",
        "Yealink SIP-T46S 66.85.0.5",
        "Alice Müller",
        "/ari/channels/call_01h2xcejqtf2nbrexx3vqjhp41.a1/dial",
        "2026-12-31",
        "at 09:46:52.839123",
        "255.255.255.255",
        "/ari/asterisk/config/dynamic/res_pjsip/contact/d1%3B%4012ab",
    ],
)
def test_what_one_debugs_with_is_kept(text: str) -> None:
    assert masked({"name": text}) == {"name": text}


@pytest.mark.parametrize("mask", [masked, full])
def test_secrets_are_never_written(mask: Callable[[Any], Any]) -> None:
    ha1 = "0123456789abcdef0123456789abcdef"
    said = mask(
        {
            "fields": [{"attribute": "md5_cred", "value": ha1}, {"attribute": "realm", "value": "asterisk"}],
            "answer": [{"attribute": "password", "value": "geheim"}],
            "password": "geheim",
            "api_key": "u:geheim",
            "list": [
                "Authorization: Basic dXNlcjpwYXNzd29yZA==",
                "sk_live_CANARYCANARY",
                "http://u:geheim@host/?api_key=u:geheim",
            ],
        }
    )
    text = str(said)
    assert all(secret not in text for secret in (ha1, "geheim", "dXNlcjpwYXNzd29yZA==", "CANARY"))
    assert "asterisk" in text


def test_numbers_in_full_are_written_when_that_is_wanted() -> None:
    assert full({"number": "+15551234567", "endpoint": "PJSIP/+15551234567@carrier"}) == {
        "number": "+15551234567",
        "endpoint": "PJSIP/+15551234567@carrier",
    }


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x11", "\x1b", "\x7f", "\\", "\\u0000"])
def test_a_number_behind_a_control_character_is_masked_and_the_line_is_json_still(control: str) -> None:
    """The digits of an escape were taken for the first of the number."""
    assert masked(f"{control}15551234567") in (f"{control}1555•••567", f"{control}1555•••4567", f"{control}•••4567")
    assert masked(f"{control}1555") == f"{control}1555"
    assert masked(f"%20{control}864") == f"%20{control}864"


def test_numbers_of_json_are_no_telephone_numbers() -> None:
    numbers = {
        "wall": 1700000000.123456,
        "mono": -5000123.25,
        "small": 1.23456789e-05,
        "count": 12345678,
        "n": [1, 2, 3],
    }
    assert masked(numbers) == numbers


def test_what_only_looks_like_a_number_of_json_is_masked() -> None:
    for text in (
        ":15551234567",
        '{":15551234567',
        'a":15551234567,',
        "x:15551234567,",
        "[15551234567]",
        "1,15551234567,1",
    ):
        assert "15551234567" not in masked({"text": text})["text"]


def test_what_is_no_text_stays_as_it_is() -> None:
    assert masked({"cause": 16, "at": 1234567890.5, "none": None, "yes": True, "parts": ("a", 1)}) == {
        "cause": 16,
        "at": 1234567890.5,
        "none": None,
        "yes": True,
        "parts": ["a", 1],
    }


NUMBERS = [15551234567, 1700000000.5, -5000123.25, -1.23456789e-12, 0.12345678]


@pytest.mark.parametrize(
    "value", [NUMBERS, {"a": [NUMBERS]}, [[12345678], {"b\\": 12345678}], 12345678, {"[": 12345678}]
)
def test_numbers_of_json_stay_numbers_wherever_they_stand(value: Any) -> None:
    for separators in ((",", ":"), (", ", ": "), (" ,  ", " :  ")):
        raw = json.dumps({"value": value}, separators=separators).encode()
        assert masked(msgspec.Raw(raw)) == {"value": value}


def pieces(rng: Random) -> str:
    """Something that looks like numbers, dates, addresses, ids, and JSON, more or less."""
    alphabet = [
        "1555",
        "12",
        "5",
        "0",
        ".",
        "-",
        " ",
        "/",
        "+",
        "@",
        ":",
        '"',
        "\\",
        ",",
        "[",
        "(",
        ")",
        "%20",
        "%2F",
        "a",
        "_",
    ]
    alphabet += [
        "2026-11-23",
        "09:46:52.839123",
        "10.0.0.1",
        "15551234567",
        "call_01h2xcejqtf2nbrexx3vqjhp41",
        "\u202f",
        "é",
    ]
    alphabet += ["PJSIP/desk-00000012", "5b8bb25f-1234-4567-9012-317af7ecf3be", "１２３４５６７", "1234567", "12345678"]
    return "".join(rng.choices(alphabet, k=rng.randrange(1, 12)))


def value_of(rng: Random, depth: int = 2) -> Any:
    match rng.randrange(6 if depth else 4):
        case 0 | 1 | 2:
            return pieces(rng)
        case 3:
            return rng.choice([rng.randrange(10**12), rng.random() * 1e10, -rng.random(), None, True, 7])
        case 4:
            return [value_of(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {pieces(rng): value_of(rng, depth - 1) for _ in range(rng.randrange(4))}


def test_whatever_is_masked_is_json_as_before_with_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is seen at once is what a closer look would have seen."""
    rng = Random(7)
    values = [{"line": value_of(rng)} for _ in range(4_000)]
    quick = [Mask(full=False).line(value) for value in values]
    for value, line in zip(values, quick, strict=True):
        assert without_texts(json.loads(line, object_pairs_hook=numbered)) == without_texts(value)
    monkeypatch.setattr(masking, "_seen", masking._judged)
    assert [Mask(full=False).line(value) for value in values] == quick


def numbered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON in which two names may have become the same."""
    return {str(number): value for number, (_, value) in enumerate(pairs)}


def without_texts(value: Any) -> Any:
    """The shape of a value, with its numbers."""
    match value:
        case str():
            return ""
        case list():
            return [without_texts(one) for one in value]
        case dict():
            return [without_texts(one) for one in value.values()]
    return value
