# Drawn from ../asynchronous/webhooks.py by tools/draw_client.py; change it there.
"""Webhooks: where events are sent, and what became of them."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import WebhookChanges, WebhookFields
from c2c_stasis.client.records import Delivery, WebhookEndpoint
from c2c_stasis.client.synchronous.asking import Resource
from c2c_stasis.client.wire import given


class Webhooks(Resource):
    """`/v1/webhook_endpoints`."""

    def create(self, url: str, **fields: Unpack[WebhookFields]) -> WebhookEndpoint:
        """A new endpoint; `secret`, by which it proves what it gets, is there this once."""
        return self._post(WebhookEndpoint, "webhook_endpoints", body={"url": url, **fields})

    def retrieve(self, endpoint_id: str) -> WebhookEndpoint:
        """One endpoint."""
        return self._get(WebhookEndpoint, "webhook_endpoints", endpoint_id)

    def list(self) -> Iterator[WebhookEndpoint]:
        """All endpoints, newest first."""
        return self._every(WebhookEndpoint, "webhook_endpoints")

    def update(self, endpoint_id: str, **fields: Unpack[WebhookChanges]) -> WebhookEndpoint:
        """Change what is said."""
        return self._post(WebhookEndpoint, "webhook_endpoints", endpoint_id, body=fields)

    def delete(self, endpoint_id: str) -> None:
        """Remove it."""
        self._delete("webhook_endpoints", endpoint_id)

    def rotate(self, endpoint_id: str, *, overlap_seconds: int | None = None) -> WebhookEndpoint:
        """A new secret; the old one signs as well for so long, a day if it is not said."""
        body = given(overlap_seconds=overlap_seconds)
        return self._post(WebhookEndpoint, "webhook_endpoints", endpoint_id, "rotate", body=body)

    def test(self, endpoint_id: str) -> Delivery:
        """Send it an event that tells nothing."""
        return self._post(Delivery, "webhook_endpoints", endpoint_id, "test")

    def deliveries(self, endpoint_id: str, *, status: str | None = None) -> Iterator[Delivery]:
        """What was sent there, newest first; or only what is `pending`, `delivered`, `failed`."""
        return self._every(Delivery, "webhook_endpoints", endpoint_id, "deliveries", status=status)

    def redeliver(self, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send the same event again, as a new delivery."""
        return self._post(Delivery, "webhook_endpoints", endpoint_id, "deliveries", delivery_id, "redeliver")
