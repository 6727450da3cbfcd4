"""Whether the database is well, for everybody who asks: one probe at a time, and one answer for a second."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ports import Clock, Store

logger = logging.getLogger(__name__)

FRESH = 1.0  # seconds that an answer counts: each probe is a flush to the disk, and anybody may ask
NOT_WRITABLE = "not writable"  # all that anybody is told; the reason, with the name of the file, is in the log


class DatabaseProbe:
    """Asks the store whether it can be read and written, not more often than is worth it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._state = "ok"
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    async def state(self) -> str:
        """`ok`, or what is wrong. Whoever stops waiting does not stop the probe, which others wait for."""
        now = self._clock.now().mono
        if self._asking is None and (self._asked_at is None or now - self._asked_at >= FRESH):
            self._asking = asyncio.create_task(self._ask(), name="database probe")
        if self._asking is not None:
            await asyncio.wait({self._asking})
        return self._state

    @contextmanager
    def in_doubt(self) -> Iterator[None]:
        """Believe what was heard no more when the store fails here: who is refused shall read why."""
        try:
            yield
        except StoreUnavailable:
            self._asked_at = None
            raise

    async def stop(self) -> None:
        """End a probe that runs."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self) -> None:
        before = self._state
        try:
            await self._store.check()
            self._state = "ok"
        except StoreUnavailable as error:
            self._state = NOT_WRITABLE
            if before == "ok":
                logger.warning("the database is not well", extra={"reason": str(error)})
        finally:
            self._asked_at = self._clock.now().mono
            self._asking = None
