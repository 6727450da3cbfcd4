"""What one webhook endpoint is sent, and in which order: a task of its own, so that no other endpoint notices how it fares."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from c2c_stasis.directory.webhooks import (
    DISABLED_EVENT,
    Attempt,
    DeliveryStatus,
    WebhookEndpoint,
    message,
)
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ports import DueDelivery, Settled, WebhookStore
from c2c_stasis.publish.poster import Answer
from c2c_stasis.publish.schedule import Schedule
from c2c_stasis.times import rfc3339

logger = logging.getLogger(__name__)

WIDTH = 8  # POSTs at a time to one endpoint
TROUBLED_AFTER = 3  # failures in a row after which there is one at a time
SLOTS = 100  # POSTs at a time to all endpoints together; as many again to those in trouble, which cannot take these
LONGEST_PAUSE = 3600.0  # seconds for which a receiver may have all its events held back (429, 503)
LOOK_AGAIN = 60.0  # seconds; the clock of the wall may have been set
STORE_AGAIN = 1.0  # seconds until a database that failed is asked again
NOT_KEPT = "the event is no longer kept"


class Post(Protocol):
    """Sends bytes to an endpoint, and never raises."""

    async def __call__(self, endpoint: WebhookEndpoint, event_id: str, body: bytes) -> Answer:
        """What came of it."""
        ...


@dataclass(slots=True)
class Tally:
    """What was counted since the start."""

    delivered: int = 0
    failed_attempts: int = 0
    given_up: int = 0


@dataclass(slots=True)
class Means:
    """What all lanes share. `disable_after` is in seconds; `wall` is the time of the wall."""

    store: WebhookStore
    post: Post
    schedule: Schedule
    wall: Callable[[], float]
    disable_after: float
    tally: Tally = field(default_factory=Tally)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOTS))
    slots_for_troubled: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOTS))


class Lane:
    """The way to one endpoint."""

    def __init__(self, endpoint: WebhookEndpoint, means: Means) -> None:
        self.endpoint = endpoint
        self._means = means
        self._wake = asyncio.Event()
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._failures = 0  # in a row
        self._failing_since = endpoint.failing_since
        self._pause_until = 0.0

    def use(self, endpoint: WebhookEndpoint) -> None:
        """Go on with the endpoint as it is now; one that was enabled again begins anew."""
        self.endpoint = endpoint
        if endpoint.failing_since is None:
            self._failing_since = None

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, for ever. Cancelled, it leaves what is under way to be sent once more."""
        try:
            while True:
                self._wake.clear()
                seconds = await self._launch()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()
        finally:
            for task in self._flying.values():
                task.cancel()
            if self._flying:
                await asyncio.wait(self._flying.values())

    async def _launch(self) -> float:
        """Begin to send what is due and has room; after how many seconds to look again."""
        now = self._means.wall()
        room = (1 if self._troubled else WIDTH) - len(self._flying)
        if room <= 0:
            return LOOK_AGAIN  # whoever comes back wakes us
        if now < self._pause_until:
            return min(self._pause_until - now, LOOK_AGAIN)
        known = set(self._flying)  # who comes back while the store is asked may be in its answer still
        try:
            due, later = await self._means.store.due_deliveries(self.endpoint.id, now, room + len(known))
        except StoreUnavailable:
            return STORE_AGAIN
        except Exception:
            logger.exception("webhooks not read", extra={"endpoint_id": self.endpoint.id})
            return LOOK_AGAIN
        for one in [one for one in due if one.id not in known][:room]:
            task = asyncio.create_task(self._deliver(one), name=f"webhook {one.id}")
            self._flying[one.id] = task
        return LOOK_AGAIN if later is None else min(max(later - now, 0.0), LOOK_AGAIN)

    @property
    def _troubled(self) -> bool:
        return self._failures >= TROUBLED_AFTER

    async def _deliver(self, one: DueDelivery) -> None:
        try:
            slots = self._means.slots_for_troubled if self._troubled else self._means.slots
            if one.body is None:
                await self._write(Settled(one, Attempt(self._means.wall(), 0.0, error=NOT_KEPT), DeliveryStatus.FAILED))
                return
            async with slots:
                answer = await self._means.post(self.endpoint, one.event_id, one.body)
            await self._judge(one, answer)
        except Exception:
            logger.exception("webhook not sent", extra={"endpoint_id": self.endpoint.id, "delivery_id": one.id})
            await asyncio.sleep(STORE_AGAIN)
        finally:
            del self._flying[one.id]
            self._wake.set()

    async def _judge(self, one: DueDelivery, answer: Answer) -> None:
        """What follows from an answer: done, again, or never again."""
        now, before = self._means.wall(), self._failing_since
        if answer.accepted:
            self._failures, self._failing_since = 0, None
            self._means.tally.delivered += 1
            await self._write(Settled(one, answer.attempt, DeliveryStatus.DELIVERED, None, None, before))
            return
        self._failures += 1
        self._means.tally.failed_attempts += 1
        self._failing_since = since = now if before is None else before
        again = self._means.schedule.next_attempt(one.attempts + 1, one.created_at, now, answer.retry_after)
        if answer.gone:
            again = None
        if answer.attempt.status_code in (429, 503) and answer.retry_after:
            self._pause_until = now + min(answer.retry_after, LONGEST_PAUSE)
        if again is None:
            self._means.tally.given_up += 1
        self._log(one, answer, again)
        status = DeliveryStatus.FAILED if again is None else DeliveryStatus.PENDING
        await self._write(Settled(one, answer.attempt, status, again, since, before))
        if answer.gone:
            await self._disable("it answered 410 Gone")
        elif now - since >= self._means.disable_after:
            await self._disable(f"every attempt failed since {rfc3339(since)}")

    async def _write(self, settled: Settled) -> None:
        """Write it down; while that cannot be done nothing more is sent here, for it would be sent again and again."""
        while True:
            try:
                await self._means.store.settle_delivery(self.endpoint.id, settled)
            except StoreUnavailable:
                await asyncio.sleep(STORE_AGAIN)
            else:
                return

    async def _disable(self, reason: str) -> None:
        endpoint = self.endpoint
        data = {"webhook_endpoint": endpoint.id, "webhook_endpoint_id": endpoint.id, "reason": reason}
        announcement = message(DISABLED_EVENT, endpoint.account_id, data, self._means.wall())
        try:
            done = await self._means.store.disable_webhook_endpoint(
                endpoint.account_id, endpoint.id, reason, announcement
            )
        except StoreUnavailable:
            return  # the next failed attempt comes here again
        if done:
            extra = {"endpoint_id": endpoint.id, "account_id": endpoint.account_id, "reason": reason}
            logger.warning("webhook endpoint disabled", extra=extra)

    def _log(self, one: DueDelivery, answer: Answer, again: float | None) -> None:
        extra = {
            "endpoint_id": self.endpoint.id,
            "delivery_id": one.id,
            "event_type": one.type,
            "status": answer.attempt.status_code,
            "error": answer.attempt.error,
            "attempts": one.attempts + 1,
        } | ({"call_id": one.line} if one.line else {})
        if again is None:
            logger.warning("webhook given up", extra=extra)
        else:
            logger.info("webhook failed", extra=extra | {"next_attempt_at": rfc3339(again)})
