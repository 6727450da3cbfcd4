"""What the call log tells of the time before a start, as limits count it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.ids import UserId
from c2c_stasis.policy.counting import SECOND
from c2c_stasis.policy.engine import judge
from c2c_stasis.policy.request import Request
from c2c_stasis.policy.settings import Settings
from c2c_stasis.policy.usage import DAY, INTERNATIONAL_SPAN, Past
from c2c_stasis.ports import RecentCall

LATELY = INTERNATIONAL_SPAN / SECOND
"""Seconds: of what began earlier, only how long it talked still counts."""
TALKED = DAY / SECOND + 86_400.0
"""Seconds: what began earlier has ended more than a day ago, for no call lasts longer than a day."""
_TOGETHER = 900  # seconds: what ended within them is counted together

Ended = tuple[str, str | None, bool, int]
"""Whose talks are counted together: of which user, with which key, in which mode, when."""


def recall(
    calls: Iterable[RecentCall], region_of: Callable[[UserId], str], settings: Settings, now: float
) -> Iterator[Past]:
    """Calls of one account as they count; `region_of` tells where a user is, `now` is Unix seconds.

    What is long over is added up, unless it had a price: a day of a busy account has a hundred thousand calls, and one that is
    counted by itself takes as long as fifty that are added up.
    """
    together: dict[Ended, RecentCall] = {}
    for one in calls:
        if one.live or now - one.started_at <= LATELY or settings.rates is not None:
            yield _past(one, region_of(one.user_id), settings, now)
        elif one.kind is DestinationKind.EXTERNAL:
            whose = one.user_id, one.key_id, one.livemode, int((one.ended_at or 0.0) // _TOGETHER)
            before = together.get(whose)
            together[whose] = one if before is None else _added(before, one)
    for one in together.values():
        yield _past(replace(one, number=""), region_of(one.user_id), settings, now)


def _added(one: RecentCall, other: RecentCall) -> RecentCall:
    """Two talks as one that is as long as both, and ended with the later one."""
    ended_at = max(one.ended_at or 0.0, other.ended_at or 0.0)
    return replace(one, ended_at=ended_at, connected_at=ended_at - _talked(one) - _talked(other))


def _talked(one: RecentCall) -> float:
    """Seconds. Since when a live call talks, its runner will tell by a clock that nobody sets."""
    if one.live or one.connected_at is None or one.ended_at is None:
        return 0.0
    return max(0.0, one.ended_at - one.connected_at)


def _past(one: RecentCall, region: str, settings: Settings, now: float) -> Past:
    """Whether it was international, and its price, are asked again; nobody can say it of a number that was erased."""
    request = Request(one.kind, one.number, region, one.account_id, one.user_id, one.key_id, one.livemode)
    judged = judge(request, settings) if one.number else None
    return Past(
        one.id,
        request,
        age=now - one.started_at,
        ended=None if one.live else now - (one.ended_at or one.started_at),
        talked=_talked(one),
        international=judged is not None and judged.international,
        rate=judged.rate if judged is not None else None,
    )
