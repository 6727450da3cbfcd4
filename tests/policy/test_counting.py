"""Counting over time: against a model that keeps everything and knows fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.policy.counting import SECOND, Bucket, Window, nanoseconds

steps = st.lists(st.integers(0, 3_000), min_size=1, max_size=60)  # milliseconds between two


@given(steps, st.sampled_from([0.5, 1.0, 2.0, 5.0, 10.0, 40.0]), st.integers(1, 5))
def test_a_bucket_lets_through_what_a_bucket_of_tokens_does(pauses: list[int], rate: float, burst: int) -> None:
    bucket, now = Bucket(), 0
    tokens, then = Fraction(burst), 0
    for pause in pauses:
        now += pause * SECOND // 1000
        tokens, then = min(Fraction(burst), tokens + Fraction(now - then, SECOND) * Fraction(rate)), now
        wait = bucket.wait(now, rate, burst)
        assert (wait == 0) == (tokens >= 1)
        if wait:
            assert Fraction(wait, SECOND) == (1 - tokens) / Fraction(rate)
            continue
        bucket.take(now, rate)
        tokens -= 1
        assert bucket.full(now) is False
        assert bucket.full(now + burst * SECOND * 2)


def test_at_ten_times_the_rate_exactly_the_allowed_number_starts() -> None:
    bucket, let_through = Bucket(), 0
    for attempt in range(500):  # 50 a second for 10 seconds
        now = nanoseconds(1000 + attempt / 50)
        if bucket.wait(now, 5, 10) == 0:
            bucket.take(now, 5)
            let_through += 1
    assert let_through == 10 + 49  # the burst at once, then one every 0.2 s, of which the last comes at 9.8 s


def test_what_has_not_started_is_given_back() -> None:
    bucket = Bucket()
    bucket.give_back()
    assert bucket.wait(0, 1, 1) == 0
    bucket.take(0, 1)
    assert bucket.wait(0, 1, 1) == SECOND
    bucket.give_back()
    assert bucket.wait(0, 1, 1) == 0


def test_nobody_waits_for_a_rate_that_holds_no_more() -> None:
    bucket = Bucket()
    for _ in range(3):
        bucket.take(0, 0.001)  # one in a quarter of an hour
    assert bucket.wait(0, 0.001, 3) == 1000 * SECOND
    assert bucket.wait(0, 10, 3) == SECOND // 10
    assert bucket.wait(SECOND // 10, 10, 3) == 0
    assert bucket.wait(SECOND // 10, 0.1, 2) == 10 * SECOND  # two of the three are still taken
    bucket.give_back()
    assert bucket.wait(SECOND // 10, 0.1, 2) == 0
    assert bucket.full(SECOND // 10 + 10 * SECOND)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 50)), min_size=1, max_size=60),
    st.integers(0, 120),
    st.integers(1, 40),
)
def test_a_window_counts_for_its_span_and_at_most_one_part_longer(
    added: list[tuple[int, int]], room: int, width: int
) -> None:
    span = 600
    window, now = Window(span, width), 0
    amounts: list[tuple[int, int]] = []
    for pause, amount in added:
        now += pause
        total = window.total(now)
        assert sum(one for at, one in amounts if now - at < span) <= total
        assert total <= sum(one for at, one in amounts if now - at < span + width)
        wait = window.wait(now, room)
        assert (wait == 0) == (total <= room)
        if wait:
            later = Window(span, width)
            for at, one in amounts:
                later.add(at, one)
            assert later.total(now + wait - 1) > room
            assert later.total(now + wait) <= room
        window.add(now, amount)
        amounts.append((now, amount))
        assert not window.empty(now)
    assert window.empty(now + span + width)


def test_what_is_added_late_counts_with_the_newest() -> None:
    window = Window(600, 10)
    window.add(100, 1)
    window.add(85, 1)
    assert window.total(100) == 2
    assert window.wait(100, 0) == 610
    assert window.total(709) == 2
    assert window.total(710) == 0


def test_what_is_taken_back_counts_no_more_and_what_was_forgotten_stays_so() -> None:
    window = Window(600, 10)
    window.add(5, 3)
    window.add(15, 2)
    window.take_back(5, 1)
    assert window.total(15) == 4
    assert window.total(610) == 2
    window.take_back(5, 1)
    assert window.total(610) == 2


def test_no_room_at_all_is_waited_for_by_nobody() -> None:
    assert Window(600, 10).wait(0, -1) is None
    assert Window(600, 10).wait(0, 0) == 0
