"""What the policy lets through and refuses while calls come and go: counted exactly, whatever fails and whoever restarts."""

import asyncio
import logging
from dataclasses import replace

import pytest
from msgspec import structs

from c2c_stasis.call.model import Reason
from c2c_stasis.errors import ClickToCallError, DestinationNotAllowed, LimitReached, StoreUnavailable, UserBusy
from c2c_stasis.ids import CallId
from c2c_stasis.policy.rates import Rate, Rates
from c2c_stasis.policy.settings import Ceilings, Settings
from tests.scenarios.house import NUMBER, RING, House

pytestmark = pytest.mark.asyncio(loop_scope="function")

NOTHING = Ceilings(starts_per_second=0, calls=0, same_destination=0, international=0, minutes=0, spend=0)


@pytest.fixture(params=["in memory", "on disk"])
def any_house(request: pytest.FixtureRequest) -> House:
    """The same stories over both stores."""
    house: House = request.getfixturevalue("house" if request.param == "in memory" else "old_house")
    return house


def allow(house: House, **account: float) -> None:
    """Let these be the limits of the account, now and after a restart."""
    house.policy = Settings(account=Ceilings(**account))  # type: ignore[arg-type]  # each has its own type
    house.service.permission.use(house.policy)


async def refusal(house: House, dial_string: str = NUMBER, who: str = "ann") -> ClickToCallError:
    """Why a call is refused."""
    with pytest.raises(ClickToCallError) as caught:
        await house.place(dial_string, who)
    return caught.value


async def limit(house: House, dial_string: str = NUMBER, who: str = "ann") -> tuple[str, int]:
    """Which limit refuses a call, and for how long."""
    error = await refusal(house, dial_string, who)
    assert isinstance(error, LimitReached)
    return error.rule, error.retry_after


async def test_a_call_that_could_not_be_recorded_is_not_counted(house: House) -> None:
    allow(house, calls=1, same_destination=1, starts_per_second=0.01)
    house.store.full = True
    with pytest.raises(StoreUnavailable):
        await house.place()
    await house.store.mend()
    await house.cancel(await house.place())
    assert (await limit(house))[0] == "account_same_destination"


async def test_of_many_requests_at_once_as_many_pass_as_there_are_places(house: House) -> None:
    allow(house, calls=3)
    house.store.slow = 0.05  # none is recorded yet when the last one comes
    account, people = house.people.account, house.people.users

    async def ask(number: int) -> CallId:
        user = people[("ann", "bob", "cat")[number % 3]]
        dialled = f"+1202555{number:04d}"
        return (await house.service.place(account, user.id, dialled, livemode=True, metadata={})).id

    asking = [asyncio.create_task(ask(number)) for number in range(30)]
    await house.clock.until(lambda: all(one.done() for one in asking), "every answer")
    refused = [error for one in asking if (error := one.exception()) is not None]
    assert len(refused) == 27
    assert {error.rule for error in refused if isinstance(error, LimitReached)} == {"account_calls"}
    house.store.slow = 0
    for one in asking:
        if one.exception() is None:
            await house.cancel(one.result())


async def test_a_call_is_cut_when_the_minutes_are_used_up_and_no_other_begins(house: House) -> None:
    allow(house, minutes=1)
    call_id = await house.talking()
    assert (await house.call(call_id)).limits.max_duration == 60
    assert (await house.end_of(call_id, within=120)).reason is Reason.MAX_DURATION
    rule, wait = await limit(house)
    assert (rule, 86_000 < wait <= 86_400 + 900) == ("account_minutes", True)
    await house.clock.advance(wait)
    await house.cancel(await house.place())


async def test_money_cuts_a_call_as_well_and_what_has_no_price_is_not_dialled(house: House) -> None:
    rates = Rates({"+1555": Rate(1_000_000, 60, 60)})
    house.service.permission.use(Settings(account=Ceilings(spend=2.0), rates=rates))
    call_id = await house.talking()
    assert (await house.call(call_id)).limits.max_duration == 120
    assert isinstance(error := await refusal(house, "+12125550100"), DestinationNotAllowed)
    assert error.rule == "no_rate"
    await house.end_of(call_id, within=180)
    assert (await limit(house))[0] == "account_spend"


async def test_with_every_limit_at_zero_and_the_account_closed_emergency_numbers_are_dialled(house: House) -> None:
    house.service.permission.use(Settings(outbound_enabled=False, user=NOTHING, account=NOTHING, key=NOTHING))
    assert isinstance(await refusal(house), DestinationNotAllowed)
    call_id = await house.place("911")
    call = await house.call(call_id)
    assert (call.rule, call.limits.max_duration) == ("emergency", 600.0)
    await house.cancel(call_id)


async def test_a_colleague_is_called_while_telephone_numbers_are_switched_off(house: House) -> None:
    house.service.permission.use(Settings(outbound_enabled=False))
    call_id = await house.place("1002")
    assert (await house.call(call_id)).rule == "extension"
    await house.cancel(call_id)


async def test_what_was_counted_before_a_restart_counts_after_it(any_house: House) -> None:
    house = any_house
    allow(house, same_destination=1, international=1, calls=1)
    house.policy = structs.replace(house.policy, regions=("GB",))
    house.service.permission.use(house.policy)
    call_id = await house.talking("+442079460018")
    await house.restart_service(after=30.0)
    assert (await limit(house))[0] == "account_calls"
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    await house.restart_service(after=30.0)
    assert (await limit(house, "+442079460018"))[0] == "account_international"
    await house.cancel(await house.place())
    assert (await limit(house))[0] == "account_same_destination"


@pytest.mark.parametrize("set_by", [0.0, -3_600.0, 3_600.0])
async def test_a_talk_that_outlives_a_restart_is_counted_whole_whatever_becomes_of_the_wall_clock(
    any_house: House, set_by: float
) -> None:
    house = any_house
    allow(house, minutes=3)
    call_id = await house.talking()
    await house.clock.advance(45.0)
    await house.close()
    await house.clock.advance(30.0)
    house.clock.set_by = set_by
    await house.begin_again()
    await house.clock.advance(30.0)
    house.carrier.last.hang_up()
    await house.end_of(call_id)
    another = await house.place()
    assert (await house.call(another)).limits.max_duration == pytest.approx(180 - 105, abs=1)
    await house.cancel(another)


async def test_who_has_as_many_calls_as_may_be_is_told_so_and_may_call_again_after_one(house: House) -> None:
    house.service.permission.use(Settings(user=Ceilings(calls=1)))
    call_id = await house.place()
    assert isinstance(await refusal(house), UserBusy)
    await house.cancel(call_id)
    await house.cancel(await house.place())


async def test_a_user_without_a_phone_is_busy_with_nothing(house: House) -> None:
    house.service.permission.use(Settings(user=Ceilings(calls=1)))
    for _ in range(3):
        await house.place(who="dan")  # ends with its acceptance: no_device


async def test_an_account_has_a_policy_of_its_own_and_one_that_nobody_can_read_forbids_all(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    account = house.people.account

    async def place_as(policy: str, dial_string: str = NUMBER) -> str | None:
        ann = house.people.users["ann"].id
        asked = replace(account, policy=policy)
        call = await house.service.place(asked, ann, dial_string, livemode=True, metadata={})
        await house.cancel(call.id)
        return call.rule

    assert await place_as("{}") == "home_region"
    assert await place_as('{"allow_regions": ["GB"]}', "+442079460018") == "allowed_region"
    with pytest.raises(DestinationNotAllowed):
        await place_as('{"outbound_enabled": false}')
    with pytest.raises(LimitReached):
        await place_as('{"limits": {"calls_at_a_time": 0}}')
    with caplog.at_level(logging.ERROR), pytest.raises(DestinationNotAllowed):
        await place_as('{"of_tomorrow": true}')
    assert "policy of an account cannot be read" in caplog.text
    assert await place_as("{}") == "home_region"


async def test_every_decision_is_counted_by_its_rule(house: House) -> None:
    await house.cancel(await house.place())
    for dial_string in ("+442079460018", "12", "+19002345678", "+442079460018"):
        await refusal(house, dial_string)
    text = house.service.live_calls._metrics.text().decode()
    counted = [line for line in text.splitlines() if line.startswith("c2c_policy_decisions_total")]
    assert counted == [
        'c2c_policy_decisions_total{rule="home_region"} 1.0',
        'c2c_policy_decisions_total{rule="other_region"} 2.0',
        'c2c_policy_decisions_total{rule="impossible_number"} 1.0',
        'c2c_policy_decisions_total{rule="premium_rate"} 1.0',
    ]
    await house.clock.advance(RING)
