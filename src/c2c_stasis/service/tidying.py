"""What leaves the database by itself: old calls, and names of requests that are a day old."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ports import Clock, Store
from c2c_stasis.service.repeats import REMEMBERED

logger = logging.getLogger(__name__)

EVERY = 600.0  # seconds between two rounds
DAY = 86_400.0
CALLS_AT_ONCE = 20  # in one transaction, of 4 to 10 ms: whoever places a call waits that long for it at most
NAMES_AT_ONCE = 500
REST = 0.1  # seconds between two transactions: nine tenths of the writer's time stay for calls


class Tidying:
    """Deletes what is too old, a little at a time. `days` is how long calls are kept; 0 keeps them for ever."""

    def __init__(self, store: Store, clock: Clock, days: int) -> None:
        self._store = store
        self._clock = clock
        self.days = days

    async def run(self) -> None:
        """Tidy up again and again."""
        while True:
            try:
                await self.once()
            except StoreUnavailable as error:
                logger.warning("old calls not deleted", extra={"error": str(error)})
            except Exception:
                logger.exception("old calls not deleted")  # whatever it was: the next round tries again
            await asyncio.sleep(EVERY)

    async def once(self) -> None:
        """Delete all that is too old now. Raises `StoreUnavailable`."""
        now = self._clock.now().wall
        await _all(lambda: self._store.forget_once(now - REMEMBERED, NAMES_AT_ONCE), NAMES_AT_ONCE)
        if self.days:
            before = now - self.days * DAY
            deleted = await _all(lambda: self._store.delete_calls(before, CALLS_AT_ONCE), CALLS_AT_ONCE)
            if deleted:
                logger.info("old calls deleted", extra={"calls": deleted})


async def _all(some: Callable[[], Awaitable[int]], most: int) -> int:
    """Do it until nothing is left to be done; gives how much was."""
    done = 0
    while (count := await some()) == most:
        done += count
        await asyncio.sleep(REST)
    return done + count
