"""The directory changes while the service runs: the next call knows it, and a call under way keeps what it began with."""

from dataclasses import replace

import pytest

from c2c_stasis.call.model import CallState, Outcome, Reason
from c2c_stasis.directory.model import Device, DirectoryRows
from c2c_stasis.errors import NotAuthenticated, NumberNotDialable, StillInUse, StoreUnavailable, UserNotFound
from c2c_stasis.ids import DeviceId
from c2c_stasis.store.sql_store import SqlStore
from tests.fakes.store import MemoryStore
from tests.scenarios.house import House

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def change(house: House, **rows: object) -> None:
    """Change the directory and let the service read it again."""
    assert isinstance(house.store.inner, MemoryStore)
    house.store.inner.rows = replace(house.store.inner.rows, **rows)  # type: ignore[arg-type]  # its own fields
    await house.service.refresh_directory()


def rows(house: House) -> DirectoryRows:
    assert isinstance(house.store.inner, MemoryStore)
    return house.store.inner.rows


async def test_a_new_device_rings_with_the_next_call(house: House) -> None:
    house.phones["ann-3"] = house.switch.phone("ann-3")
    ann = house.people.users["ann"]
    new = Device(DeviceId("ep_new"), house.people.account.id, ann.id, "ann-3")
    await change(house, devices=(*rows(house).devices, new))
    call_id = await house.place()
    assert len(house.phones["ann-3"].rings) == 1
    await house.cancel(call_id)


async def test_a_device_that_was_removed_does_not_ring_any_more(house: House) -> None:
    await change(house, devices=tuple(device for device in rows(house).devices if device.endpoint != "ann-2"))
    call_id = await house.place()
    assert house.phones["ann-2"].rings == []
    await house.cancel(call_id)


async def test_a_call_under_way_goes_on_when_its_user_is_removed(house: House) -> None:
    call_id = await house.ringing_user()
    await change(house, users=(), devices=())
    with pytest.raises(UserNotFound):
        await house.place()
    house.ring_of("ann-1").answer()
    await house.clock.advance(0.01)
    house.carrier.last.answer()
    await house.clock.advance(0.01)
    house.carrier.last.hang_up()
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED


async def test_a_user_who_does_not_want_to_be_disturbed_does_not_ring_and_is_busy(house: House) -> None:
    users = tuple(replace(user, do_not_disturb=user.name == "Bob") for user in rows(house).users)
    await change(house, users=users)
    end = await house.end_of(await house.place("1002"))
    assert (end.outcome, end.reason) == (Outcome.BUSY, Reason.DESTINATION_BUSY)
    assert house.phones["bob-1"].rings == []
    assert house.phones["ann-1"].rings == []


async def test_who_does_not_want_to_be_disturbed_may_call_all_the_same(house: House) -> None:
    await change(house, users=tuple(replace(user, do_not_disturb=True) for user in rows(house).users))
    call_id = await house.place(who="bob")
    assert len(house.phones["bob-1"].rings) == 1
    await house.cancel(call_id)


async def test_an_extension_that_was_removed_is_nothing(house: House) -> None:
    await change(house, extensions=())
    with pytest.raises(NumberNotDialable):
        await house.place("1002")


async def test_a_directory_that_cannot_be_read_stays_as_it_was(house: House) -> None:
    house.store.down = True
    with pytest.raises(StoreUnavailable):
        await house.service.refresh_directory()
    house.store.down = False
    call_id = await house.place()
    await house.cancel(call_id)


async def test_changes_made_in_the_database_count_after_the_next_reading(old_house: House) -> None:
    house = old_house
    store = house.store.inner
    assert isinstance(store, SqlStore)
    account, ann = house.people.account, house.people.users["ann"]
    house.phones["ann-3"] = house.switch.phone("ann-3")
    await store.create_device(account.id, ann.id, "ann-3")
    secret, key = await store.create_key(account.platform_id)
    with pytest.raises(NotAuthenticated):
        house.service.authenticate(secret)
    await house.service.refresh_directory()
    assert house.service.authenticate(secret) == key
    call_id = await house.place()
    assert len(house.phones["ann-3"].rings) == 1
    await house.cancel(call_id)
    await store.revoke_key(key.id)
    await house.service.refresh_directory()
    with pytest.raises(NotAuthenticated):
        house.service.authenticate(secret)


async def test_who_talks_cannot_be_removed_and_can_be_when_the_call_has_ended(house: House) -> None:
    call_id = await house.dialling("1002")
    house.ring_of("bob-1").answer()
    await house.clock.advance(0.01)
    assert await house.state(call_id) is CallState.TALKING
    for name in ("ann", "bob"):
        with pytest.raises(StillInUse):
            async with house.service.removing_user(house.people.users[name].id):
                pytest.fail("a user in a call was removed")
    await house.cancel(call_id)
    assert (await house.end_of(call_id)).outcome is Outcome.COMPLETED
    async with house.service.removing_user(house.people.users["bob"].id):
        with pytest.raises(UserNotFound):
            await house.place(who="bob")
        with pytest.raises(NumberNotDialable):
            await house.place("1002")


async def test_a_change_that_is_told_counts_for_the_next_call_and_not_for_the_one_that_lives(old_house: House) -> None:
    house = old_house
    store = house.store.inner
    assert isinstance(store, SqlStore)
    account, ann = house.people.account, house.people.users["ann"]
    first = await house.ringing_user()
    house.phones["ann-3"] = house.switch.phone("ann-3")
    device = await store.create_device(account.id, ann.id, "ann-3")
    await house.service.directory_changed()
    assert house.phones["ann-3"].rings == []
    second = await house.place()
    assert len(house.phones["ann-3"].rings) == 1
    await store.delete_device(account.id, device.id)
    await house.service.directory_changed()
    assert not house.ring_of("ann-3").ended
    for call_id in (first, second):
        await house.cancel(call_id)
    await house.clock.settle()
    third = await house.place()
    assert len(house.phones["ann-3"].rings) == 1
    await house.cancel(third)
