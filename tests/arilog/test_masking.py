"""What of the ARI log may be seen: no number in any spelling, no secret, and everything one debugs with."""

import pytest

from c2c_stasis.arilog.masking import Mask

MASKED, FULL = Mask(full=False), Mask(full=True)

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
    masked = MASKED(text)
    assert "•••" in masked
    assert "1234567" not in digits(masked)
    assert "5551234" not in digits(masked)


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert MASKED(MASKED(text)) == MASKED(text)


def test_a_number_can_still_be_recognised_and_its_dial_string_read() -> None:
    assert MASKED("+15551234567") == "+1555•••4567"
    assert MASKED("PJSIP/+15551234567@carrier") == "PJSIP/+1555•••4567@carrier"
    assert MASKED('"Ann" <+15551234567>') == '"Ann" <+1555•••4567>'


@pytest.mark.parametrize("key", ["number", "dial_string", "dialstring"])
def test_where_a_number_stands_it_is_masked_whatever_is_between_its_digits(key: str) -> None:
    assert MASKED({key: "555 1234"}) == {key: "55•••34"}
    assert "1234567" not in digits(MASKED({key: "5/5/5/1/2/3/4/5/6/7"})[key])


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
    assert MASKED({"name": text}) == {"name": text}


@pytest.mark.parametrize("mask", [MASKED, FULL])
def test_secrets_are_never_written(mask: Mask) -> None:
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
    assert FULL({"number": "+15551234567", "endpoint": "PJSIP/+15551234567@carrier"}) == {
        "number": "+15551234567",
        "endpoint": "PJSIP/+15551234567@carrier",
    }


def test_what_is_no_text_stays_as_it_is() -> None:
    assert MASKED({"cause": 16, "at": 1234567890.5, "none": None, "yes": True, "parts": ("a", 1)}) == {
        "cause": 16,
        "at": 1234567890.5,
        "none": None,
        "yes": True,
        "parts": ["a", 1],
    }
