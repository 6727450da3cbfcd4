"""A change counts for the very next request, whatever happens at the same time; and nobody is deleted while in a call."""

import asyncio

import pytest

from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.errors import StoreUnavailable, SwitchRefused, SwitchUnavailable
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.store.samples import eventually


async def user_with_phone(office: Office, name: str, endpoint: str, extension: str) -> str:
    """A new user with all that it takes to call and be called."""
    user = str((await office.make("/v1/users", name=name))["id"])
    await office.make(f"/v1/users/{user}/endpoints", endpoint=endpoint)
    await office.make("/v1/extensions", number=extension, target=user)
    return user


async def end(office: Office, call: str) -> None:
    """Cancel a call and wait until it has ended."""
    await office.delete(call)
    await eventually(lambda: office.service.live == 0)


async def test_an_account_a_user_and_an_extension_can_be_used_in_the_next_request(office: Office) -> None:
    account = (await office.make("/v1/accounts", name="New"))["id"]
    status, user = await office.ask("POST", "/v1/users", {"name": "Nina"}, account=account)
    assert status == 201
    assert (await office.ask("GET", f"/v1/users/{user['id']}", account=account))[0] == 200
    bob = await user_with_phone(office, "Bob", "bob", "1002")
    assert office.switch.watched == {"bob"}
    record = await office.get(await office.call(office.user.id, "1002"))
    assert (record["to_number"], record["to_label"]) == ("1002", "Bob")
    await office.change("/v1/extensions/1002", target=office.user.id)
    refused = await office.refused("POST", "/v1/calls", {"user_id": bob, "dial_string": "1001"})
    assert refused[1] == "validation_error"
    await eventually(lambda: office.service.live == 0)


async def test_a_new_device_rings_in_the_next_call_and_a_deleted_one_does_not(office: Office) -> None:
    user, path = office.user.id, f"/v1/users/{office.user.id}/endpoints"
    desk, mobile = [await office.make(path, endpoint=name) for name in ("desk", "mobile")]
    record = await office.get(await office.call(user))
    assert [leg["device"] for leg in record["legs"] if leg["side"] == "a"] == ["desk", "mobile"]
    await office.delete(f"{path}/{desk['id']}")
    await office.change(f"{path}/{mobile['id']}", endpoint="pocket")
    record = await office.get(await office.call(user))
    assert [leg["device"] for leg in record["legs"] if leg["side"] == "a"] == ["pocket"]
    await eventually(lambda: office.service.live == 0)


async def test_a_caller_number_is_shown_and_changed_for_the_next_call(office: Office) -> None:
    number = await office.make("/v1/phone-numbers", phone_number="+12025550101", caller_id_name="Bakery")
    await office.change(f"/v1/accounts/{office.account.id}", caller_number=number["id"])
    shown = await office.get(await office.call(office.user.id))
    assert (shown["from_number"], shown["from_label"]) == ("+12025550101", "Bakery")
    await office.change(f"/v1/phone-numbers/{number['id']}", status="inactive")
    assert (await office.get(await office.call(office.user.id)))["from_number"] is None
    await eventually(lambda: office.service.live == 0)


async def test_many_changes_at_once_all_count(office: Office) -> None:
    made = await asyncio.gather(*(office.make("/v1/users", name=f"User {number}") for number in range(30)))
    calls = await asyncio.gather(*(office.call(user["id"]) for user in made))
    assert len(set(calls)) == 30
    await eventually(lambda: office.service.live == 0)


async def test_changes_that_come_while_the_directory_is_read_share_the_next_reading(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, readings, go_on = office.store.directory, 0, asyncio.Event()

    async def directory() -> DirectoryRows:
        nonlocal readings
        readings += 1
        rows = await genuine()
        await go_on.wait()
        return rows

    monkeypatch.setattr(office.store, "directory", directory)
    first = asyncio.create_task(office.make("/v1/users", name="First"))
    await eventually(lambda: readings == 1)
    others = [asyncio.create_task(office.make("/v1/users", name=f"User {number}")) for number in range(10)]
    await eventually(
        lambda: office.service._current._turn._waiters and len(office.service._current._turn._waiters) == 10
    )
    go_on.set()
    made = await asyncio.gather(first, *others)
    assert readings == 2
    assert all([(await office.call(user["id"])) for user in made])
    await eventually(lambda: office.service.live == 0)


@pytest.mark.parametrize("failure", [SwitchUnavailable("gone"), SwitchRefused(500, "Allocation failed")])
async def test_a_change_counts_although_asterisk_could_not_be_asked(office: Office, failure: Exception) -> None:
    office.switch.fail = failure
    user = (await office.make("/v1/users", name="Bob"))["id"]
    await office.call(user)
    await eventually(lambda: office.service.live == 0)


async def test_a_change_that_could_not_be_read_again_is_answered_and_read_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def directory() -> DirectoryRows:
        raise StoreUnavailable("too many questions wait for the database")

    with monkeypatch.context() as patch:
        patch.setattr(office.store, "directory", directory)
        user = (await office.make("/v1/users", name="Bob"))["id"]
        asked = {"user_id": user, "dial_string": "+15551234567"}
        assert (await office.refused("POST", "/v1/calls", asked))[0] == 404
    await office.service.refresh_directory()  # as who follows the directory does
    await office.call(user)
    await eventually(lambda: office.service.live == 0)


async def live_call(office: Office, user: str, dial_string: str = "+15551234567") -> str:
    """A call that stays until it is cancelled: its legs are never reported."""
    path = await office.call(user, dial_string)
    await eventually(lambda: office.service.live == 1)
    return path


async def test_a_user_with_a_live_call_stays_and_goes_after_its_end(office: Office) -> None:
    office.switch.registered = {name: [Contact(f"sip:{name}@192.0.2.1")] for name in ("ann", "bob")}
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="ann")
    bob = await user_with_phone(office, "Bob", "bob", "1002")
    call = await live_call(office, office.user.id, "1002")
    for user in (office.user.id, bob):
        assert (await office.refused("DELETE", f"/v1/users/{user}"))[:2] == (409, "in_use")
        assert (await office.get(f"/v1/users/{user}"))["id"] == user
    assert len((await office.get("/v1/endpoints"))["data"]) == 2
    await end(office, call)
    for user, left in ((office.user.id, {"bob"}), (bob, set[str]())):
        await office.delete(f"/v1/users/{user}")
        assert office.switch.watched == left
    assert (await office.get(call))["user_id"] == office.user.id


async def test_no_call_begins_while_its_user_is_being_deleted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, deleting, go_on = office.store.delete_user, asyncio.Event(), asyncio.Event()

    async def delete_user(*whom: str) -> None:
        deleting.set()
        await go_on.wait()
        await genuine(*whom)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(office.store, "delete_user", delete_user)
    deletion = asyncio.create_task(office.delete(f"/v1/users/{office.user.id}"))
    await deleting.wait()
    asked = {"user_id": office.user.id, "dial_string": "+15551234567"}
    assert (await office.refused("POST", "/v1/calls", asked))[:2] == (404, "user_not_found")
    go_on.set()
    await deletion
    assert (await office.refused("POST", "/v1/calls", asked))[0] == 404


async def test_a_user_who_could_not_be_deleted_can_call_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def delete_user(*_: str) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(office.store, "delete_user", delete_user)
        assert (await office.refused("DELETE", f"/v1/users/{office.user.id}"))[0] == 503
    await office.call(office.user.id)
    await eventually(lambda: office.service.live == 0)


async def test_a_call_that_is_being_accepted_counts_as_live(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, accepting, go_on = office.store.accept, asyncio.Event(), asyncio.Event()

    async def accept(*what: object) -> None:
        accepting.set()
        await go_on.wait()
        await genuine(*what)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(office.store, "accept", accept)
    placing = asyncio.create_task(office.call(office.user.id))
    await accepting.wait()
    assert (await office.refused("DELETE", f"/v1/users/{office.user.id}"))[:2] == (409, "in_use")
    go_on.set()
    await placing
    await eventually(lambda: office.service.live == 0)


async def test_when_the_database_cannot_be_written_nothing_changes_and_that_is_said(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_job: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(office.store._writer, "run", run)
    assert (await office.refused("POST", "/v1/users", {"name": "Bob"}))[:2] == (503, "unavailable")
    assert len((await office.get("/v1/users"))["data"]) == 1
