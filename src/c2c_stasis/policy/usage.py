"""How much everybody calls: what is counted of users, accounts and keys, in memory.

Every moment given here is one of the monotonic clock, in seconds; a wall clock that is set moves nothing. After a start it is
told what there was lately (`restore`), from the call log. Emergency calls count as calls that there are, and for nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.ids import CallId
from c2c_stasis.policy.counting import SECOND, Bucket, Window, nanoseconds
from c2c_stasis.policy.rates import Rate
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import Ceilings, Scope, Settings

DESTINATION_SPAN = 600 * SECOND
INTERNATIONAL_SPAN = 3600 * SECOND
DAY = 24 * 3600 * SECOND
_DESTINATION_PART = 10 * SECOND  # a part is what a limit may be late in letting go
_INTERNATIONAL_PART = 60 * SECOND
_DAY_PART = 900 * SECOND

Owner = tuple[Scope, str | None, bool]
"""A user, account or key, and whether its calls are real ones."""


@dataclass(slots=True)
class Talk:
    """A call that there is, and since when it costs: since its destination answered."""

    request: Request
    began: int
    international: bool
    rate: Rate | None
    connected: int | None = None
    _cost: int = 0
    _until: int = 0  # as long as `_cost` holds

    @property
    def charged(self) -> bool:
        """Whether it costs: it goes to a telephone number, and has been answered."""
        return self.connected is not None and self.request.kind is DestinationKind.EXTERNAL

    def talked(self, now: int) -> int:
        """How long it has talked until now."""
        return max(0, now - self.connected) if self.connected is not None and self.charged else 0

    def spent(self, now: int) -> int:
        """What it has cost until now, in millionths."""
        return self.rate.cost(self.talked(now) / SECOND) if self.rate else 0

    def spends(self, now: int) -> int:
        """The same of a live call, whose time does not go back: for every new call it is asked of all that there are."""
        if now >= self._until:
            self._cost, talked = self.spent(now), self.talked(now) / SECOND
            if self.rate and self.connected is not None and talked > 0:
                self._until = self.connected + self.rate.charged(talked) * SECOND
        return self._cost


@dataclass(slots=True)
class Tally:
    """What is counted of one user, account or key."""

    starts: Bucket = field(default_factory=Bucket)
    talks: dict[CallId, Talk] = field(default_factory=dict)
    international: Window = field(default_factory=lambda: Window(INTERNATIONAL_SPAN, _INTERNATIONAL_PART))
    ended_talk: Window = field(default_factory=lambda: Window(DAY, _DAY_PART))
    ended_spend: Window = field(default_factory=lambda: Window(DAY, _DAY_PART))
    destinations: dict[str, Window] = field(default_factory=dict)
    """By number; the one that was called last is at the end."""
    _talking: int = 0  # of the calls that there are, how many cost
    _since: int = 0  # the sum of the moments since when

    def talking(self, now: int) -> int:
        """How long the calls have talked that there are."""
        return max(0, self._talking * now - self._since)

    def spending(self, now: int) -> int:
        """What the calls have cost that there are, in millionths."""
        return sum([talk.spends(now) for talk in self.talks.values()])

    def connected(self, talk: Talk) -> None:
        """A call that there is costs from now on."""
        if talk.charged:
            self._talking += 1
            self._since += talk.connected or 0

    def ended(self, call_id: CallId) -> None:
        """A call is there no longer."""
        talk = self.talks.pop(call_id)
        if talk.charged:
            self._talking -= 1
            self._since -= talk.connected or 0

    def idle(self, now: int) -> bool:
        """Whether it is as if nobody had ever called. Asked at every call of others: only the newest number is looked at."""
        newest = next(reversed(self.destinations), None)
        return (
            not self.talks
            and (newest is None or self.destinations[newest].empty(now))
            and self.starts.full(now)
            and all(window.empty(now) for window in (self.international, self.ended_talk, self.ended_spend))
        )

    def forget_destinations(self, now: int) -> None:
        """Forget some numbers that were not called lately."""
        for _ in range(2):
            number = next(iter(self.destinations), None)
            if number is None or not self.destinations[number].empty(now):
                return
            del self.destinations[number]


class Past(Struct, frozen=True):
    """A call of the log, as it counts after a start. It began `age` seconds ago, and ended so; it lives when it has not.

    `talked` are the seconds since its destination answered, until its end or now; 0 when it did not.
    """

    call_id: CallId
    request: Request
    age: float
    ended: float | None = None
    talked: float = 0.0
    international: bool = False
    rate: Rate | None = None


@dataclass(slots=True)
class _Begun:
    """A call that there is, where it is counted, and what the starts of each had to keep to."""

    talk: Talk
    counted: list[tuple[Tally, Ceilings]]


class Usage:
    """Who calls how much. Of one service there is one; it is asked and told without an await between, and so counts exactly."""

    def __init__(self) -> None:
        self._tallies: dict[Owner, Tally] = {}
        """The one that began a call last is at the end."""
        self._begun: dict[CallId, _Begun] = {}

    def __len__(self) -> int:
        """Of how many users, accounts and keys something is counted."""
        return len(self._tallies)

    @property
    def calls(self) -> int:
        """How many calls are counted as being there."""
        return len(self._begun)

    def tally(self, scope: Scope, request: Request) -> Tally | None:
        """What is counted of the user, account or key of a request; nothing if that is nothing, or if there is no such one."""
        return self._tallies.get(_owner(scope, request))

    def begin(self, call_id: CallId, request: Request, decision: Decision, settings: Settings, now: float) -> None:
        """Count a call that was let through. The same call is not counted twice."""
        at = nanoseconds(now)
        talk = Talk(request, at, decision.international, decision.rate)
        if call_id not in self._begun:
            self._forget(at)
            self._begin(call_id, talk, settings, starts=True)

    def withdraw(self, call_id: CallId) -> None:
        """Count a call no longer that has not come about, because it could not be recorded: as if it had never begun."""
        begun = self._begun.pop(call_id, None)
        if begun is None:
            return
        talk = begun.talk
        for tally, ceilings in begun.counted:
            tally.ended(call_id)
            if talk.request.kind is DestinationKind.EMERGENCY:
                continue
            if ceilings.starts_per_second:
                tally.starts.give_back()
            if talk.international:
                tally.international.take_back(talk.began, 1)
            if ceilings.same_destination is not None and talk.request.kind is DestinationKind.EXTERNAL:
                tally.destinations[talk.request.number].take_back(talk.began, 1)

    def connect(self, call_id: CallId, at: float) -> None:
        """The destination of a call has answered: from now on it costs."""
        begun = self._begun.get(call_id)
        if begun is not None and begun.talk.connected is None:
            begun.talk.connected = nanoseconds(at)
            for tally, _ in begun.counted:
                tally.connected(begun.talk)

    def end(self, call_id: CallId, at: float) -> None:
        """A call is over; what is not counted as begun is let pass."""
        begun = self._begun.pop(call_id, None)
        if begun is None:
            return
        moment = nanoseconds(at)
        for tally, _ in begun.counted:
            tally.ended(call_id)
            if begun.talk.charged:
                tally.ended_talk.add(moment, begun.talk.talked(moment))
                tally.ended_spend.add(moment, begun.talk.spent(moment))

    def restore(self, past: Iterable[Past], settings: Settings, now: float) -> None:
        """Count what there was of an account before a start: calls of the last day, and those that live.

        The starts of the last second are not counted again: after a start, each may begin as many calls at once as ever.
        """
        calls = sorted(past, key=lambda one: -one.age)
        for one in calls:
            talk = Talk(one.request, nanoseconds(now - max(0.0, one.age)), one.international, one.rate)
            self._begin(one.call_id, talk, settings, starts=False)
        for one in sorted(calls, key=lambda one: -(one.ended or 0.0)):
            ended = now - max(0.0, one.ended or 0.0)
            if one.talked > 0:
                self.connect(one.call_id, ended - one.talked)
            if one.ended is not None:
                self.end(one.call_id, ended)

    def _begin(self, call_id: CallId, talk: Talk, settings: Settings, *, starts: bool) -> None:
        begun = self._begun[call_id] = _Begun(talk, [])
        for scope in Scope:
            owner, ceilings = _owner(scope, talk.request), settings.of(scope)
            if owner[1] is None:
                continue
            tally = self._tallies.pop(owner) if owner in self._tallies else Tally()
            self._tallies[owner] = tally
            tally.talks[call_id] = talk
            begun.counted.append((tally, ceilings))
            if talk.request.kind is not DestinationKind.EMERGENCY:
                _count(tally, talk, ceilings, starts=starts)

    def _forget(self, now: int) -> None:
        """Forget who has not called for so long that nothing counts any more: each call makes room for more than it takes."""
        for _ in range(2 * len(Scope)):
            owner = next(iter(self._tallies), None)
            if owner is None or not self._tallies[owner].idle(now):
                return
            del self._tallies[owner]


def _count(tally: Tally, talk: Talk, ceilings: Ceilings, *, starts: bool) -> None:
    if starts and ceilings.starts_per_second:
        tally.starts.take(talk.began, ceilings.starts_per_second)
    if talk.international:
        tally.international.add(talk.began, 1)
    tally.forget_destinations(talk.began)
    if talk.request.kind is DestinationKind.EXTERNAL and ceilings.same_destination is not None:
        number = talk.request.number
        window = tally.destinations.pop(number, None) or Window(DESTINATION_SPAN, _DESTINATION_PART)
        window.add(talk.began, 1)
        tally.destinations[number] = window


def _owner(scope: Scope, request: Request) -> Owner:
    if scope is Scope.USER:
        return scope, request.user_id, request.livemode
    return scope, request.account_id if scope is Scope.ACCOUNT else request.key_id, request.livemode
