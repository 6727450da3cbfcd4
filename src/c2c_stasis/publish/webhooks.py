"""The sender of webhooks: a lane for each enabled endpoint, fed from the outbox in the store."""

import asyncio
import logging
from collections.abc import Callable, Set
from contextlib import suppress
from random import SystemRandom

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import WebhookId
from c2c_stasis.ports import WebhookStore
from c2c_stasis.publish.lane import BREATHE, STORE_AGAIN, Lane, Means, Post, Tally
from c2c_stasis.publish.schedule import Schedule

logger = logging.getLogger(__name__)

FORGET_EVERY = 3600.0  # seconds
DAY = 86_400.0


class WebhookSender:
    """`start` begins to send what is owed, `stop` ends it; `days` are those after which something counts."""

    def __init__(
        self,
        store: WebhookStore,
        post: Post,
        wall: Callable[[], float],
        *,
        disable_after_days: float,
        keep_days: float,
        schedule: Schedule | None = None,
    ) -> None:
        self._store = store
        schedule = schedule or Schedule(SystemRandom().random)
        self._means = Means(store, post, schedule, wall, disable_after_days * DAY)
        self._keep = keep_days * DAY
        self._lanes: dict[WebhookId, tuple[Lane, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._removed = asyncio.Event()  # an endpoint, perhaps: what was sent to it can go
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def tally(self) -> Tally:
        """What was counted since the start."""
        return self._means.tally

    def start(self) -> None:
        """Send what is owed, beginning with what the last process left."""
        self._store.tell_webhooks(self._told)
        self._changed.set()
        self._tasks = [
            asyncio.create_task(self._follow(), name="webhook endpoints"),
            asyncio.create_task(self._forget(), name="webhook log"),
        ]

    async def stop(self) -> None:
        """Send nothing more. What is under way has a moment to come back; else the next process sends it again."""
        self._store.tell_webhooks(lambda _filled, _changed: None)
        await asyncio.gather(*(lane.finish() for lane, _ in self._lanes.values()))
        tasks = [*self._tasks, *(task for _, task in self._lanes.values())]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._lanes.clear()

    def wake(self) -> None:
        """Look for everything that is due."""
        for lane, _ in self._lanes.values():
            lane.wake(urgent=True)
            lane.wake(urgent=False)

    def _told(self, filled: Set[tuple[WebhookId, bool]], changed: bool) -> None:
        if changed:
            self._changed.set()
            self._removed.set()
        for endpoint_id, urgent in filled:
            if endpoint_id in self._lanes:
                self._lanes[endpoint_id][0].wake(urgent=urgent)

    async def _follow(self) -> None:
        """Have a lane for every endpoint that is enabled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._renew()
            except StoreUnavailable:
                await asyncio.sleep(STORE_AGAIN)
                self._changed.set()
            except Exception:
                logger.exception("webhook endpoints not read")  # the next change shall be noticed all the same

    async def _renew(self) -> None:
        enabled = {endpoint.id: endpoint for endpoint in await self._store.enabled_webhook_endpoints()}
        for endpoint_id in self._lanes.keys() - enabled.keys():
            _, task = self._lanes.pop(endpoint_id)
            task.cancel()
            await asyncio.wait({task})
        for endpoint_id, endpoint in enabled.items():
            if endpoint_id in self._lanes:
                self._lanes[endpoint_id][0].use(endpoint)
                continue
            lane = Lane(endpoint, self._means)
            self._lanes[endpoint_id] = lane, asyncio.create_task(lane.run(), name=f"webhooks {endpoint_id}")

    async def _forget(self) -> None:
        """Let go of what is older than it is to be kept, and of what is owed to endpoints that are gone or disabled."""
        while True:
            self._removed.clear()
            try:
                more = True
                while more:
                    more = await self._forget_some()
                    await asyncio.sleep(BREATHE)
            except StoreUnavailable:
                pass  # in an hour, then
            except Exception:
                logger.exception("old webhooks not forgotten")
            with suppress(TimeoutError):
                async with asyncio.timeout(FORGET_EVERY):
                    await self._removed.wait()

    async def _forget_some(self) -> bool:
        """Whether there may be more."""
        now = self._means.wall()
        given_up = await self._store.give_up_deliveries(now)
        return bool(await self._store.forget_deliveries(now - self._keep)) or bool(given_up)
