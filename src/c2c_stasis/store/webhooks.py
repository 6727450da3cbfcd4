"""How webhook endpoints are made, changed and removed, and how something is sent to one on request."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from c2c_stasis.directory.webhooks import (
    MOST_ENDPOINTS,
    PATTERNS,
    TEST_EVENT,
    Delivery,
    DeliveryStatus,
    Message,
    WebhookEndpoint,
    WebhookStatus,
    message,
    new_secret,
)
from c2c_stasis.errors import DeliveryNotFound, InvalidRequest, TooMany, WebhookDisabled, WebhookEndpointNotFound
from c2c_stasis.ids import WEBHOOK, AccountId, DeliveryId, WebhookId, new_id
from c2c_stasis.store import validation
from c2c_stasis.store.changing import Changing, account_of
from c2c_stasis.store.rows import read, row_of
from c2c_stasis.store.tables import events, webhook_deliveries, webhook_endpoints

DESCRIPTION_LENGTH = 256

AT_A_TIME = 200  # rows that one transaction gives up, hurries or removes: some milliseconds for which calls wait


class WebhookEndpoints(Changing):
    """The part of the store that keeps webhook endpoints. URLs come checked."""

    async def create_webhook_endpoint(
        self, account_id: AccountId, url: str, *, livemode: bool, events: Sequence[str], description: str
    ) -> WebhookEndpoint:
        """A new endpoint, for the events of calls of this mode. Raises `TooMany`."""
        made = WebhookEndpoint(
            WebhookId(new_id(WEBHOOK)),
            account_id,
            url,
            _patterns(events),
            livemode,
            new_secret(),
            validation.one_line("description", description, DESCRIPTION_LENGTH),
            created_at=self._wall(),
        )

        def change(connection: Connection) -> WebhookEndpoint:
            account_of(connection, account_id)
            if len(read(connection, WebhookEndpoint, webhook_endpoints.c.account_id == account_id)) >= MOST_ENDPOINTS:
                raise TooMany(f"an account has at most {MOST_ENDPOINTS} webhook endpoints; delete one first")
            connection.execute(insert(webhook_endpoints).values(row_of(made)))
            self._writer.outbox.endpoints_changed()
            return made

        return await self._writer.run(change)

    async def update_webhook_endpoint(
        self, account_id: AccountId, endpoint_id: WebhookId, changes: Mapping[str, Any]
    ) -> WebhookEndpoint:
        """Change an endpoint: `url`, `events`, `description`, `status`. To enable it forgets why it was disabled."""
        changed = dict(changes)
        if "events" in changed:
            changed["events"] = _patterns(changed["events"])
        if "description" in changed:
            changed["description"] = validation.one_line("description", changed["description"], DESCRIPTION_LENGTH)

        def change(connection: Connection) -> WebhookEndpoint:
            endpoint, now = endpoint_of(connection, account_id, endpoint_id), self._wall()
            news = dict(changed)
            if news.get("url", endpoint.url) != endpoint.url:
                news["failing_since"] = None  # that was another address
            if news.get("status", endpoint.status) != endpoint.status:
                enabled = news["status"] == WebhookStatus.ENABLED
                news |= {"disabled_reason": None if enabled else "disabled by request", "failing_since": None}
                if not enabled:
                    news["disabled_at"] = now
                    give_up(connection, endpoint.id, now)
                elif not waits(connection, endpoint.id):
                    news["disabled_at"] = None  # nothing of before is left
            return self._put(connection, endpoint, news)

        return await self._writer.run(change)

    async def rotate_webhook_secret(
        self, account_id: AccountId, endpoint_id: WebhookId, overlap: float
    ) -> WebhookEndpoint:
        """Give an endpoint a new secret; the old one counts for `overlap` seconds more."""

        def change(connection: Connection) -> WebhookEndpoint:
            endpoint = endpoint_of(connection, account_id, endpoint_id)
            news = {
                "secret": new_secret(),
                "previous_secret": endpoint.secret if overlap else None,
                "previous_until": self._wall() + overlap if overlap else None,
            }
            return self._put(connection, endpoint, news)

        return await self._writer.run(change)

    async def delete_webhook_endpoint(self, account_id: AccountId, endpoint_id: WebhookId) -> None:
        """Remove an endpoint with all that was to be sent to it."""

        def change(connection: Connection) -> None:
            endpoint_of(connection, account_id, endpoint_id)
            remove_endpoints(connection, webhook_endpoints.c.id == endpoint_id, self._wall())
            self._writer.outbox.endpoints_changed()

        await self._writer.run(change)

    async def test_webhook_endpoint(self, account_id: AccountId, endpoint_id: WebhookId) -> Delivery:
        """Send a test event. Raises `WebhookDisabled`."""

        def change(connection: Connection) -> Delivery:
            endpoint = _ready(connection, account_id, endpoint_id)
            now = self._wall()
            sent = message(
                TEST_EVENT, account_id, {"webhook_endpoint": endpoint_id, "webhook_endpoint_id": endpoint_id}, now
            )
            return self._owe(connection, endpoint, sent, now)

        return await self._writer.run(change)

    async def redeliver(self, account_id: AccountId, endpoint_id: WebhookId, delivery_id: DeliveryId) -> Delivery:
        """Send an event again, as a delivery of its own that waits for no other. Raises `WebhookDisabled`, `DeliveryNotFound`.

        Nothing is sent of an event that is no longer kept: `DeliveryNotFound`, too.
        """

        def change(connection: Connection) -> Delivery:
            endpoint = _ready(connection, account_id, endpoint_id)
            kept = func.coalesce(webhook_deliveries.c.body, events.c.body)
            old = connection.execute(
                select(webhook_deliveries, kept.label("bytes"))
                .join(events, events.c.id == webhook_deliveries.c.event_id, isouter=True)
                .where(webhook_deliveries.c.id == delivery_id, webhook_deliveries.c.endpoint_id == endpoint_id)
            ).one_or_none()
            if old is None or old.bytes is None:
                raise DeliveryNotFound
            again, now = Message(old.event_id, old.type, old.created_at, old.bytes), self._wall()
            return self._owe(connection, endpoint, again, now, call_id=old.call_id, body=old.body)

        return await self._writer.run(change)

    def _owe(
        self, connection: Connection, endpoint: WebhookEndpoint, sent: Message, now: float, **more: object
    ) -> Delivery:
        row = self._writer.outbox.add(connection, endpoint, sent, now, **more)
        return read(connection, Delivery, webhook_deliveries.c.id == row["id"])[0]

    def _put(self, connection: Connection, endpoint: WebhookEndpoint, news: Mapping[str, Any]) -> WebhookEndpoint:
        if news:
            connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint.id).values(**news))
            self._writer.outbox.endpoints_changed()
        return replace(endpoint, **news)


def endpoint_of(connection: Connection, account_id: AccountId, endpoint_id: WebhookId) -> WebhookEndpoint:
    """Raises `WebhookEndpointNotFound`."""
    mine = webhook_endpoints.c.account_id == account_id, webhook_endpoints.c.id == endpoint_id
    found = read(connection, WebhookEndpoint, *mine)
    if not found:
        raise WebhookEndpointNotFound
    return found[0]


def give_up(connection: Connection, endpoint_id: WebhookId, now: float) -> int:
    """Attempt nothing more of some of what waits for an endpoint; gives of how much. It can be sent again on request."""
    rows = webhook_deliveries.c
    some = (
        select(rows.id)
        .where(rows.endpoint_id == endpoint_id, rows.status == DeliveryStatus.PENDING.value)
        # The last of a call first: as long as one of them waits, the first has its time, and the others their turn after it.
        .order_by(rows.line.desc(), rows.position.desc())
        .limit(AT_A_TIME)
    )
    ids = connection.scalars(some).all()
    news = {"status": DeliveryStatus.FAILED.value, "next_attempt_at": None, "settled_at": now}
    connection.execute(update(webhook_deliveries).where(rows.id.in_(ids)).values(news))
    return len(ids)


def some(connection: Connection, *which: ColumnElement[bool]) -> list[str]:
    """The ids of some of these deliveries: as many as are not too many rows together with their attempts, or one."""
    rows = connection.execute(
        select(webhook_deliveries.c.id, webhook_deliveries.c.attempts).where(*which).limit(AT_A_TIME)
    )
    ids: list[str] = []
    together = 0
    for delivery_id, attempts in rows.all():
        together += 1 + attempts
        if ids and together > AT_A_TIME:
            break
        ids.append(delivery_id)
    return ids


def waits(connection: Connection, endpoint_id: WebhookId) -> bool:
    """Whether anything waits for an endpoint."""
    rows = webhook_deliveries.c
    one = select(rows.id).where(rows.endpoint_id == endpoint_id, rows.status == DeliveryStatus.PENDING.value).limit(1)
    return connection.scalar(one) is not None


def remove_endpoints(connection: Connection, which: ColumnElement[bool], now: float) -> None:
    """Let these endpoints be gone. What was sent to them can be much: it is removed little by little."""
    gone = {"deleted_at": now, "url": "", "secret": "", "previous_secret": None, "description": ""}
    connection.execute(update(webhook_endpoints).where(which, webhook_endpoints.c.deleted_at.is_(None)).values(gone))


def _ready(connection: Connection, account_id: AccountId, endpoint_id: WebhookId) -> WebhookEndpoint:
    endpoint = endpoint_of(connection, account_id, endpoint_id)
    if not endpoint.enabled:
        raise WebhookDisabled
    return endpoint


def _patterns(given: Sequence[str]) -> str:
    """Raises `InvalidRequest`."""
    if not given:
        raise InvalidRequest("enabled_events", 'must name an event, or be ["*"]')
    if unknown := [one for one in given if one not in PATTERNS]:
        raise InvalidRequest("enabled_events", f"holds {unknown[0][:64]!r}; there are {', '.join(PATTERNS)}")
    return " ".join(dict.fromkeys(given))
