"""Platform keys: made to be unguessable, recognised without a database, kept as a digest."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.directory import keys

LIVE = keys.new_key(livemode=True)


@pytest.mark.parametrize(("livemode", "prefix"), [(True, "sk_live_"), (False, "sk_test_")])
def test_a_new_key_has_its_form(livemode: bool, prefix: str) -> None:
    key = keys.new_key(livemode)
    assert re.fullmatch(prefix + "[0-9A-Za-z]{49}", key)
    assert keys.well_formed(key)


def test_keys_differ() -> None:
    assert len({keys.new_key(livemode=True) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk_live_YOUR_SECRET_KEY",  # the product page's example
        "sk_live_",
        LIVE[:-1],
        LIVE + "0",
        LIVE + "\n",
        " " + LIVE,
        LIVE.replace("sk_live_", "sk_test_"),
        LIVE.replace("sk_live_", "pk_live_"),
        LIVE.upper(),
        "sk_live_" + "é" * 49,
        "sk_live_" + "٣" * 49,
    ],
    ids=range(12),  # a key is new each time, and the name of a test is not
)
def test_what_is_no_key_is_recognised(text: str) -> None:
    assert not keys.well_formed(text)


@given(place=st.integers(8, len(LIVE) - 1), typed=st.sampled_from(keys.ALPHABET))
def test_one_wrong_character_is_noticed(place: int, typed: str) -> None:
    mistyped = LIVE[:place] + typed + LIVE[place + 1 :]
    assert keys.well_formed(mistyped) == (mistyped == LIVE)


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert not keys.well_formed(text)


def test_a_key_is_kept_as_a_digest_and_a_hint() -> None:
    assert keys.digest(LIVE) == hashlib.sha256(LIVE.encode()).hexdigest()
    assert keys.hint(LIVE) == LIVE[:16]


def test_half_a_character_has_a_digest_like_any_text() -> None:
    assert keys.digest("\ud800") != keys.digest("")
