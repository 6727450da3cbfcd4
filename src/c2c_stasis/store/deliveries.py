"""What waits to be sent to webhook endpoints, and what became of each attempt."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from c2c_stasis.directory.webhooks import (
    DISABLED_EVENT,
    Attempt,
    DeliveryStatus,
    Message,
    WebhookEndpoint,
    WebhookStatus,
)
from c2c_stasis.errors import WebhookEndpointNotFound
from c2c_stasis.ids import AccountId, DeliveryId, WebhookId
from c2c_stasis.ports import DueDelivery, Settled
from c2c_stasis.store.database import Database
from c2c_stasis.store.outbox import Told
from c2c_stasis.store.rows import read
from c2c_stasis.store.tables import events, webhook_attempts, webhook_deliveries, webhook_endpoints
from c2c_stasis.store.webhooks import endpoint_of, give_up
from c2c_stasis.store.writer import Writer

FORGOTTEN_AT_A_TIME = 500  # deliveries in one transaction, so that no call waits for it

_rows = webhook_deliveries.c
_PENDING = _rows.status == DeliveryStatus.PENDING.value
_DUE = (
    select(
        *(_rows.id, _rows.event_id, _rows.type, _rows.line, _rows.attempts, _rows.created_at),
        func.coalesce(_rows.body, events.c.body),
    )
    .join(events, events.c.id == _rows.event_id, isouter=True)
    .where(_rows.endpoint_id == bindparam("endpoint"), _PENDING, _rows.next_attempt_at <= bindparam("now"))
    .order_by(_rows.urgent.desc(), _rows.next_attempt_at, _rows.id)
    .limit(bindparam("limit"))
)
_NEXT = select(func.min(_rows.next_attempt_at)).where(
    _rows.endpoint_id == bindparam("endpoint"), _PENDING, _rows.next_attempt_at > bindparam("now")
)
_FOLLOWER = (
    select(_rows.id)
    .where(_rows.endpoint_id == bindparam("endpoint"), _PENDING, _rows.line == bindparam("in_line"))
    .order_by(_rows.position)
    .limit(1)
)


class Deliveries:
    """The part of the store that the sender works with."""

    _writer: Writer
    _database: Database

    def tell_webhooks(self, told: Told) -> None:
        """Let this be told, after each commit, for whom something waits and whether endpoints have changed."""
        self._writer.outbox.told = told

    async def enabled_webhook_endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """Every endpoint that events are sent to. Raises `StoreUnavailable`."""
        enabled = webhook_endpoints.c.status == WebhookStatus.ENABLED
        return await self._database.read(lambda connection: read(connection, WebhookEndpoint, enabled))

    async def due_deliveries(
        self, endpoint_id: WebhookId, now: float, limit: int
    ) -> tuple[list[DueDelivery], float | None]:
        """What is to be sent to an endpoint now, the urgent first, and when the next is due. Raises `StoreUnavailable`."""
        about = {"endpoint": endpoint_id, "now": now}

        def question(connection: Connection) -> tuple[list[DueDelivery], float | None]:
            due = [DueDelivery(*row) for row in connection.execute(_DUE, about | {"limit": limit})]
            return due, connection.scalar(_NEXT, about)

        return await self._database.read(question)

    async def settle_delivery(self, endpoint_id: WebhookId, settled: Settled) -> None:
        """Write down what became of an attempt; who waits behind one that is done has its turn now.

        Raises `StoreUnavailable`: then the event will be sent once more.
        """
        await self._writer.run(lambda connection: self._settle(connection, endpoint_id, settled))

    def _settle(self, connection: Connection, endpoint_id: WebhookId, settled: Settled) -> None:
        one, attempt = settled.delivery, settled.attempt
        done = settled.status != DeliveryStatus.PENDING
        now = attempt.at + attempt.seconds
        found = connection.execute(
            update(webhook_deliveries)
            .where(_rows.id == one.id, *([] if settled.status == DeliveryStatus.DELIVERED else [_PENDING]))
            .values(
                status=settled.status,
                attempts=one.attempts + 1,
                next_attempt_at=settled.next_attempt_at,
                settled_at=now if done else None,
            )
        )
        if not found.rowcount:
            return  # its endpoint was deleted or disabled meanwhile
        row = {"delivery_id": one.id, "number": one.attempts + 1, "at": attempt.at, "seconds": attempt.seconds}
        row |= {"status_code": attempt.status_code, "error": attempt.error, "response": attempt.response}
        connection.execute(insert(webhook_attempts).values(row))
        if done and one.line is not None:
            follower = connection.scalar(_FOLLOWER, {"endpoint": endpoint_id, "in_line": one.line})
            if follower is not None:
                connection.execute(update(webhook_deliveries).where(_rows.id == follower).values(next_attempt_at=now))
        if settled.failing_since != settled.failed_before:
            changed = update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
            connection.execute(changed.values(failing_since=settled.failing_since))

    async def disable_webhook_endpoint(
        self, account_id: AccountId, endpoint_id: WebhookId, reason: str, announcement: Message
    ) -> bool:
        """Send nothing more to an endpoint, and announce it to the others of its account; false if that is done already.

        Raises `StoreUnavailable`.
        """

        def change(connection: Connection) -> bool:
            try:
                endpoint = endpoint_of(connection, account_id, endpoint_id)
            except WebhookEndpointNotFound:
                return False
            if not endpoint.enabled:
                return False
            news = {"status": WebhookStatus.DISABLED.value, "disabled_reason": reason}
            connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).values(**news))
            give_up(connection, endpoint_id, announcement.created_at)
            outbox = self._writer.outbox
            others = webhook_endpoints.c.account_id == account_id, webhook_endpoints.c.status == WebhookStatus.ENABLED
            for other in read(connection, WebhookEndpoint, *others):
                if other.wants(DISABLED_EVENT):
                    outbox.add(connection, other, announcement, announcement.created_at)
            outbox.endpoints_changed()
            return True

        return await self._writer.run(change)

    async def forget_deliveries(self, before: float) -> int:
        """Remove some of what was settled before this time (Unix seconds), or is of endpoints that are gone; gives how much.

        Raises `StoreUnavailable`.
        """

        def change(connection: Connection) -> int:
            gone = select(webhook_endpoints.c.id).where(webhook_endpoints.c.deleted_at.is_not(None))
            ids: list[str] = []
            for useless in (_rows.endpoint_id.in_(gone), _rows.settled_at < before):  # each has an index
                ids += connection.scalars(select(_rows.id).where(useless).limit(FORGOTTEN_AT_A_TIME - len(ids)))
            for table, column in ((webhook_attempts, webhook_attempts.c.delivery_id), (webhook_deliveries, _rows.id)):
                connection.execute(delete(table).where(column.in_(ids)))
            empty = ~exists(select(_rows.id).where(_rows.endpoint_id == webhook_endpoints.c.id))
            connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.deleted_at.is_not(None), empty))
            return len(ids)

        return await self._writer.run(change)

    async def delivery_attempts(
        self, delivery_ids: Sequence[DeliveryId], most: int
    ) -> Mapping[DeliveryId, Sequence[Attempt]]:
        """The newest attempts of these deliveries, newest first. Raises `StoreUnavailable`."""
        table = webhook_attempts.c
        fields = (table.at, table.seconds, table.status_code, table.error, table.response)
        backwards = func.row_number().over(partition_by=table.delivery_id, order_by=table.number.desc())
        numbered = (
            select(table.delivery_id, table.number, *fields, backwards.label("age"))
            .where(table.delivery_id.in_(delivery_ids))
            .subquery()
        )
        statement = select(numbered).where(numbered.c.age <= most).order_by(numbered.c.number.desc())
        found: dict[DeliveryId, list[Attempt]] = {one: [] for one in delivery_ids}
        for delivery_id, _, *values, _ in await self._database.read(lambda asked: asked.execute(statement).all()):
            found[delivery_id].append(Attempt(*values))
        return found

    async def pending_deliveries(self) -> int:
        """How many events wait to be sent. Raises `StoreUnavailable`."""
        gone = select(webhook_endpoints.c.id).where(webhook_endpoints.c.deleted_at.is_not(None))
        statement = select(func.count()).select_from(webhook_deliveries).where(_PENDING, _rows.endpoint_id.not_in(gone))
        return await self._database.read(lambda connection: connection.scalar(statement) or 0)
