"""What the call log tells of the time before a start: nothing of it is lost by adding up what is long over."""

from dataclasses import replace

import pytest

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.directory.model import Account
from c2c_stasis.ids import AccountId, CallId, PlatformId, UserId
from c2c_stasis.policy.rates import Rate, Rates
from c2c_stasis.policy.settings import Ceilings, Settings
from c2c_stasis.ports import RecentCall
from c2c_stasis.service.recalling import recall

ACCOUNT = Account(AccountId("acct_1"), PlatformId("plat_1"), "Bakery")


def home(_user_id: UserId) -> str:
    return "US"


NOW = 1_700_000_100.0  # some seconds after a full quarter of an hour
HOUR = 3_600.0


def a_call(name: str, *, began: float, talked: float | None = 60.0, number: str = "+15551234567") -> RecentCall:
    """A call that began so many seconds ago, and whose destination answered at once."""
    started = NOW - began
    return RecentCall(
        CallId(name),
        ACCOUNT.id,
        UserId("ann"),
        "key_1",
        DestinationKind.EXTERNAL,
        number,
        livemode=True,
        live=False,
        started_at=started,
        connected_at=None if talked is None else started,
        ended_at=started + (talked or 5.0),
    )


def test_what_began_within_the_hour_is_told_call_by_call() -> None:
    calls = [a_call("1", began=600.0), a_call("2", began=610.0, number="+442079460018")]
    one, other = recall(calls, home, Settings(), NOW)
    assert (one.request.number, one.international, one.talked, one.age) == ("+15551234567", False, 60.0, 600.0)
    assert (other.request.number, other.international, other.ended) == ("+442079460018", True, 550.0)


def test_what_is_abroad_is_told_from_where_the_user_is() -> None:
    calls = [a_call("1", began=600.0), a_call("2", began=610.0, number="+442079460018")]
    found = recall(calls, lambda _user_id: "GB", Settings(), NOW)
    assert [one.international for one in found] == [True, False]


def test_talks_of_one_quarter_of_an_hour_are_added_up_and_end_with_the_last_of_them() -> None:
    calls = [a_call(str(at), began=5 * HOUR + at, talked=60.0 + at) for at in (200.0, 100.0, 300.0)]
    (one,) = recall(calls, home, Settings(), NOW)
    assert (one.talked, one.ended) == (780.0, 5 * HOUR - 60.0)
    assert (one.request.user_id, one.request.key_id, one.request.kind) == ("ann", "key_1", DestinationKind.EXTERNAL)


@pytest.mark.parametrize(
    "other",
    [{"user_id": UserId("bob")}, {"key_id": None}, {"livemode": False}, {"ended_at": NOW - 4 * HOUR}],
    ids=str,
)
def test_what_is_counted_apart_is_added_up_apart(other: dict[str, object]) -> None:
    first = a_call("1", began=5 * HOUR)
    assert len(list(recall([first, replace(first, **other)], home, Settings(), NOW))) == 2  # type: ignore[arg-type]


def test_what_has_a_price_is_told_call_by_call_and_so_is_a_number_that_was_erased() -> None:
    priced = Settings(account=Ceilings(spend=1.0), rates=Rates({"+1": Rate(1_000_000)}))
    calls = [a_call("1", began=5 * HOUR), a_call("2", began=5 * HOUR), a_call("3", began=5 * HOUR, number="")]
    assert [one.rate for one in recall(calls, home, priced, NOW)] == [Rate(1_000_000), Rate(1_000_000), None]


def test_a_live_call_counts_and_tells_itself_since_when_it_talks() -> None:
    live = replace(a_call("1", began=5 * HOUR), live=True, ended_at=None)
    (one,) = recall([live], home, Settings(), NOW)
    assert (one.ended, one.talked, one.age) == (None, 0.0, 5 * HOUR)


def test_colleagues_who_talked_hours_ago_count_for_nothing() -> None:
    call = replace(a_call("1", began=5 * HOUR), kind=DestinationKind.EXTENSION)
    assert list(recall([call], home, Settings(), NOW)) == []
