"""When a webhook is tried again: jitter, the wish of the receiver, and the end after a day."""

import itertools
from email.utils import formatdate

import pytest

from c2c_stasis.publish.schedule import DELAYS, GIVE_UP_AFTER, Schedule, retry_after_of

BEGAN = 1_700_000_000.0
EVEN = Schedule(lambda: 0.5)


def attempts(schedule: Schedule) -> list[float]:
    """Seconds after the event of every attempt at a receiver that is down."""
    now, times = BEGAN, [0.0]
    for failed in itertools.count(1):
        again = schedule.next_attempt(failed, BEGAN, now, None)
        if again is None:
            return times
        now = again
        times.append(now - BEGAN)
    raise AssertionError


def test_a_receiver_that_is_down_is_asked_soon_then_hourly_and_a_last_time_after_a_day() -> None:
    times = attempts(EVEN)
    assert times[:8] == [0.0, 1.0, 6.0, 36.0, 156.0, 756.0, 4356.0, 7956.0]
    assert times[-1] == GIVE_UP_AFTER
    assert len(times) == 30


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.8), (1.0, 1.2)])
def test_every_delay_has_a_jitter_of_a_fifth(chance: float, factor: float) -> None:
    for failed, delay in enumerate(DELAYS, 1):
        again = Schedule(lambda: chance).next_attempt(failed, BEGAN, BEGAN, None)
        assert again == pytest.approx(BEGAN + delay * factor)


def test_the_receiver_may_ask_for_more_time_but_not_for_less_and_not_beyond_the_day() -> None:
    assert EVEN.next_attempt(1, BEGAN, BEGAN, 90.0) == BEGAN + 90
    assert EVEN.next_attempt(3, BEGAN, BEGAN, 2.0) == BEGAN + 30
    assert EVEN.next_attempt(1, BEGAN, BEGAN, 1e9) == BEGAN + GIVE_UP_AFTER
    assert EVEN.next_attempt(9, BEGAN, BEGAN + GIVE_UP_AFTER, 5.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        (formatdate(BEGAN + 60, usegmt=True), 60.0),
        (formatdate(BEGAN - 60, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_understood_as_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_of(header, BEGAN) == seconds
