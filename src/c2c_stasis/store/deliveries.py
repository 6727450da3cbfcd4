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
from c2c_stasis.store.webhooks import AT_A_TIME, endpoint_of, give_up, some
from c2c_stasis.store.writer import Writer

_rows = webhook_deliveries.c
_PENDING = _rows.status == DeliveryStatus.PENDING.value
_DISABLED = webhook_endpoints.c.status == WebhookStatus.DISABLED.value, webhook_endpoints.c.deleted_at.is_(None)
_ENABLED = webhook_endpoints.c.status == WebhookStatus.ENABLED.value, webhook_endpoints.c.deleted_at.is_(None)
_QUEUE = _rows.endpoint_id == bindparam("endpoint"), _rows.urgent == bindparam("urgent"), _PENDING
# The index gives them in this order. The few that are wanted are taken before the bytes of their events are looked up.
_heads = (
    select(webhook_deliveries)
    .where(*_QUEUE, _rows.next_attempt_at <= bindparam("now"))
    .where(exists(select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == bindparam("endpoint"), *_ENABLED)))
    .order_by(_rows.next_attempt_at, _rows.id)
    .limit(bindparam("limit"))
    .subquery()
)
_DUE = (
    select(
        *(_heads.c.id, _heads.c.event_id, _heads.c.type, _heads.c.line, _heads.c.attempts, _heads.c.created_at),
        func.coalesce(_heads.c.body, events.c.body),
    )
    .join_from(_heads, events, events.c.id == _heads.c.event_id, isouter=True)
    .order_by(_heads.c.next_attempt_at, _heads.c.id)
)
_NEXT = select(func.min(_rows.next_attempt_at)).where(*_QUEUE, _rows.next_attempt_at > bindparam("now"))
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
        self, endpoint_id: WebhookId, now: float, limit: int, *, urgent: bool
    ) -> tuple[list[DueDelivery], float | None]:
        """What is to be sent to an endpoint now, of what is urgent or of the rest, and when the next of it is due.

        Raises `StoreUnavailable`.
        """
        about = {"endpoint": endpoint_id, "now": now, "urgent": urgent}

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
            changed = update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
            connection.execute(
                changed.values(
                    status=WebhookStatus.DISABLED.value,
                    disabled_reason=reason,
                    disabled_at=announcement.created_at,
                )
            )
            give_up(connection, endpoint_id, announcement.created_at)
            outbox = self._writer.outbox
            mine = webhook_endpoints.c.account_id == account_id, webhook_endpoints.c.livemode == endpoint.livemode
            for other in read(connection, WebhookEndpoint, *mine):
                if other.enabled and other.wants(DISABLED_EVENT):
                    outbox.add(connection, other, announcement, announcement.created_at)
            outbox.endpoints_changed()
            return True

        return await self._writer.run(change)

    async def hurry_deliveries(self, endpoint_id: WebhookId, now: float, upto: float, *, urgent: bool) -> float | None:
        """Of what waits for its next attempt at an endpoint, let the last that are due until then be due now.

        Gives the time of the first of them, from which to go on with those before; nothing, when there were none. Raises
        `StoreUnavailable`.
        """
        waits = _rows.endpoint_id == endpoint_id, _rows.urgent == urgent, _PENDING, _rows.next_attempt_at > now
        statement = select(_rows.id, _rows.next_attempt_at).where(*waits, _rows.next_attempt_at <= upto)
        statement = statement.order_by(_rows.next_attempt_at.desc()).limit(AT_A_TIME)

        def change(connection: Connection) -> float | None:
            found = connection.execute(statement).all()
            ids = [row.id for row in found]
            connection.execute(update(webhook_deliveries).where(_rows.id.in_(ids)).values(next_attempt_at=now))
            return float(found[-1].next_attempt_at) if found else None

        return await self._writer.run(change)

    async def give_up_deliveries(self, now: float) -> int:
        """Attempt nothing more of some of what waits for disabled endpoints; gives of how much. Raises `StoreUnavailable`."""
        waiting = exists(select(_rows.id).where(_rows.endpoint_id == webhook_endpoints.c.id, _PENDING))
        somebody = select(webhook_endpoints.c.id).where(*_DISABLED, waiting).limit(1)

        def change(connection: Connection) -> int:
            endpoint_id = connection.scalar(somebody)
            return 0 if endpoint_id is None else give_up(connection, WebhookId(endpoint_id), now)

        return await self._writer.run(change)

    async def forget_deliveries(self, before: float) -> int:
        """Remove some of what was settled before this time (Unix seconds), or is of endpoints that are gone; gives how much.

        Raises `StoreUnavailable`.
        """

        def change(connection: Connection) -> int:
            gone = select(webhook_endpoints.c.id).where(webhook_endpoints.c.deleted_at.is_not(None))
            ids = some(connection, _rows.endpoint_id.in_(gone)) or some(connection, _rows.settled_at < before)
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
        """How many events wait to be sent to endpoints that are enabled. Raises `StoreUnavailable`."""
        enabled = select(webhook_endpoints.c.id).where(*_ENABLED)
        statement = select(func.count()).select_from(webhook_deliveries).where(_PENDING, _rows.endpoint_id.in_(enabled))
        return await self._database.read(lambda connection: connection.scalar(statement) or 0)
