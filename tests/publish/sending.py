"""Calls that are told of, a sender for them, and what is looked at afterwards."""

import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from c2c_stasis.config import Networks
from c2c_stasis.directory.model import Account
from c2c_stasis.directory.webhooks import WebhookEndpoint
from c2c_stasis.policy.webhook_urls import WebhookUrls
from c2c_stasis.ports import StoredEvent
from c2c_stasis.publish.guard import Guard
from c2c_stasis.publish.poster import Poster
from c2c_stasis.publish.schedule import Schedule
from c2c_stasis.publish.webhooks import WebhookSender
from c2c_stasis.store.sql_store import SqlStore
from tests.publish.receiver import Got, Receiver
from tests.store.samples import Place, an_event, ended, rows

TYPES = ("call.ringing", "leg.answered", "call.initiated", "call.answered", "call.end")
QUICK = (0.005, 0.01, 0.02)  # seconds, in the place of seconds to hours

Listen = Callable[..., Awaitable[Receiver]]


@asynccontextmanager
async def sending(
    store: SqlStore,
    tls: tuple[Path, Path],
    *receivers: Receiver,
    delays: tuple[float, ...] = QUICK,
    wall: Callable[[], float] = time.time,
    disable_after_days: float = 5.0,
) -> AsyncIterator[WebhookSender]:
    """The sender, as long as it works."""
    ports = tuple(receiver.port for receiver in receivers)
    rules = WebhookUrls(ports=ports, allow_subnets=Networks((ip_network("127.0.0.0/8"),)))
    poster = Poster(Guard(rules, []), wall=time.time, ca_file=str(tls[0]))
    sender = WebhookSender(
        store,
        poster.post,
        wall,
        disable_after_days=disable_after_days,
        keep_days=7.0,
        schedule=Schedule(random.Random(7).random, delays),
    )
    sender.start()
    try:
        yield sender
    finally:
        await sender.stop()
        await poster.close()


async def endpoint_at(
    place: Place, receiver: Receiver, *events: str, account: Account | None = None
) -> WebhookEndpoint:
    return await place.store.create_webhook_endpoint(
        (account or place.account).id, receiver.url(), livemode=True, events=events or ("*",), description=""
    )


async def a_whole_call(place: Place, *types: str, at: float | None = None) -> list[StoredEvent]:
    """A call that is recorded event by event, as calls are; what is told of it to who wants everything but legs."""
    call = place.call()
    now = at or time.time()
    events = [replace(an_event(call, number, name), created_at=now) for number, name in enumerate(types or TYPES, 1)]
    body = '{{"id":"{}","type":"{}","account_id":"{}","data":{{"sequence":{},"call_id":"{}"}}}}'
    events = [
        replace(one, body=body.format(one.id, one.type, one.account_id, one.sequence, call.id).encode())
        for one in events
    ]
    await place.store.accept(call, events[:1])
    for event in events[1:-1]:
        place.store.record(call, [event], within=0.05)
    await place.store.record(ended(call), events[-1:])
    return [event for event in events if not event.type.startswith("leg.")]


def order_of_first_acceptance(got: list[Got]) -> dict[str, list[int]]:
    """Of each call the sequences, in the order in which they were accepted first."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in got:
        data = one.event["data"]
        if data["sequence"] not in found[data["call_id"]]:
            found[data["call_id"]].append(data["sequence"])
    return found


def rows_pending(place: Place, endpoint: WebhookEndpoint) -> int:
    file = Path(str(place.store._database._writer.url.database))
    return int(
        rows(
            file,
            "select count(*) from webhook_deliveries where status = 'pending' and endpoint_id = ?",
            endpoint.id,
        )[0][0]
    )


async def another(place: Place, name: str = "Butcher") -> Place:
    """Another account of the same store, with a user who calls."""
    account = await place.store.create_account(place.platform.id, name)
    return replace(place, account=account, user=await place.store.create_user(account.id, "Bob"))
