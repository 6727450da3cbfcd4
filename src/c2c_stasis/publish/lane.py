"""What one webhook endpoint is sent, and in which order: tasks of its own, so that no other endpoint notices how it fares."""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
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
from c2c_stasis.publish import places
from c2c_stasis.publish.places import Room
from c2c_stasis.publish.poster import Answer
from c2c_stasis.publish.schedule import Schedule
from c2c_stasis.times import rfc3339

logger = logging.getLogger(__name__)

WIDTH = 8  # POSTs at a time to one endpoint, and as many again of what is urgent
TROUBLED_AFTER = 3  # failures in a row after which there is one at a time
LONGEST_PAUSE = 3600.0  # seconds for which a receiver may have all its events held back (429, 503)
LOOK_AGAIN = 60.0  # seconds; the clock of the wall may have been set
STORE_AGAIN = 1.0  # seconds until a database that failed is asked again
FINISH_WITHIN = 2.0  # seconds that what is under way has to come back when the service stops
BREATHE = 0.05  # seconds between parts of what is changed in the store, for calls to be recorded meanwhile
NOT_KEPT = "the event is no longer kept"
TOO_LATE = "a day has passed since the event"
OF_BEFORE = "the endpoint was disabled meanwhile"


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
    room: Room = field(default_factory=Room)


@dataclass(slots=True, eq=False)
class _Queue:
    """What is urgent, or the rest: each goes its own way, so that an emergency waits for nothing."""

    urgent: bool
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    flying: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class Lane:
    """The way to one endpoint."""

    def __init__(self, endpoint: WebhookEndpoint, means: Means) -> None:
        self.endpoint = endpoint
        self._means = means
        self._urgent, self._ordinary = self._queues = _Queue(urgent=True), _Queue(urgent=False)
        self._hurrying: asyncio.Task[None] | None = None
        self._finishing = False
        self._begin_anew()
        self._failing_since = endpoint.failing_since

    def _begin_anew(self) -> None:
        self._failures = 0  # in a row
        self._slow = False  # since something took long there, until an answer comes soon
        self._pause_until = 0.0

    def use(self, endpoint: WebhookEndpoint) -> None:
        """Go on with the endpoint as it is now; one that was enabled again, or is elsewhere, begins anew."""
        moved = endpoint.url != self.endpoint.url
        self.endpoint = endpoint
        if endpoint.failing_since is None:
            self._failing_since = None
        if moved:
            self._begin_anew()
            if self._hurrying is not None:
                self._hurrying.cancel()
            self._hurrying = asyncio.create_task(self._hurry(), name=f"webhooks moved {endpoint.id}")

    def wake(self, *, urgent: bool) -> None:
        """There may be something to send."""
        (self._urgent if urgent else self._ordinary).wake.set()

    async def run(self) -> None:
        """Send what is due, for ever. Cancelled, it leaves what is under way to be sent once more."""
        try:
            await asyncio.gather(*(self._attend(queue) for queue in self._queues))
        finally:
            tasks = [*self._urgent.flying.values(), *self._ordinary.flying.values()]
            tasks += [self._hurrying] if self._hurrying else []
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def finish(self) -> None:
        """Begin nothing more, and give what is under way a moment to come back."""
        self._finishing = True
        flying = [*self._urgent.flying.values(), *self._ordinary.flying.values()]
        if flying:
            await asyncio.wait(flying, timeout=FINISH_WITHIN)

    async def _attend(self, queue: _Queue) -> None:
        while True:
            queue.wake.clear()
            seconds = await self._launch(queue)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await queue.wake.wait()

    async def _launch(self, queue: _Queue) -> float:
        """Begin to send what is due and has room; after how many seconds to look again."""
        now = self._means.wall()
        width = 1 if self._failures >= TROUBLED_AFTER and not queue.urgent else WIDTH
        room = width - len(queue.flying)
        if room <= 0 or self._finishing:
            return LOOK_AGAIN  # whoever comes back wakes us
        if now < self._pause_until and not queue.urgent:
            return min(self._pause_until - now, LOOK_AGAIN)
        known = set(queue.flying)  # who comes back while the store is asked may be in its answer still
        try:
            due, later = await self._means.store.due_deliveries(
                self.endpoint.id, now, room + len(known), urgent=queue.urgent
            )
        except StoreUnavailable:
            return STORE_AGAIN
        except Exception:
            logger.exception("webhooks not read", extra={"endpoint_id": self.endpoint.id})
            return LOOK_AGAIN
        for one in [one for one in due if one.id not in known][:room]:
            queue.flying[one.id] = asyncio.create_task(self._deliver(queue, one), name=f"webhook {one.id}")
        return LOOK_AGAIN if later is None else min(max(later - now, 0.0), LOOK_AGAIN)

    async def _deliver(self, queue: _Queue, one: DueDelivery) -> None:
        try:
            if (why := self._why_not(one)) is not None:
                self._means.tally.given_up += 1
                await self._write(Settled(one, Attempt(self._means.wall(), 0.0, error=why), DeliveryStatus.FAILED))
            else:
                async with self._place(queue):
                    there, answer = self.endpoint.url, await self._post(one)
                if answer is not None:
                    await self._judge(one, answer, there)
        except TimeoutError:
            pass  # too much takes long: it is due still, and goes again with those who take longer
        except Exception:
            logger.exception("webhook not sent", extra={"endpoint_id": self.endpoint.id, "delivery_id": one.id})
            await asyncio.sleep(STORE_AGAIN)
        finally:
            del queue.flying[one.id]
            queue.wake.set()

    def _why_not(self, one: DueDelivery) -> str | None:
        """Why this event is not sent any more, if so."""
        if one.body is None:
            return NOT_KEPT
        if self.endpoint.disabled_at is not None and one.created_at <= self.endpoint.disabled_at:
            return OF_BEFORE
        return TOO_LATE if self._means.schedule.over(one.created_at, self._means.wall()) else None

    def _place(self, queue: _Queue) -> AbstractAsyncContextManager[None]:
        if queue.urgent:
            return nullcontext()
        part = self.endpoint.account_id, self.endpoint.id
        return self._means.room.place(part, slow=self._slow, takes_long=self._takes_long)

    def _takes_long(self) -> None:
        self._slow = True

    async def _post(self, one: DueDelivery) -> Answer | None:
        if self._finishing or one.body is None:
            return None
        return await self._means.post(self.endpoint, one.event_id, one.body)

    async def _hurry(self) -> None:
        """What waits for its next attempt at the old address need not wait at the new one."""
        now = self._means.wall()
        for queue in self._queues:
            upto: float | None = math.inf
            while upto is not None:
                try:
                    upto = await self._means.store.hurry_deliveries(self.endpoint.id, now, upto, urgent=queue.urgent)
                except StoreUnavailable:
                    return  # then each comes at its time
                queue.wake.set()
                await asyncio.sleep(BREATHE)

    async def _judge(self, one: DueDelivery, answer: Answer, there: str) -> None:
        """What follows from an answer of this URL: done, again, or never again."""
        now, before = self._means.wall(), self._failing_since
        if there != self.endpoint.url and not answer.accepted:  # it says nothing of where the endpoint is now
            await self._write(Settled(one, answer.attempt, DeliveryStatus.PENDING, now, before, before))
            return
        if answer.attempt.seconds < places.SOON:
            self._slow = False
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
