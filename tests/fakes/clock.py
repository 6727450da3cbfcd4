"""A clock that stands still until a test moves it, for everything that runs on the test's event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from c2c_stasis.call.model import Now

WALL = 1_700_000_000.0  # what it is when a test begins, in Unix seconds
LATE = 1e-6  # seconds by which a timer is late, as every timer is: else rounding lets some come early
REST_WITHIN = 10.0  # real seconds; a test that does not come to rest by then is broken


class Clock:
    """The time of one event loop. Timers fire in their order when `advance` reaches them, and each finds its own moment.

    `busy` are questions whether something outside the loop, such as a thread, is still at work: then nothing is at rest yet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Any = loop
        self._zero = self._mono = time.monotonic()
        self.boot = "one"  # another name: the machine was started anew
        self.set_by = 0.0  # seconds by which somebody has set the wall clock since the test began
        self.busy: list[Callable[[], bool]] = []

    def now(self) -> Now:
        """One reading of both clocks."""
        return Now(WALL + self.set_by + self._mono - self._zero, self._mono, self.boot)

    @property
    def elapsed(self) -> float:
        """Seconds since the test began."""
        return self._mono - self._zero

    async def settle(self) -> None:
        """Let everything happen that needs no more time."""
        give_up = time.monotonic() + REST_WITHIN
        while True:
            await asyncio.sleep(0)
            if not self._loop._ready and not any(busy() for busy in self.busy):
                return
            assert time.monotonic() < give_up, "nothing comes to rest"

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that happens meanwhile."""
        target = self._mono + seconds
        await self.settle()
        while (due := self._next_timer()) is not None and due <= target:
            self._mono = max(self._mono, due + LATE)
            await self.settle()
        self._mono = max(self._mono, target)
        await self.settle()

    async def until(self, ready: Callable[[], object], what: str, within: float = 60.0) -> None:
        """Let time pass from timer to timer until something is so; fails when it is not so within that many seconds."""
        give_up = self._mono + within
        await self.settle()
        while not ready():
            due = self._next_timer()
            assert (due or give_up + 1) <= give_up, f"{what}: not within {within} s"
            self._mono = max(self._mono, (due or 0) + LATE)
            await self.settle()

    def _next_timer(self) -> float | None:
        return min((timer.when() for timer in self._loop._scheduled if not timer.cancelled()), default=None)


@contextmanager
def standing_clock() -> Iterator[Clock]:
    """Stop the time of the running loop; give it back at the end.

    A loop lets timers come early by the resolution of its clock, 1 ns. Time that stands still never makes up for that: who
    comes early and sleeps again comes early again, without end. So here none does.
    """
    loop: Any = asyncio.get_running_loop()
    clock = Clock(loop)
    resolution, loop._clock_resolution = loop._clock_resolution, 0.0
    loop.time = lambda: clock.now().mono
    try:
        yield clock
    finally:
        del loop.time
        loop._clock_resolution = resolution
