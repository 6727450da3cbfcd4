"""How the process ends: told once it stops in order, told twice at once, and in the end it is gone whatever hangs."""

import asyncio
import contextlib
import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

STOP_WITHIN = 8.0  # seconds for requests in flight, records and the log together; a quarter of a second is usual
NOW_WITHIN = 1.0  # seconds, once it was told twice
TELL_EVERY = 10.0  # seconds between two lines about calls that are waited for
EX_STUCK = 70  # EX_SOFTWARE of sysexits.h: the orderly end did not come

EndWithin = Callable[[float], None]
"""Sees to it that the process is gone after so many seconds; what was said last counts."""


class Watchdog:
    """Ends the process when its orderly end does not come: a disk that hangs holds up a thread for which Python would wait."""

    def __init__(self, end: Callable[[int], None] = os._exit) -> None:
        self._end = end
        self._timer: threading.Timer | None = None

    def end_within(self, seconds: float) -> None:
        """End it so many seconds from now."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self._bite)
        self._timer.daemon = True  # an end that comes by itself must not wait for this
        self._timer.start()

    def _bite(self) -> None:
        # Not through the log, which may be what hangs; nor must a reader of it that stands still keep us.
        try:
            with contextlib.suppress(OSError, ValueError):
                if sys.stderr is not None and select.select([], [sys.stderr.fileno()], [], 0)[1]:  # it may be closed
                    os.write(sys.stderr.fileno(), b"c2c-stasis: the end took too long, and was not waited for\n")
        finally:
            self._end(EX_STUCK)


class Told:
    """What the signals have said so far. `grace` gives how long calls will be waited for, should it be told to stop now."""

    def __init__(self, end_within: EndWithin, grace: Callable[[], float]) -> None:
        self.stop = asyncio.Event()
        self.now = asyncio.Event()
        self._end_within = end_within
        self._grace = grace
        self._ending = False  # whether the bounded end has begun

    def hear(self) -> None:
        """SIGTERM or SIGINT has come."""
        if self.stop.is_set():
            self.now.set()
            self._end_within(NOW_WITHIN)
            return
        self.stop.set()
        if not self._ending:  # else it ends by itself already, and has no more time for that than it had
            self._end_within(self._grace() + STOP_WITHIN)

    def end_in_order(self) -> None:
        """Nothing is waited for any more: the bounded end begins."""
        self._ending = True
        self._end_within(NOW_WITHIN if self.now.is_set() else STOP_WITHIN)


async def wait_for_calls(
    emptied: Callable[[], Coroutine[Any, Any, None]],
    live: Callable[[], int],
    others: set[asyncio.Task[None]],
    grace: float,
) -> None:
    """Wait so many seconds at most until no call is live, or until one of the others ends; say how many there are."""
    loop = asyncio.get_running_loop()
    until = loop.time() + grace
    waiting = asyncio.create_task(emptied(), name="calls waited for")
    await asyncio.sleep(0)  # it has ended already when there is nothing to wait for
    while not waiting.done() and not any(other.done() for other in others):
        left = until - loop.time()
        if left <= 0:
            break
        logger.info("waiting for calls", extra={"live_calls": live(), "seconds_left": round(left)})
        await asyncio.wait({waiting, *others}, timeout=min(left, TELL_EVERY), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.wait({waiting})
