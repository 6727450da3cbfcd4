"""Whether there were not too many calls lately, in short stories; the clock is an argument."""

from itertools import count

import pytest
from msgspec.structs import replace

from c2c_stasis.ids import CallId
from c2c_stasis.policy.counting import Window
from c2c_stasis.policy.engine import decide, judge
from c2c_stasis.policy.prefixes import Prefixes
from c2c_stasis.policy.rates import Rate, Rates
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import Ceilings, Scope, Settings
from c2c_stasis.policy.usage import Past, Usage
from tests.policy.asking import BERLIN, DEFAULTS, LONDON, emergency, extension, external

NUMBER, OTHER = "+12125550123", "+12125550124"
HOUR, DAY = 3600.0, 86_400.0


class Line:
    """Requests, as a service treats them: what is let through is counted."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.usage = Usage()
        self.calls: list[CallId] = []
        self._ids = count(1)

    def asks(self, request: Request, at: float) -> Decision:
        """What would become of a request."""
        return decide(request, self.settings, self.usage, at)

    def calls_at(self, at: float, request: Request | None = None) -> Decision:
        """A request, and the call that follows when it is let through."""
        asked = request or external(NUMBER)
        decision = self.asks(asked, at)
        if decision.allowed:
            self.calls.append(CallId(f"call_{next(self._ids)}"))
            self.usage.begin(self.calls[-1], asked, decision, self.settings, at)
        return decision

    def talks(self, since: float, until: float, request: Request | None = None) -> Decision:
        """A call that is answered as soon as it begins, and ends."""
        decision = self.calls_at(since, request)
        if decision.allowed:
            self.usage.connect(self.calls[-1], since)
            self.usage.end(self.calls[-1], until)
        return decision


def user(**ceilings: float) -> Settings:
    return Settings(regions=("*",), user=Ceilings(**ceilings))  # type: ignore[arg-type] # whole numbers are given where they must be


def account(**ceilings: float) -> Settings:
    return Settings(regions=("*",), account=Ceilings(**ceilings))  # type: ignore[arg-type]


def key(**ceilings: float) -> Settings:
    return Settings(regions=("*",), key=Ceilings(**ceilings))  # type: ignore[arg-type]


def test_a_burst_passes_and_then_one_a_second() -> None:
    line = Line(user(starts_per_second=1, burst=3))
    assert [line.calls_at(100.0).allowed for _ in range(5)] == [True, True, True, False, False]
    refusal = line.calls_at(100.25)
    assert (refusal.rule, refusal.status, refusal.retry_after) == ("user_starts", 429, 1)
    assert refusal.reason == "the user begins more than 1 call a second"
    assert line.calls_at(100.999).allowed is False
    assert line.calls_at(101.0).allowed
    assert line.calls_at(101.0).allowed is False


def test_another_user_has_a_burst_of_its_own_and_the_account_one_for_all() -> None:
    line = Line(replace(user(starts_per_second=1, burst=2), account=Ceilings(starts_per_second=1, burst=3)))
    assert line.calls_at(0.0).allowed
    assert line.calls_at(0.0).allowed
    assert line.calls_at(0.0).rule == "user_starts"
    bob = external(NUMBER, user="bob")
    assert line.calls_at(0.0, bob).allowed
    assert line.calls_at(0.0, bob).rule == "account_starts"


def test_calls_of_test_keys_are_counted_apart() -> None:
    line = Line(user(starts_per_second=1, burst=1))
    assert line.calls_at(0.0, external(NUMBER, live=False)).allowed
    assert line.calls_at(0.0).allowed
    assert line.calls_at(0.0).rule == "user_starts"


def test_a_session_has_no_limits_of_a_key() -> None:
    line = Line(key(starts_per_second=0))
    assert line.asks(external(NUMBER), 0.0).rule == "key_starts"
    assert line.calls_at(0.0, external(NUMBER, key=None)).allowed
    assert len(line.usage) == 2  # the user and the account


def test_a_user_who_has_a_call_is_busy_before_everything_else() -> None:
    line = Line(replace(user(calls=1), account=Ceilings(minutes=0)))
    line.settings = user(calls=1)
    assert line.calls_at(0.0).allowed
    line.settings = replace(user(calls=1), account=Ceilings(minutes=0))
    refusal = line.asks(external(NUMBER), 1.0)
    assert (refusal.rule, refusal.status, refusal.retry_after) == ("user_busy", 409, None)
    assert refusal.reason == "the user already has 1 call"
    assert (refusal.limit, refusal.code) == (1, "user_busy")
    line.usage.end(line.calls[0], 2.0)
    assert line.asks(external(NUMBER), 2.0).rule == "account_minutes"


def test_calls_at_a_time_are_those_that_have_not_ended() -> None:
    line = Line(account(calls=2))
    for one in ("alice", "bob"):
        assert line.calls_at(0.0, external(NUMBER, user=one)).allowed
    refusal = line.calls_at(1.0, extension())
    assert (refusal.rule, refusal.retry_after) == ("account_calls", 5)
    assert refusal.reason == "the account already has 2 calls"
    line.usage.end(line.calls[0], 2.0)
    line.usage.end(line.calls[0], 2.0)
    assert line.calls_at(2.0, extension()).allowed
    assert line.calls_at(2.0, extension()).rule == "account_calls"


def test_an_emergency_call_is_one_of_those_that_there_are_and_counts_for_nothing_else() -> None:
    limits = Ceilings(starts_per_second=1, burst=1, same_destination=1, international=0, minutes=1, calls=2)
    line = Line(Settings(user=limits, account=limits, key=limits))
    for _ in range(50):
        assert line.calls_at(0.0, emergency()).rule == "emergency"
    assert line.asks(external(NUMBER), 0.0).rule == "user_busy"
    for one in line.calls:
        line.usage.connect(one, 0.0)
        line.usage.end(one, 3600.0)
    assert line.calls_at(3600.0).allowed


@pytest.mark.parametrize("scope", ["user", "account", "key"])
def test_one_number_is_not_called_again_and_again(scope: str) -> None:
    line = Line({"user": user, "account": account, "key": key}[scope](same_destination=2))
    assert line.talks(0.0, 1.0).allowed
    assert line.talks(60.0, 61.0).allowed
    refusal = line.calls_at(120.0)
    assert refusal.rule == f"{scope}_same_destination"
    assert refusal.retry_after == 490  # ten minutes after the part of ten seconds in which the first began
    assert line.asks(external(NUMBER), 120.5).retry_after == 490  # 489.5 would be too early
    assert line.calls_at(120.0, external(OTHER)).allowed
    assert line.asks(external(NUMBER), 609.9).allowed is False
    assert line.asks(external(NUMBER), 610.0).allowed


def test_a_colleague_may_be_called_as_often_as_one_likes() -> None:
    line = Line(account(same_destination=1, international=0, minutes=0))
    assert all(line.talks(at, at + 1.0, extension()).allowed for at in range(20))
    assert Line(account(same_destination=0)).asks(extension(), 0.0).allowed


@pytest.mark.parametrize("scope", ["user", "account", "key"])
def test_calls_abroad_are_limited_by_the_hour(scope: str) -> None:
    line = Line({"user": user, "account": account, "key": key}[scope](international=2))
    assert line.calls_at(0.0, external(LONDON)).allowed
    assert line.calls_at(1800.0, external(BERLIN)).allowed
    refusal = line.calls_at(1830.0, external(LONDON))
    assert (refusal.rule, refusal.retry_after) == (f"{scope}_international", 1830)
    assert line.calls_at(1830.0).allowed  # at home
    assert line.calls_at(1830.0 + 1829, external(LONDON)).allowed is False
    assert line.calls_at(1830.0 + 1830, external(LONDON)).allowed


def test_a_prefix_that_is_allowed_does_not_make_a_call_one_at_home() -> None:
    line = Line(replace(account(international=0), prefixes=Prefixes.of(["+44"], [])))
    assert line.calls_at(0.0, external(LONDON)).rule == "account_international"


@pytest.mark.parametrize("scope", ["user", "account", "key"])
def test_minutes_of_a_day_are_used_up(scope: str) -> None:
    line = Line({"user": user, "account": account, "key": key}[scope](minutes=10))
    assert line.asks(external(NUMBER), 0.0).longest == 600
    assert line.talks(0.0, 300.0).allowed
    assert line.asks(external(NUMBER), 300.0).longest == 300
    assert line.talks(900.0, 1141.0).allowed
    refusal = line.asks(external(NUMBER), 1141.0)  # 59 s are left
    assert refusal.rule == f"{scope}_minutes"
    assert refusal.retry_after == 900 + DAY - 1141  # a day after the quarter of an hour in which the first ended
    assert line.asks(external(NUMBER), 1141.0 + refusal.retry_after - 1).allowed is False
    later = line.asks(external(NUMBER), 1141.0 + refusal.retry_after)
    assert (later.allowed, later.longest) == (True, 359)


def test_minutes_run_while_they_talk() -> None:
    line = Line(account(minutes=10))
    line.calls_at(0.0)
    assert line.asks(external(OTHER), 400.0).longest == 600  # nobody has answered
    line.usage.connect(line.calls[0], 400.0)
    line.usage.connect(line.calls[0], 500.0)  # said twice
    assert line.asks(external(OTHER), 500.0).longest == 500
    assert line.asks(external(OTHER), 300.0).longest == 600  # a clock that comes early
    refusal = line.asks(external(OTHER), 941.0)
    assert (refusal.rule, refusal.retry_after) == ("account_minutes", DAY)
    line.usage.end(line.calls[0], 1000.0)
    refusal = line.asks(external(OTHER), 1000.0)
    assert refusal.retry_after == 1800 + DAY - 1000


def test_what_is_never_let_through_is_said_to_be_tried_in_an_hour() -> None:
    zero = Ceilings(starts_per_second=0, calls=0, same_destination=0, international=0, minutes=0, spend=0.0)
    rates = Rates({"+": Rate(10_000)})
    for name in ("starts_per_second", "calls", "same_destination", "international", "minutes", "spend"):
        settings = replace(account(**{name: getattr(zero, name)}), rates=rates)
        refusal = Line(settings).asks(external(LONDON), 0.0)
        assert (refusal.status, refusal.retry_after) == (429, 3600), name


def test_money_of_a_day_is_used_up() -> None:
    rates = Rates({"+1": Rate(10_000), "+44": Rate(100_000, 30, 6), "+1800": Rate(0)})
    for scope in ("user", "account", "key"):
        line = Line(replace({"user": user, "account": account, "key": key}[scope](spend=0.105), rates=rates))
        assert line.asks(external(NUMBER), 0.0).longest == 600
        assert line.asks(external(LONDON), 0.0).longest == 60  # 30 s, and 5 times 6 s
        assert line.talks(0.0, 200.0).allowed  # four minutes
        assert line.asks(external(NUMBER), 200.0).longest == 360
        assert line.asks(external(LONDON), 200.0).longest == 36
        assert line.talks(200.0, 201.0, external(LONDON)).allowed  # half a minute
        refusal = line.asks(external(LONDON), 300.0)  # 0.015 is left
        assert refusal.rule == f"{scope}_spend"
        assert refusal.reason == f"the {scope} has spent 0.105 within 24 hours"
        assert refusal.retry_after == 900 + DAY - 300
        assert line.asks(external(NUMBER), 300.0).longest == 60
        free = line.asks(external("+18005551234"), 300.0)
        assert (free.allowed, free.longest) == (True, None)


def test_money_runs_while_they_talk() -> None:
    line = Line(replace(account(spend=0.03), rates=Rates({"+1": Rate(10_000)})))
    line.calls_at(0.0)
    line.usage.connect(line.calls[0], 10.0)
    assert line.asks(external(OTHER), 10.0).longest == 180
    assert line.asks(external(OTHER), 11.0).longest == 120
    refusal = line.asks(external(OTHER), 131.0)
    assert (refusal.rule, refusal.retry_after) == ("account_spend", DAY)


def test_of_several_limits_the_one_is_named_that_must_be_waited_for() -> None:
    line = Line(replace(user(starts_per_second=1, burst=1), account=Ceilings(same_destination=1, international=1)))
    assert line.calls_at(0.0, external(LONDON)).allowed
    assert line.asks(external(LONDON), 0.5).rule == "account_international"
    assert line.asks(external(NUMBER), 0.5).rule == "user_starts"
    at_home = Line(replace(user(starts_per_second=1, burst=1), account=Ceilings(same_destination=1)))
    assert at_home.calls_at(0.0).allowed
    assert at_home.asks(external(NUMBER), 0.5).rule == "account_same_destination"


def test_what_is_never_let_through_is_named_before_what_takes_a_day() -> None:
    line = Line(replace(account(minutes=10), user=Ceilings(international=0)))
    assert line.talks(0.0, 600.0).allowed
    refusal = line.asks(external(LONDON), 600.0)
    assert (refusal.rule, refusal.retry_after) == ("user_international", 900 + DAY - 600)


def test_a_call_that_could_not_be_recorded_is_as_if_it_had_never_begun() -> None:
    limits = Ceilings(starts_per_second=1, burst=1, calls=1, same_destination=1, international=1)
    line = Line(Settings(regions=("*",), user=limits, account=limits, key=limits))
    assert line.calls_at(0.0, external(LONDON)).allowed
    assert not line.asks(external(LONDON), 0.0).allowed
    line.usage.withdraw(line.calls[0])
    line.usage.withdraw(line.calls[0])
    assert line.calls_at(0.0, external(LONDON)).allowed
    line.usage.withdraw(line.calls[1])
    assert line.calls_at(0.0).allowed  # at home
    line.usage.withdraw(line.calls[2])
    assert line.calls_at(0.0, extension()).allowed
    line.usage.withdraw(line.calls[3])
    assert line.calls_at(0.0, emergency()).allowed
    line.usage.withdraw(line.calls[4])
    assert line.calls_at(0.0, external(LONDON)).allowed


def test_an_emergency_call_that_could_not_be_recorded_gives_nobody_another_start() -> None:
    line = Line(user(starts_per_second=1, burst=1))
    assert line.calls_at(0.0).allowed
    line.calls_at(0.0, emergency())
    line.usage.withdraw(line.calls[1])
    assert line.asks(external(NUMBER), 0.0).rule == "user_starts"


def test_what_is_withdrawn_without_limits_leaves_nothing() -> None:
    line = Line(Settings())
    line.calls_at(0.0)
    line.usage.withdraw(line.calls[0])
    line.calls_at(0.0, emergency())
    assert len(line.usage) == 3  # of the newest call alone


def test_a_call_is_counted_once() -> None:
    line = Line(account(same_destination=2))
    decision = line.calls_at(0.0)
    line.usage.begin(line.calls[0], external(NUMBER), decision, line.settings, 1.0)
    assert line.asks(external(NUMBER), 1.0).allowed


def test_what_is_not_counted_may_end_and_be_answered() -> None:
    usage = Usage()
    usage.connect(CallId("call_x"), 0.0)
    usage.end(CallId("call_x"), 0.0)
    usage.withdraw(CallId("call_x"))
    assert usage.calls == 0
    assert len(usage) == 0


def test_who_has_just_used_up_the_burst_is_not_forgotten() -> None:
    line = Line(user(starts_per_second=0.01, burst=1))
    line.calls_at(0.0)
    line.usage.end(line.calls[0], 0.5)  # nobody answered
    line.calls_at(1.0, external(NUMBER, user="bob"))
    assert line.asks(external(NUMBER), 2.0).rule == "user_starts"


def test_the_smaller_limit_says_how_long_a_call_may_talk() -> None:
    line = Line(replace(user(minutes=5), account=Ceilings(minutes=10), key=Ceilings(minutes=7)))
    assert line.asks(external(NUMBER), 0.0).longest == 300


def test_who_has_not_called_for_long_is_forgotten() -> None:
    line = Line(DEFAULTS)
    for number in range(200):
        line.talks(float(number * 10), number * 10 + 5.0, external(f"+1212555{number:04}", user=f"user{number}"))
    assert len(line.usage) == 202  # the users, the account and the key
    for number in range(40):
        line.talks(2 * DAY + number, 2 * DAY + number + 1.0, external(f"+1212556{number:04}", user=f"late{number}"))
    assert len(line.usage) == 42
    tally = line.usage.tally(Scope.ACCOUNT, external(NUMBER))
    assert tally is not None
    assert len(tally.destinations) < 200  # of each call, two old ones are forgotten


def past(name: str, request: Request, age: float, **more: float | None) -> Past:
    decision = judge(request, Settings(regions=("*",)))
    return Past(CallId(name), request, age, international=decision.international, rate=Rate(10_000), **more)  # type: ignore[arg-type]


def test_after_a_start_what_there_was_counts_as_before() -> None:
    limits = Ceilings(calls=2, same_destination=2, international=2, minutes=100)
    line = Line(Settings(regions=("*",), account=limits))
    line.usage.restore(
        [
            past("live", external(NUMBER), 200.0, talked=120.0),
            past("ringing", external(OTHER), 10.0),
            past("yesterday", external(LONDON), 50_000.0, ended=44_000.0, talked=5_000.0),
            past("lately", external(LONDON), 300.0, ended=240.0, talked=50.0),
            past("in vain", external(LONDON), 200.0, ended=190.0),
            past("ahead of the clock", external(BERLIN), -5.0, ended=-3.0),
        ],
        line.settings,
        now=1000.0,
    )
    assert line.asks(external(BERLIN), 1000.0).rule == "account_international"
    line.usage.end(CallId("ringing"), 1000.0)
    line.usage.end(CallId("live"), 1060.0)
    assert line.asks(external(NUMBER), 1060.0).longest == 6000 - 5000 - 50 - 180
    assert line.asks(external(LONDON), 1060.0).rule == "account_international"
    line.settings = Settings(regions=("*",), account=Ceilings(same_destination=2))
    assert line.asks(external(LONDON), 1060.0).rule == "account_same_destination"
    assert line.asks(external(OTHER), 1060.0).allowed


def test_after_a_start_what_is_long_ago_counts_no_more() -> None:
    line = Line(account(international=1, same_destination=1))
    line.usage.restore([past("before", external(LONDON), 3_700.0, ended=3_600.0)], line.settings, now=10.0)
    assert line.asks(external(LONDON), 10.0).allowed


def test_after_a_start_live_calls_are_calls_that_there_are() -> None:
    line = Line(account(calls=1))
    line.usage.restore([past("live", external(NUMBER), 200.0)], line.settings, now=1000.0)
    assert line.asks(extension(), 1000.0).rule == "account_calls"


def test_a_large_limit_is_told_in_full() -> None:
    line = Line(account(spend=0.0))
    assert line.asks(external(NUMBER), 0.0).rule == "no_rate"
    rates = Rates({"+1": Rate(10_000)})
    line = Line(replace(account(spend=123_456_789), rates=rates))
    line.usage.restore(
        [Past(CallId("dear"), external(NUMBER), 10.0, 1.0, 5.0, False, Rate(200_000_000_000_000))], line.settings, 0.0
    )
    assert line.asks(external(NUMBER), 0.0).reason == "the account has spent 123456789 within 24 hours"


def test_whoever_called_a_thousand_numbers_costs_others_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day long the first of all has talk that counts, and numbers that count no more."""
    line = Line(user(same_destination=5, minutes=1_000_000))
    for number in range(1000):
        line.talks(number * 0.1, number * 0.1 + 60, external(f"+1212{2_000_000 + number}", user="busy"))
    looked = count()
    empty = Window.empty
    monkeypatch.setattr(Window, "empty", lambda window, now: next(looked) >= 0 and empty(window, now))
    for number in range(10):
        line.talks(2000.0 + number, 2001.0 + number, external(NUMBER, user=f"other {number}"))
    assert next(looked) < 200


def test_who_called_a_number_in_vain_is_not_forgotten_while_others_call() -> None:
    line = Line(user(same_destination=1))
    line.calls_at(0.0)
    line.usage.end(line.calls[-1], 1.0)
    for number in range(10):
        line.calls_at(10.0 + number, external(OTHER, user=f"other {number}"))
    assert not line.asks(external(NUMBER), 100.0).allowed
