"""`/v1/webhook_endpoints`: where an account is told of events, and what was sent there."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType, field

from c2c_stasis.api.fields import Text, called, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.port import DirectoryStore, Service, Vet
from c2c_stasis.api.resources.base import ResourceRoutes, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.webhooks import Attempt, Delivery, WebhookEndpoint
from c2c_stasis.errors import DeliveryNotFound, WebhookEndpointNotFound
from c2c_stasis.ids import DELIVERY, WEBHOOK, DeliveryId
from c2c_stasis.times import rfc3339

ATTEMPTS_SHOWN = 5  # of a delivery, the newest

_NAMES = {"events": "enabled_events"}  # of a field in the store, in the API


class CreateWebhookEndpoint(Struct, kw_only=True):
    """A new webhook endpoint."""

    url: str
    enabled_events: list[str] = field(default_factory=lambda: ["*"])
    description: Text = UNSET


class UpdateWebhookEndpoint(Struct, kw_only=True):
    """Changes of a webhook endpoint."""

    url: str | UnsetType = UNSET
    enabled_events: list[str] | UnsetType = UNSET
    description: Text = UNSET
    status: Literal["enabled", "disabled"] | UnsetType = UNSET


class RotateSecret(Struct, kw_only=True):
    """For how many seconds the old secret still signs beside the new one; at most 7 days."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 86_400


class DeliveryFilters(Paging, frozen=True, kw_only=True):
    """Which deliveries: those with this `status`."""

    status: Literal["pending", "delivered", "failed"] | UnsetType = UNSET


class WebhookEndpointRecord(Struct, frozen=True):
    """A webhook endpoint, and once its secret."""

    id: str
    url: str
    enabled_events: list[str]
    status: str
    description: str | None
    livemode: bool
    created_at: str | None
    failing_since: str | None
    disabled_reason: str | None
    previous_secret_until: str | None
    secret: str | UnsetType = UNSET


class AttemptRecord(Struct, frozen=True):
    """One POST."""

    at: str | None
    duration_ms: int
    status_code: int | None
    error: str | None
    response: str


class DeliveryRecord(Struct, frozen=True):
    """One event for one webhook endpoint, and what became of it."""

    id: str
    webhook_endpoint: str
    webhook_endpoint_id: str
    event: str
    event_id: str
    type: str
    call: str | None
    call_id: str | None
    status: str
    attempt_count: int
    next_attempt_at: str | None
    created_at: str | None
    settled_at: str | None
    attempts: list[AttemptRecord]


class WebhookEndpointRoutes(ResourceRoutes):
    """The routes of webhook endpoints."""

    def __init__(self, service: Service, store: DirectoryStore, vet: Vet) -> None:
        super().__init__(service, store)
        self._vet = vet

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/webhook_endpoints", "/v1/webhook_endpoints/{webhook_endpoint_id:[^/]+}"
        sent = one + "/deliveries"
        again = sent + "/{delivery_id:[^/]+}/redeliver"
        disabled = ("webhook_endpoint_disabled",)
        account = self._doors.account
        return [
            account("GET", every, self.page, filters=Paging, gives=Listed[WebhookEndpointRecord]),
            account(
                *("POST", every, self.create),
                takes=CreateWebhookEndpoint,
                gives=WebhookEndpointRecord,
                errors=("too_many",),
            ),
            account("GET", one, self.show, gives=WebhookEndpointRecord),
            account("POST", one, self.update, takes=UpdateWebhookEndpoint, gives=WebhookEndpointRecord),
            account("DELETE", one, self.delete),
            account(
                *("POST", one + "/rotate", self.rotate),
                takes=RotateSecret,
                body_may_be_missing=True,
                gives=WebhookEndpointRecord,
                success=200,
            ),
            account("POST", one + "/test", self.test, gives=DeliveryRecord, errors=disabled),
            account("GET", sent, self.deliveries, filters=DeliveryFilters, gives=Listed[DeliveryRecord]),
            account("POST", again, self.redeliver, gives=DeliveryRecord, errors=disabled),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of webhook endpoints; those that a key of the same mode made."""
        mine = {"livemode": asked.key.livemode}
        page = await self._store.page(WebhookEndpoint, asked.account.id, asked.filters(Paging).wish(), equal=mine)
        return answer(listed(asked.request, page, [endpoint_record(endpoint) for endpoint in page.entries]))

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new webhook endpoint, at most 16 an account. A test key makes one for the events of test calls."""
        given = await asked.body(CreateWebhookEndpoint)
        with called(_NAMES):
            made = await self._store.create_webhook_endpoint(
                asked.account.id,
                await self._vet(given.url),
                livemode=asked.key.livemode,
                events=given.enabled_events,
                description=said(given).get("description", ""),
            )
        return answer(endpoint_record(made, made.secret), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One webhook endpoint."""
        return answer(endpoint_record(await self._named(asked)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a webhook endpoint. What was waiting for one that is disabled is given up."""
        changes: dict[str, Any] = said(await asked.body(UpdateWebhookEndpoint))
        endpoint = await self._named(asked)
        if "url" in changes:
            changes["url"] = await self._vet(changes["url"])
        if "enabled_events" in changes:
            changes["events"] = changes.pop("enabled_events")
        with called(_NAMES):
            changed = await self._store.update_webhook_endpoint(asked.account.id, endpoint.id, changes)
        return answer(endpoint_record(changed))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a webhook endpoint with all that was to be sent to it."""
        await self._store.delete_webhook_endpoint(asked.account.id, (await self._named(asked)).id)
        return nothing()

    async def rotate(self, asked: AskedForAccount) -> web.Response:
        """A new secret; the old one signs beside it for a while."""
        overlap = (await asked.body_if_any(RotateSecret)).overlap_seconds
        endpoint = await self._named(asked)
        changed = await self._store.rotate_webhook_secret(asked.account.id, endpoint.id, overlap)
        return answer(endpoint_record(changed, changed.secret))

    async def test(self, asked: AskedForAccount) -> web.Response:
        """Send a test event."""
        endpoint = await self._named(asked)
        return answer(delivery_record(await self._store.test_webhook_endpoint(asked.account.id, endpoint.id), ()), 201)

    async def deliveries(self, asked: AskedForAccount) -> web.Response:
        """A page of what was sent to a webhook endpoint, with the newest attempts of each."""
        filters = asked.filters(DeliveryFilters)
        equal: dict[str, object] = {"endpoint_id": (await self._named(asked)).id}
        if filters.status is not UNSET:
            equal["status"] = filters.status
        page = await self._store.page(Delivery, asked.account.id, filters.wish(), equal=equal)
        attempts = await self._store.delivery_attempts([one.id for one in page.entries], ATTEMPTS_SHOWN)
        return answer(listed(asked.request, page, [delivery_record(one, attempts[one.id]) for one in page.entries]))

    async def redeliver(self, asked: AskedForAccount) -> web.Response:
        """Send an event once more, as a new delivery that waits for no other."""
        delivery_id = DeliveryId(asked.path_id("delivery_id", DELIVERY, DeliveryNotFound))
        endpoint = await self._named(asked)
        made = await self._store.redeliver(asked.account.id, endpoint.id, delivery_id)
        return answer(delivery_record(made, ()), 201)

    async def _named(self, asked: AskedForAccount) -> WebhookEndpoint:
        """The endpoint of the path, if a key of the same mode made it: it is told of calls that the other must not see."""
        endpoint_id = asked.path_id("webhook_endpoint_id", WEBHOOK, WebhookEndpointNotFound)
        found = await self._store.find(WebhookEndpoint, asked.account.id, endpoint_id)
        endpoint = there(found, WebhookEndpointNotFound)
        if endpoint.livemode is not asked.key.livemode:
            raise WebhookEndpointNotFound
        return endpoint


def endpoint_record(endpoint: WebhookEndpoint, secret: str | UnsetType = UNSET) -> WebhookEndpointRecord:
    """A webhook endpoint as the API shows it; the secret only when it was made just now."""
    return WebhookEndpointRecord(
        id=endpoint.id,
        url=endpoint.url,
        enabled_events=endpoint.events.split(" "),
        status=endpoint.status,
        description=endpoint.description or None,
        livemode=endpoint.livemode,
        created_at=rfc3339(endpoint.created_at),
        failing_since=rfc3339(endpoint.failing_since),
        disabled_reason=endpoint.disabled_reason,
        previous_secret_until=rfc3339(endpoint.previous_until),
        secret=secret,
    )


def delivery_record(delivery: Delivery, attempts: Sequence[Attempt]) -> DeliveryRecord:
    """A delivery as the API shows it."""
    return DeliveryRecord(
        id=delivery.id,
        webhook_endpoint=delivery.endpoint_id,
        webhook_endpoint_id=delivery.endpoint_id,
        event=delivery.event_id,
        event_id=delivery.event_id,
        type=delivery.type,
        call=delivery.call_id,
        call_id=delivery.call_id,
        status=delivery.status,
        attempt_count=delivery.attempts,
        next_attempt_at=rfc3339(delivery.next_attempt_at),
        created_at=rfc3339(delivery.created_at),
        settled_at=rfc3339(delivery.settled_at),
        attempts=[
            AttemptRecord(rfc3339(one.at), round(one.seconds * 1000), one.status_code, one.error, one.response)
            for one in attempts
        ],
    )
