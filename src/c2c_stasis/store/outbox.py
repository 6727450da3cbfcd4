"""The outbox of webhooks: which endpoints want which events, written down in the transaction of the event itself.

So an event is owed to an endpoint exactly if both were committed, whatever happens to the process afterwards. Who wants what
is kept in memory: an account without endpoints costs one look into an empty table.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from typing import Any

from sqlalchemy import Connection, bindparam, case, exists, insert, select

from c2c_stasis.call.events import EventType
from c2c_stasis.directory.webhooks import DeliveryStatus, Message, WebhookEndpoint, WebhookStatus
from c2c_stasis.ids import DELIVERY, AccountId, WebhookId, new_id
from c2c_stasis.ports import NumberedEvent, StoredEvent
from c2c_stasis.store.records import insert_rows
from c2c_stasis.store.rows import read
from c2c_stasis.store.tables import webhook_deliveries, webhook_endpoints

_ahead = webhook_deliveries.alias("ahead")
_WAITS = exists(
    select(_ahead.c.id).where(
        _ahead.c.endpoint_id == bindparam("for_endpoint"),
        _ahead.c.line == bindparam("in_line"),
        _ahead.c.status == DeliveryStatus.PENDING.value,
    )
)
# One that has others of its call before it gets its time when they are settled.
INSERT = insert(webhook_deliveries).values(
    {column.name: bindparam(column.name) for column in webhook_deliveries.c}
    | {"next_attempt_at": case((_WAITS, None), else_=bindparam("at_once"))}
)

Told = Callable[[Set[tuple[WebhookId, bool]], bool], None]
"""Who is told, after a commit, for which endpoints something new waits, urgent or not, and whether endpoints have changed."""


class Outbox:
    """Used by the writing thread alone, but for `tell` and `told`, which belong to the event loop."""

    def __init__(self) -> None:
        self._by_account: dict[AccountId, list[WebhookEndpoint]] | None = None  # to be read
        self._filled: set[tuple[WebhookId, bool]] = set()
        self._changed = False
        self.told: Told = lambda _filled, _changed: None

    def endpoints_changed(self) -> None:
        """Endpoints are made, changed or removed by the transaction that runs: read them again with the next one."""
        self._by_account = None
        self._changed = True

    def fill(self, connection: Connection, events: Sequence[NumberedEvent]) -> None:
        """Write down who is owed these new events."""
        if self._by_account is None:
            self._by_account = _enabled(connection)
        if not self._by_account:
            return
        rows = [
            _row(endpoint, one.event)
            for one in events
            for endpoint in self._by_account.get(one.event.account_id, ())
            if endpoint.livemode is one.livemode and endpoint.wants(one.event.type)
        ]
        if rows:
            insert_rows(connection, INSERT, rows)
            self._filled.update((row["endpoint_id"], row["urgent"]) for row in rows)

    def add(
        self, connection: Connection, endpoint: WebhookEndpoint, message: Message, at: float, **more: object
    ) -> dict[str, Any]:
        """Owe an endpoint an event that waits for no other; the row of it."""
        row = _columns(endpoint, at) | {"event_id": message.id, "type": message.type, "body": message.body} | more
        connection.execute(insert(webhook_deliveries).values(row | {"next_attempt_at": at}))
        self._filled.add((endpoint.id, False))
        return row

    def tell(self) -> None:
        """After a commit: tell who sends."""
        if self._filled or self._changed:
            filled, changed = self._filled, self._changed
            self._filled, self._changed = set(), False
            self.told(filled, changed)


def _enabled(connection: Connection) -> dict[AccountId, list[WebhookEndpoint]]:
    by_account: dict[AccountId, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in read(connection, WebhookEndpoint, webhook_endpoints.c.status == WebhookStatus.ENABLED):
        by_account[endpoint.account_id].append(endpoint)
    return dict(by_account)


def _row(endpoint: WebhookEndpoint, event: StoredEvent) -> dict[str, Any]:
    # An emergency is told at once: neither other events nor earlier ones of its own call go before it.
    urgent = event.type == EventType.CALL_EMERGENCY
    line = None if urgent else event.call_id
    return _columns(endpoint, event.created_at) | {
        "event_id": event.id,
        "type": event.type,
        "call_id": event.call_id,
        "line": line,
        "position": event.sequence,
        "urgent": urgent,
        "for_endpoint": endpoint.id,
        "in_line": line,
        "at_once": event.created_at,
    }


def _columns(endpoint: WebhookEndpoint, at: float) -> dict[str, Any]:
    return {
        "id": new_id(DELIVERY),
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.id,
        "call_id": None,
        "line": None,
        "position": 0,
        "urgent": False,
        "status": DeliveryStatus.PENDING.value,
        "attempts": 0,
        "settled_at": None,
        "created_at": at,
        "body": None,
    }
