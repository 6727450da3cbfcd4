"""Where webhooks may go, as far as no network is needed; `tests/publish/test_guard.py` has the rest."""

import pytest

from c2c_stasis.errors import InvalidRequest
from c2c_stasis.policy.webhook_urls import WebhookUrls


@pytest.mark.parametrize("text", ["gopher://example.com/", "x://example.com/hooks"])
def test_a_scheme_without_a_port_makes_no_complete_address(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no complete URL"):
        WebhookUrls().checked(text)
