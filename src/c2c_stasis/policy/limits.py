"""Whether there were not too many calls lately: of the user, of the account, with the key."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf

from msgspec.structs import replace

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.policy.counting import SECOND, Window, nanoseconds
from c2c_stasis.policy.rates import MONEY, Rate
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.rules import VERDICTS, Rule
from c2c_stasis.policy.settings import Ceilings, Scope, Settings
from c2c_stasis.policy.usage import DAY, Tally, Usage

A_CALL_ENDS = 5  # seconds: nobody knows when one of the present calls ends; whoever waits so long is no burden
NEVER = 3600  # seconds: as it is set, nothing of this kind will ever be let through; somebody may change that
LEAST_TALK = 60  # seconds that must be left of the minutes: what is cut off sooner is no call

_NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A limit that is used up, what it is, and for how long: nanoseconds, None when it will never be otherwise."""

    rule: Rule
    limit: float
    wait: int | None

    @property
    def retry_after(self) -> int:
        """Whole seconds, after which the limit lets one through."""
        return NEVER if self.wait is None else max(1, ceil(self.wait / SECOND))


def admit(request: Request, judged: Decision, settings: Settings, usage: Usage, now: float) -> Decision:
    """The same decision, with how long the call may talk, or the refusal by the limit that is used up for the longest time.

    One is named of all that refuse, because the request has to wait for that one; but a user who has a call is told so before
    everything else.
    """
    moment = nanoseconds(now)
    longest: list[int] = []
    refusals: list[_Refusal] = []
    for scope in Scope:
        if scope is Scope.KEY and request.key_id is None:
            continue
        tally, ceilings = usage.tally(scope, request) or _NOTHING, settings.of(scope)
        refusals += _counted(scope, tally, ceilings, request, judged, moment)
        if request.kind is DestinationKind.EXTERNAL:
            refusals += _talked(scope, tally, ceilings, moment, longest)
            refusals += _spent(scope, tally, ceilings, judged.rate, moment, longest)
    if not refusals:
        return replace(judged, longest=min(longest, default=None))
    worst = next((one for one in refusals if one.rule is Rule.USER_BUSY), None)
    worst = worst or max(refusals, key=lambda one: inf if one.wait is None else one.wait)
    limit = f"{worst.limit:g}" if worst.limit < 1_000_000 else f"{worst.limit:.0f}"
    reason = VERDICTS[worst.rule].sentence.format(limit=limit, calls="call" if worst.limit == 1 else "calls")
    retry_after = None if worst.rule is Rule.USER_BUSY else max(one.retry_after for one in refusals)
    return replace(judged, rule=worst.rule, reason=reason, limit=worst.limit, retry_after=retry_after)


def _counted(
    scope: Scope, tally: Tally, ceilings: Ceilings, request: Request, judged: Decision, now: int
) -> Iterator[_Refusal]:
    """The limits of what is counted in calls."""
    if ceilings.calls is not None and len(tally.talks) >= ceilings.calls:
        wait = A_CALL_ENDS * SECOND if ceilings.calls else None
        yield _Refusal(Rule.USER_BUSY if scope is Scope.USER else Rule(f"{scope}_calls"), ceilings.calls, wait)
    if (rate := ceilings.starts_per_second) is not None:
        wait = tally.starts.wait(now, rate, ceilings.burst) if rate else None
        yield from _refusal(f"{scope}_starts", rate, wait)
    if ceilings.same_destination is not None and request.kind is DestinationKind.EXTERNAL:
        window = tally.destinations.get(request.number)
        room = ceilings.same_destination - 1
        wait = window.wait(now, room) if window else 0 if room >= 0 else None
        yield from _refusal(f"{scope}_same_destination", ceilings.same_destination, wait)
    if ceilings.international is not None and judged.international:
        wait = tally.international.wait(now, ceilings.international - 1)
        yield from _refusal(f"{scope}_international", ceilings.international, wait)


def _talked(scope: Scope, tally: Tally, ceilings: Ceilings, now: int, longest: list[int]) -> Iterator[_Refusal]:
    """The limit of minutes; calls that there are count as far as they have come."""
    if ceilings.minutes is None:
        return
    limit, live = ceilings.minutes * 60 * SECOND, tally.talking(now)
    longest.append((limit - live - tally.ended_talk.total(now)) // SECOND)
    wait = _wait_of_day(tally.ended_talk, now, limit, live, LEAST_TALK * SECOND)
    yield from _refusal(f"{scope}_minutes", ceilings.minutes, wait)


def _spent(
    scope: Scope, tally: Tally, ceilings: Ceilings, rate: Rate | None, now: int, longest: list[int]
) -> Iterator[_Refusal]:
    """The limit of money; calls that there are count as far as they have come. What is free is always let through."""
    if ceilings.spend is None or rate is None or rate.per_minute == 0:
        return
    limit, live = round(ceilings.spend * MONEY), tally.spending(now)
    longest.append(rate.affords(limit - live - tally.ended_spend.total(now)))
    yield from _refusal(f"{scope}_spend", ceilings.spend, _wait_of_day(tally.ended_spend, now, limit, live, rate.least))


def _wait_of_day(window: Window, now: int, limit: int, live: int, least: int) -> int | None:
    """How long until `least` is left of the limit of a day; what live calls have used of it comes back a day later."""
    if limit < least:
        return None
    room = limit - live - least
    return DAY if room < 0 else window.wait(now, room)


def _refusal(rule: str, limit: float, wait: int | None) -> Iterator[_Refusal]:
    if wait != 0:
        yield _Refusal(Rule(rule), limit, wait)
