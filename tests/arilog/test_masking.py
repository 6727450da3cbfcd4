"""What of the ARI log may be seen: no number in any spelling, no secret, and everything one debugs with."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from c2c_stasis.arilog.masking import Mask


def masked(value: Any) -> Any:
    return json.loads(Mask(full=False).line(value))


def full(value: Any) -> Any:
    return json.loads(Mask(full=True).line(value))


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
]


def digits(text: str) -> str:
    return "".join(str(int(char)) for char in text if char.isdecimal())


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_number_is_masked_however_it_is_written(text: str) -> None:
    seen = masked(text)
    assert "•••" in seen
    assert "1234567" not in digits(seen)
    assert "5551234" not in digits(seen)


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert masked(masked(text)) == masked(text)


def test_a_number_can_still_be_recognised_and_its_dial_string_read() -> None:
    assert masked("+15551234567") == "+1555•••4567"
    assert masked("PJSIP/+15551234567@carrier") == "PJSIP/+1555•••4567@carrier"
    assert masked('"Ann" <+15551234567>') == '"Ann" <+1555•••4567>'


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
        "2026-11-23T09:46:52.839+0000",
        "2026-11-23 09:46",
        "sip:desk@192.168.100.200:50845",
        "sip:desk@10.20.30.40;rinstance=ab12",
        "5b8bb25f-1234-4567-9012-317af7ecf3be",
        "00:00:00:00:00:00",
        "Yealink SIP-T46S 66.85.0.5",
        "Alice Müller",
        "/ari/channels/call_01h2xcejqtf2nbrexx3vqjhp41.a1/dial",
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
    for text in ('a":15551234567,', "x:15551234567,", "[15551234567]", "1,15551234567,1"):
        assert "15551234567" not in masked({"text": text})["text"]


def test_what_is_no_text_stays_as_it_is() -> None:
    assert masked({"cause": 16, "at": 1234567890.5, "none": None, "yes": True, "parts": ("a", 1)}) == {
        "cause": 16,
        "at": 1234567890.5,
        "none": None,
        "yes": True,
        "parts": ["a", 1],
    }
