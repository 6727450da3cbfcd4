"""When a webhook is tried again, and when it is given up."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

DELAYS = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds after the first, second… failed attempt; the last one again and again."""

GIVE_UP_AFTER = 86_400.0  # seconds after the event
LATE = 60.0  # seconds by which the last attempt may come late
JITTER = 0.2  # of the delay, both ways: receivers that were down must not be met by everybody at once


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of the attempts. `chance` gives numbers from 0 to 1."""

    chance: Callable[[], float]
    delays: tuple[float, ...] = DELAYS
    give_up_after: float = GIVE_UP_AFTER

    def next_attempt(self, failed: int, created_at: float, now: float, retry_after: float | None) -> float | None:
        """When to try again after so many failed attempts, in Unix seconds; nothing, when it is over.

        `retry_after` is how many seconds the receiver asked for. The last attempt is made when the time is over.
        """
        end = created_at + self.give_up_after
        if now >= end:
            return None
        delay = self.delays[min(failed, len(self.delays)) - 1] * (1 + JITTER * (2 * self.chance() - 1))
        return min(now + max(delay, retry_after or 0.0), end)

    def over(self, created_at: float, now: float) -> bool:
        """Whether it is too late to send an event at all: it waited for so long behind others."""
        return now > created_at + self.give_up_after + LATE


def retry_after_of(header: str | None, now: float) -> float | None:
    """What a `Retry-After` header asks for, in seconds (RFC 9110 10.2.3); nothing, if it is not understood."""
    if header is None:
        return None
    if header.strip().isdecimal() and len(header) < 10:
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None
