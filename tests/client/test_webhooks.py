"""Whether what comes to a webhook endpoint is genuine: signed by the service itself, and by others."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.client import NotGenuine, received
from c2c_stasis.client.records import Event, Notice
from c2c_stasis.directory.webhooks import WebhookEndpoint
from c2c_stasis.ids import AccountId, WebhookId
from c2c_stasis.publish.signature import headers_for

OLD, NEW, OTHER = (f"whsec_{text}" for text in ("b2xkIG9sZCBvbGQ=", "bmV3IG5ldyBuZXc=", "b3RoZXIgb3RoZXI="))
DATA = {"call_id": "call_1", "user_id": "user_1", "direction": "outbound", "sequence": 1}


def body(kind: str = "call.end", **changes: Any) -> bytes:
    event = {
        "id": "evt_1",
        "type": kind,
        "account_id": "acct_1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "data": DATA,
    }
    return json.dumps(event | changes).encode()


def sent(text: bytes, secret: str, previous: str | None = None, *, ago: float = 0.0) -> dict[str, str]:
    """The headers that the service sends with it."""
    now = time.time() - ago
    endpoint = WebhookEndpoint(
        WebhookId("we_1"),
        AccountId("acct_1"),
        "https://example.com",
        "*",
        True,
        secret,
        previous_secret=previous,
        previous_until=now + 60,
    )
    return headers_for(endpoint, "evt_1", text, now)


def test_what_the_service_sends_is_understood() -> None:
    told = received(body(), sent(body(), NEW), NEW)
    assert isinstance(told, Event)
    assert (told.id, told.type, told.data.call_id) == ("evt_1", "call.end", "call_1")
    tried = body("webhook_endpoint.test", data={"webhook_endpoint_id": "we_1"})
    notice = received(tried, {name.title(): value for name, value in sent(tried, NEW).items()}, NEW)
    assert isinstance(notice, Notice)
    assert notice.data == {"webhook_endpoint_id": "we_1"}


def test_while_a_secret_is_rotated_either_is_enough() -> None:
    headers = sent(body(), NEW, OLD)
    assert received(body(), headers, OLD) == received(body(), headers, NEW) == received(body(), headers, OTHER, NEW)


def test_what_somebody_else_sent_or_changed_is_not_genuine() -> None:
    good = sent(body(), NEW)
    signature = good["webhook-signature"]
    for headers, text in (
        (sent(body(), OTHER), body()),
        (good, body() + b" "),
        (good | {"webhook-id": "evt_2"}, body()),
        (good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}, body()),
        (good | {"webhook-signature": ""}, body()),
        (good | {"webhook-signature": signature.replace("v1,", "v2,")}, body()),
        (good | {"webhook-signature": "v1,*** v1 v1,é"}, body()),
        (good | {"webhook-signature": signature[:-5]}, body()),
    ):
        with pytest.raises(NotGenuine, match="nobody signed this"):
            received(text, headers, NEW)
    with pytest.raises(NotGenuine, match="nobody signed this"):
        received(body(), good)


def test_what_is_old_is_refused_and_so_is_what_is_no_event() -> None:
    with pytest.raises(NotGenuine, match="too old"):
        received(body(), sent(body(), NEW, ago=301), NEW)
    assert received(body(), sent(body(), NEW, ago=301), NEW, tolerance=600).id == "evt_1"
    for text in (b"", b"[]", b"{}", body(data=None), b"\xff"):
        with pytest.raises(NotGenuine, match="no event"):
            received(text, sent(text, NEW), NEW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_named(missing: str) -> None:
    headers = sent(body(), NEW)
    del headers[missing]
    with pytest.raises(NotGenuine, match=missing):
        received(body(), headers, NEW)
    with pytest.raises(NotGenuine, match="no time"):
        received(body(), sent(body(), NEW) | {"webhook-timestamp": "-1"}, NEW)


def test_a_secret_that_is_none_is_said_to_the_programmer() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        received(body(), sent(body(), NEW), "whsec_é")


def test_the_program_of_the_page_refuses_what_is_not_genuine(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs/client.md").read_text()
    (program,) = (one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "received" in one)
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["hook"](body(), sent(body(), NEW), NEW) == 204
    assert names["hook"](body(), sent(body(), OTHER), NEW) == 400
    assert capsys.readouterr().out == "call.end evt_1\n"
