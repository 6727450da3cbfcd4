"""Whatever is asked in whatever order: against a model that keeps every call and counts anew each time.

The model is written from what the limits mean: a limit of a window is never exceeded within its span, refuses nobody once so
much time has passed that a whole part more is over, and `retry_after` is the time after which the request is let through.
`C2C_LIMIT_HISTORIES` sets how many histories are tried.
"""

import os
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from c2c_stasis.ids import CallId
from c2c_stasis.policy.engine import decide
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import Ceilings, Settings
from c2c_stasis.policy.usage import Usage
from tests.policy.asking import BERLIN, LONDON, emergency, extension, external

TEN_MINUTES, HOUR, DAY = 600, 3600, 86_400
LATE = {"same_destination": 10, "international": 60, "minutes": 900}  # seconds that a limit may let go late


@dataclass
class Kept:
    """A call as the model keeps it, with times in milliseconds."""

    request: Request
    began: int
    connected: int | None = None
    ended: int | None = None


class Model:
    """Every call there ever was."""

    def __init__(self, ceilings: dict[str, Ceilings]) -> None:
        self.ceilings = ceilings
        self.kept: list[Kept] = []
        self.tokens: dict[tuple[str, str], tuple[Fraction, int]] = {}

    def of(self, scope: str, request: Request) -> list[Kept]:
        name = {"user": "user_id", "account": "account_id", "key": "key_id"}[scope]
        return [one for one in self.kept if getattr(one.request, name) == getattr(request, name)]

    def level(self, scope: str, request: Request, now: int) -> Fraction:
        ceilings = self.ceilings[scope]
        owner = (scope, str(getattr(request, f"{scope}_id")))
        tokens, then = self.tokens.get(owner, (Fraction(ceilings.burst), now))
        return min(
            Fraction(ceilings.burst), tokens + Fraction(now - then, 1000) * Fraction(ceilings.starts_per_second or 0)
        )

    def refusing(self, request: Request, now: int, late: int) -> set[str]:
        """The rules that refuse; windows are longer by a part when `late`."""
        found = set()
        for scope in ("user", "account", "key"):
            if scope == "key" and request.key_id is None:
                continue
            ceilings, calls = self.ceilings[scope], self.of(scope, request)
            if ceilings.calls is not None and sum(one.ended is None for one in calls) >= ceilings.calls:
                found.add("user_busy" if scope == "user" else f"{scope}_calls")
            counted = [one for one in calls if one.request.kind != "emergency"]
            rate = ceilings.starts_per_second
            if rate is not None and (rate == 0 or self.level(scope, request, now) < 1):
                found.add(f"{scope}_starts")
            outside = [one for one in counted if one.request.kind == "external"]
            if request.kind != "external":
                continue
            if ceilings.same_destination is not None:
                since = now - (TEN_MINUTES + late * LATE["same_destination"]) * 1000
                same = [one for one in outside if one.request.number == request.number and one.began > since]
                if len(same) >= ceilings.same_destination:
                    found.add(f"{scope}_same_destination")
            if ceilings.international is not None and not request.number.startswith("+1"):
                since = now - (HOUR + late * LATE["international"]) * 1000
                abroad = [one for one in outside if not one.request.number.startswith("+1") and one.began > since]
                if len(abroad) >= ceilings.international:
                    found.add(f"{scope}_international")
            if ceilings.minutes is not None:
                since = now - (DAY + late * LATE["minutes"]) * 1000
                talked = sum(
                    (one.ended if one.ended is not None else now) - one.connected
                    for one in outside
                    if one.connected is not None and (one.ended is None or one.ended > since)
                )
                if talked > (ceilings.minutes - 1) * 60_000:
                    found.add(f"{scope}_minutes")
        return found

    def begin(self, request: Request, now: int) -> Kept:
        if request.kind != "emergency":
            for scope in ("user", "account", "key"):
                owner = (scope, str(getattr(request, f"{scope}_id")))
                self.tokens[owner] = (self.level(scope, request, now) - 1, now)
        self.kept.append(Kept(request, now))
        return self.kept[-1]


def limited(most: int) -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), st.integers(0, most))


ceilings = st.builds(
    Ceilings,
    starts_per_second=st.sampled_from([None, 0.0, 0.5, 1.0, 2.0, 8.0]),
    burst=st.integers(1, 3),
    calls=limited(3),
    same_destination=limited(3),
    international=limited(3),
    minutes=limited(20),
)
requests = st.one_of(
    st.builds(
        external,
        st.sampled_from(["+12125550123", "+12125550124", LONDON, BERLIN]),
        user=st.sampled_from(["alice", "bob"]),
        key=st.sampled_from(["key", None]),
    ),
    st.just(extension()),
    st.just(emergency()),
)
pauses = st.sampled_from(
    [0, 1, 50, 400, 500, 1_000, 5_000, 60_000, 300_000, 600_000, 610_000, 1_800_000, 3_600_000, 43_200_000]
)
steps = st.tuples(pauses, requests, st.sampled_from(["rings", "talks", "ends", "ends later"]), st.integers(0, 5))


@settings(max_examples=int(os.environ.get("C2C_LIMIT_HISTORIES", "300")))
@given(user=ceilings, account=ceilings, key=ceilings, history=st.lists(steps, min_size=1, max_size=30))
def test_limits_are_what_they_mean(
    user: Ceilings,
    account: Ceilings,
    key: Ceilings,
    history: list[tuple[int, Request, str, int]],
) -> None:
    allowed = Settings(regions=("*",), user=user, account=account, key=key)
    usage, model = Usage(), Model({"user": user, "account": account, "key": key})
    names: dict[int, CallId] = {}
    now = 0
    for number, (pause, request, fate, which) in enumerate(history):
        now += pause
        at = now / 1000
        decision = decide(request, allowed, usage, at)
        surely, perhaps = model.refusing(request, now, late=0), model.refusing(request, now, late=1)
        if request.kind == "emergency":
            assert decision.allowed
        elif decision.allowed:
            assert not surely
        else:
            assert decision.rule in perhaps
            _check_retry_after(decision, request, allowed, usage, at)
        if decision.allowed:
            call = model.begin(request, now)
            names[id(call)] = CallId(f"call_{number}")
            usage.begin(names[id(call)], request, decision, allowed, at)
        live = [call for call in model.kept if call.ended is None]
        if not live:
            continue
        chosen = live[which % len(live)]
        if fate == "talks" and chosen.connected is None:
            chosen.connected = now
            usage.connect(names[id(chosen)], at)
        elif fate == "ends":
            chosen.ended = now
            usage.end(names[id(chosen)], at)


def _check_retry_after(decision: Decision, request: Request, allowed: Settings, usage: Usage, at: float) -> None:
    """When nothing happens meanwhile, and no call has to end for it, the request is let through then."""
    retry_after = decision.retry_after
    if retry_after is None or decision.limit == 0 or decision.rule.endswith("_calls"):
        return
    if retry_after > 1:
        assert not decide(request, allowed, deepcopy(usage), at + retry_after - 1).allowed
    later = decide(request, allowed, deepcopy(usage), at + retry_after)  # a copy: nothing shall be forgotten now
    assert later.allowed or later.rule.endswith(("_calls", "_minutes")) or later.rule == "user_busy"
