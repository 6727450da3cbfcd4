"""How much there was lately: two ways of counting, in whole nanoseconds of a monotonic clock, so that no rounding adds up.

Neither knows what it counts, nor how much may be.
"""

from collections import deque
from itertools import accumulate

SECOND = 1_000_000_000
"""Nanoseconds."""


def nanoseconds(seconds: float) -> int:
    """A reading of the monotonic clock as it is counted here."""
    return round(seconds * SECOND)


class Bucket:
    """Starts in a second: so many at once, and one more whenever the time for one has passed (GCRA, ITU-T I.371).

    What may be is given with each question. When it has been changed since the last one, the starts that were taken stay taken,
    and what is waited for is the time for as many at the new rate: nobody waits for a rate that holds no more.
    """

    __slots__ = ("_due", "_each")

    def __init__(self) -> None:
        self._due: int | None = None  # when the bucket is full again; never used is full
        self._each = 1  # the time for one start, by which `_due` was counted

    def wait(self, now: int, rate: float, burst: int) -> int:
        """How long until one may start, 0 if it may now; `rate` a second, more than 0."""
        if self._due is None:
            return 0
        self._keep_to(now, rate)
        return max(0, self._due - (burst - 1) * self._each - now)

    def take(self, now: int, rate: float) -> None:
        """One starts, whether or not it may."""
        self._keep_to(now, rate)
        self._due = max(now, self._due or now) + self._each

    def give_back(self) -> None:
        """One has not started after all."""
        if self._due is not None:
            self._due -= self._each

    def full(self, now: int) -> bool:
        """Whether it is as if it had never been used."""
        return self._due is None or self._due <= now

    def _keep_to(self, now: int, rate: float) -> None:
        each = _interval(rate)
        if each != self._each:
            if self._due is not None and self._due > now:
                self._due = now + (self._due - now) * each // self._each
            self._each = each


def _interval(rate: float) -> int:
    return round(SECOND / rate)


class Window:
    """A sum over the last `span`, in parts of `width`: what was added counts for the span, and at most one part longer."""

    __slots__ = ("_parts", "_sum", "span", "width")

    def __init__(self, span: int, width: int) -> None:
        self.span, self.width = span, width
        self._parts: deque[list[int]] = deque()  # of each part its number and its sum, oldest first
        self._sum = 0

    def total(self, now: int) -> int:
        """The sum at this time."""
        self._forget(now)
        return self._sum

    def add(self, at: int, amount: int) -> None:
        """Add an amount; `at` does not go back by more than what is still counted."""
        part = at // self.width
        if self._parts and part <= self._parts[-1][0]:
            self._parts[-1][1] += amount
        else:
            self._parts.append([part, amount])
        self._sum += amount

    def take_back(self, at: int, amount: int) -> None:
        """Take away what was added at this time, if it still counts."""
        part = at // self.width
        for one in self._parts:
            if one[0] == part:
                one[1] -= amount
                self._sum -= amount

    def wait(self, now: int, room: int) -> int | None:
        """How long until the sum is at most `room`, 0 if it is now; None when that is less than nothing."""
        if room < 0:
            return None
        over = self.total(now) - room
        if over <= 0:
            return 0
        gone = accumulate(amount for _, amount in self._parts)
        return next(self._ends(part) - now for (part, _), less in zip(self._parts, gone, strict=True) if less >= over)

    def empty(self, now: int) -> bool:
        """Whether nothing counts any more."""
        self._forget(now)
        return not self._parts

    def _ends(self, part: int) -> int:
        """When a part no longer counts: the span after its end."""
        return (part + 1) * self.width + self.span

    def _forget(self, now: int) -> None:
        while self._parts and self._ends(self._parts[0][0]) <= now:
            self._sum -= self._parts.popleft()[1]
