"""Who may send now: so many at a time, in turns, and apart from those who take long to answer."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

SOON = 1.0  # seconds; who takes longer is one of the slow until it has answered within this time again
QUICK = 64  # at a time of all who answer soon, or have not been asked before
SLOW = 64  # of all others
LONG = 128  # of those who have left the quick places because they take longer

K = TypeVar("K")
Part = tuple[str, str]
"""An owner, and which of the several that it has."""


class Places:
    """`size` places, of which one owner has at most `each`. A place that gets free goes to the owner who has the fewest, and
    there to the part that has the fewest."""

    def __init__(self, size: int, each: int) -> None:
        self._free = size
        self._each = each
        self._owners: Counter[str] = Counter()
        self._parts: Counter[Part] = Counter()
        self._waiting: dict[Part, deque[asyncio.Future[None]]] = {}

    async def take(self, part: Part) -> None:
        """Have a place. Whoever was cancelled has none."""
        if self._free and self._owners[part[0]] < self._each:
            self._occupy(part)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(part, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave_line(part, turn)
            else:
                self.give_back(part)  # it came at the same moment
            raise

    def give_back(self, part: Part) -> None:
        """Have it no more; who is next has it then."""
        self._free += 1
        _less(self._owners, part[0])
        _less(self._parts, part)
        while self._free and (able := [one for one in self._waiting if self._owners[one[0]] < self._each]):
            following = min(able, key=lambda one: (self._owners[one[0]], self._parts[one]))
            turn = self._waiting[following][0]
            self._leave_line(following, turn)
            if not turn.done():
                self._occupy(following)
                turn.set_result(None)

    def _occupy(self, part: Part) -> None:
        self._free -= 1
        self._owners[part[0]] += 1
        self._parts[part] += 1

    def _leave_line(self, part: Part, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(part)
        if line is None or turn not in line:
            return  # it was passed over already
        line.remove(turn)
        if not line:
            del self._waiting[part]


def _less(held: Counter[K], name: K) -> None:
    held[name] -= 1
    if not held[name]:
        del held[name]  # or everybody who ever had a place would be kept


class Room:
    """Places for those who answer soon, which nobody holds for longer than that, and others for those who take longer.

    So whoever answers soon waits for nobody else: a place gets free within a second, and goes to who has the fewest. Of the
    quick places nobody has more than half, of the slow ones nobody more than a quarter.
    """

    def __init__(self) -> None:
        self._quick = Places(QUICK, QUICK // 2)
        self._slow = Places(SLOW, SLOW // 4)
        self._long = 0

    @asynccontextmanager
    async def place(self, part: Part, *, slow: bool, takes_long: Callable[[], None]) -> AsyncIterator[None]:
        """Have a place. `takes_long` is told when it was held for longer than soon.

        A quick one is then held no more, and what is done goes on without; when too much does so already it is broken off with
        `TimeoutError`, to be done again from a slow one.
        """
        places = self._slow if slow else self._quick
        await places.take(part)
        left = False

        def leave() -> None:
            nonlocal left
            takes_long()
            if slow:
                return
            if self._long >= LONG:
                limit.reschedule(loop.time())
                return
            left = True
            self._long += 1
            places.give_back(part)

        loop = asyncio.get_running_loop()
        timer = loop.call_later(SOON, leave)
        try:
            async with asyncio.timeout(None) as limit:
                yield
        finally:
            timer.cancel()
            if left:
                self._long -= 1
            else:
                places.give_back(part)
