"""Both families of signatures, against the published vector and against other people's verifier."""

import hashlib
import hmac
from dataclasses import replace

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from c2c_stasis.directory.webhooks import WebhookEndpoint, new_secret
from c2c_stasis.ids import AccountId, WebhookId
from c2c_stasis.publish.signature import headers_for

BODY = b'{"id":"evt_x","type":"call.end","account_id":"acct_x","data":{"call_id":"call_x"}}'
NOW = 1_700_000_000.9


def endpoint(secret: str) -> WebhookEndpoint:
    return WebhookEndpoint(WebhookId("we_x"), AccountId("acct_x"), "https://a.example/", "*", True, secret)


def of_dialstack(secret: str, t: int) -> str:
    return hmac.new(secret.encode(), f"{t}.".encode() + BODY, hashlib.sha256).hexdigest()


def test_the_published_vector() -> None:
    headers = headers_for(endpoint("whsec_test"), "evt_x", BODY, 1_700_000_000.0)
    assert headers["X-DialStack-Signature"] == (
        "t=1700000000,v1=a2323e378520b4a2d8b15a92b16304767cdce3abc5d0cc1a81f047d1d8941e47"
    )


def test_the_standard_library_of_receivers_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = new_secret()
    headers = headers_for(endpoint(secret), "evt_x", BODY, NOW)
    assert headers["webhook-id"] == "evt_x"
    assert headers["webhook-timestamp"] == "1700000000"
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", _whenever)
    assert Webhook(secret).verify(BODY, headers)["id"] == "evt_x"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace(b"call_x", b"call_y"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_during_a_rotation_both_secrets_sign_and_the_single_signature_is_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", _whenever)
    old, new = new_secret(), new_secret()
    rotating = replace(endpoint(new), previous_secret=old, previous_until=NOW + 1)

    during = headers_for(rotating, "evt_x", BODY, NOW)
    for secret in (old, new):
        Webhook(secret).verify(BODY, during)
    assert during["X-DialStack-Signature"] == f"t=1700000000,v1={of_dialstack(old, 1_700_000_000)}"

    after = headers_for(rotating, "evt_x", BODY, NOW + 2)
    Webhook(new).verify(BODY, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, after)
    assert after["X-DialStack-Signature"] == f"t=1700000002,v1={of_dialstack(new, 1_700_000_002)}"


def test_secrets_differ_have_the_length_that_is_asked_for_and_show_in_no_log() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert len(Webhook(one)._whsecret) == 32
    assert one not in repr(replace(endpoint(one), previous_secret=other))
    assert other not in repr(replace(endpoint(one), previous_secret=other))


def _whenever(_: Webhook, timestamp: str) -> object:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(timestamp), UTC)
