"""What leaves the database by itself."""

import pytest

from c2c_stasis.directory.call_log import Once
from c2c_stasis.errors import CallNotFound
from c2c_stasis.service.tidying import DAY, Tidying
from tests.scenarios.house import House

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_an_ended_call_goes_after_its_days_and_a_live_one_stays(house: House) -> None:
    old = await house.place("1004")  # nobody is there: it ends at once
    await house.cancel(old)
    await house.end_of(old)
    await house.clock.advance(2 * DAY)
    young = await house.place()
    tidying = Tidying(house.store, house.clock, 0)
    await tidying.once()
    assert (await house.stored(old)).id == old
    tidying.days = 3
    await tidying.once()
    assert (await house.stored(old)).id == old
    tidying.days = 1
    await tidying.once()
    with pytest.raises(CallNotFound):
        await house.stored(old)
    assert (await house.stored(young)).id == young
    await house.cancel(young)
    house.journal.clear()  # the house would look for the log of the deleted call


async def test_names_of_requests_go_after_a_day_whatever_is_configured(house: House) -> None:
    store = house.store.inner
    for age in (DAY + 1, DAY - 1):
        once = Once(house.people.account.id, True, f"{age}", "f")
        await store.remember_once(once, await house.place("1004"), house.clock.now().wall - age)
    await Tidying(house.store, house.clock, 0).once()
    left = [key for _, _, key in store.once]  # type: ignore[attr-defined]  # the store in memory
    assert left == [f"{DAY - 1}"]
