"""Changes of the directory: what is created can be read and called with, what makes no sense is refused by name."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from c2c_stasis.directory import keys
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Device, DirectoryRows
from c2c_stasis.errors import AccountNotAllowed, DeviceNotFound, InvalidRequest, KeyNotFound, UserNotFound
from c2c_stasis.ids import (
    ACCOUNT,
    DEVICE,
    NUMBER,
    PLATFORM,
    USER,
    AccountId,
    DeviceId,
    NumberId,
    PlatformId,
    UserId,
    is_id,
    new_id,
)
from tests.store.samples import Place, ended, rows

NO_ACCOUNT = AccountId(new_id(ACCOUNT))


async def test_what_is_created_is_read_back(place: Place) -> None:
    store, account, user = place.store, place.account, place.user
    device = await store.create_device(account.id, user.id, "ann-desk", name="Desk phone")
    extension = await store.create_extension(account.id, "1001", user.id)
    number = await store.create_phone_number(account.id, "+15557654321", caller_id_name="Bakery")
    _, key = await store.create_key(place.platform.id)
    assert await store.directory() == DirectoryRows(
        (place.platform,), (account,), (user,), (device,), (extension,), (number,), (key,)
    )
    ids = [place.platform.id, account.id, user.id, device.id, number.id, key.id]
    assert all(
        is_id(text, prefix) for text, prefix in zip(ids, ["plat", "acct", "user", "ep", "did", "key"], strict=True)
    )


async def test_settings_are_changed(place: Place) -> None:
    store, account, user = place.store, place.account, place.user
    number = await store.create_phone_number(account.id, "+15557654321")
    assert await store.set_account_caller_number(account.id, number.id) == replace(account, caller_number_id=number.id)
    assert await store.set_user_caller_number(account.id, user.id, number.id) == replace(
        user, caller_number_id=number.id
    )
    changed = await store.set_do_not_disturb(account.id, user.id, True)
    assert changed == replace(user, caller_number_id=number.id, do_not_disturb=True)
    directory = await store.directory()
    assert (directory.accounts[0].caller_number_id, directory.users) == (number.id, (changed,))
    await store.set_account_caller_number(account.id, None)
    await store.set_user_caller_number(account.id, user.id, None)
    directory = await store.directory()
    assert (directory.accounts[0].caller_number_id, directory.users[0].caller_number_id) == (None, None)


async def test_every_change_is_counted_and_no_refusal(place: Place) -> None:
    revision = await place.store.directory_revision()
    await place.store.create_user(place.account.id, "Ben")
    with pytest.raises(InvalidRequest):
        await place.store.create_user(place.account.id, "")
    with pytest.raises(AccountNotAllowed):
        await place.store.create_user(NO_ACCOUNT, "Ben")
    assert await place.store.directory_revision() == revision + 1


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(place: Place, file: Path) -> None:
    secret, key = await place.store.create_key(place.platform.id, livemode=False)
    assert keys.well_formed(secret)
    assert secret.startswith("sk_test_")
    assert not key.livemode
    assert keys.digest(secret) == key.digest
    assert Directory.of(await place.store.directory()).key(keys.digest(secret)) == key
    revoked = await place.store.revoke_key(key.id)
    assert revoked.revoked_at is not None
    assert await place.store.revoke_key(key.id) == revoked
    assert Directory.of(await place.store.directory()).key(keys.digest(secret)) is None
    await place.store.close()
    assert secret.encode() not in file.read_bytes()  # noqa: ASYNC240 - a small file


async def test_a_deleted_device_stays_in_the_log(place: Place, file: Path) -> None:
    store, account = place.store, place.account
    device = await store.create_device(account.id, place.user.id, "ann-desk")
    call = place.call()
    call = structs.replace(call, legs=tuple(structs.replace(leg, device_id=device.id) for leg in call.legs))
    await store.record(ended(call), [])
    await store.delete_device(account.id, device.id)
    assert (await store.directory()).devices == ()
    assert rows(file, "SELECT device_id FROM calls") == [(device.id,)]
    await store.create_device(account.id, place.user.id, "ann-desk")


async def test_an_endpoint_belongs_to_one_device_of_all_accounts(place: Place) -> None:
    other = await place.store.create_account(place.platform.id, "Butcher")
    ben = await place.store.create_user(other.id, "Ben")
    await place.store.create_device(place.account.id, place.user.id, "d1")
    with pytest.raises(InvalidRequest, match="endpoint: is already in use"):
        await place.store.create_device(other.id, ben.id, "d1")


async def test_a_number_belongs_to_one_account_and_an_extension_to_each(place: Place) -> None:
    other = await place.store.create_account(place.platform.id, "Butcher")
    ben = await place.store.create_user(other.id, "Ben")
    await place.store.create_phone_number(place.account.id, "+15557654321")
    with pytest.raises(InvalidRequest, match="number: is already in use"):
        await place.store.create_phone_number(other.id, "+15557654321")
    await place.store.create_extension(place.account.id, "1001", place.user.id)
    await place.store.create_extension(other.id, "1001", ben.id)
    with pytest.raises(InvalidRequest, match="number: is already in use"):
        await place.store.create_extension(other.id, "1001", ben.id)


async def test_nothing_of_another_account_can_be_named(place: Place) -> None:
    store, mine = place.store, place.account
    other = await store.create_account(place.platform.id, "Butcher")
    ben = await store.create_user(other.id, "Ben")
    device = await store.create_device(other.id, ben.id, "ben-desk")
    number = await store.create_phone_number(other.id, "+15557654321")
    with pytest.raises(UserNotFound):
        await store.create_device(mine.id, ben.id, "d1")
    with pytest.raises(UserNotFound):
        await store.create_extension(mine.id, "1001", ben.id)
    with pytest.raises(UserNotFound):
        await store.set_do_not_disturb(mine.id, ben.id, True)
    with pytest.raises(DeviceNotFound):
        await store.delete_device(mine.id, device.id)
    with pytest.raises(InvalidRequest, match="caller_number_id"):
        await store.set_account_caller_number(mine.id, number.id)
    with pytest.raises(InvalidRequest, match="caller_number_id"):
        await store.set_user_caller_number(mine.id, place.user.id, number.id)


Change = Callable[[Place], Awaitable[object]]
MISSING: list[tuple[Change, type[Exception]]] = [
    (lambda place: place.store.create_account(PlatformId(new_id(PLATFORM)), "Bakery"), InvalidRequest),
    (lambda place: place.store.create_key(PlatformId(new_id(PLATFORM))), InvalidRequest),
    (lambda place: place.store.revoke_key("key_unknown"), KeyNotFound),
    (lambda place: place.store.create_user(NO_ACCOUNT, "Ben"), AccountNotAllowed),
    (lambda place: place.store.create_extension(NO_ACCOUNT, "1001", place.user.id), AccountNotAllowed),
    (lambda place: place.store.create_phone_number(NO_ACCOUNT, "+15557654321"), AccountNotAllowed),
    (lambda place: place.store.set_account_caller_number(NO_ACCOUNT, None), AccountNotAllowed),
    (lambda place: place.store.create_device(place.account.id, UserId(new_id(USER)), "d1"), UserNotFound),
    (lambda place: place.store.delete_device(place.account.id, DeviceId(new_id(DEVICE))), DeviceNotFound),
    (lambda place: place.store.set_account_caller_number(place.account.id, NumberId(new_id(NUMBER))), InvalidRequest),
]


@pytest.mark.parametrize(("change", "error"), MISSING)
async def test_what_does_not_exist_cannot_be_changed(place: Place, change: Change, error: type[Exception]) -> None:
    before = await place.store.directory()
    with pytest.raises(error):
        await change(place)
    assert await place.store.directory() == before


WRONG: list[tuple[Change, str]] = [
    (lambda place: place.store.create_platform("  "), "name: is required"),
    (lambda place: place.store.create_platform("x" * 129), "name: is longer than 128 characters"),
    (lambda place: place.store.create_user(place.account.id, "Ann\r\nEve"), "name: contains characters that"),
    (lambda place: place.store.create_user(place.account.id, "Ann", email="ann at home"), "email: is not an e-mail"),
    (lambda place: place.store.create_user(place.account.id, "Ann", email="@"), "email: is not an e-mail"),
    (lambda place: place.store.create_account(place.platform.id, "B", region="us"), "region: must be an ISO 3166-1"),
    (lambda place: place.store.create_account(place.platform.id, "B", region="001"), "region: must be an ISO 3166-1"),
    (
        lambda place: place.store.create_account(place.platform.id, "B", timezone="Mars/Base"),
        "timezone: must be an IANA",
    ),
    (lambda place: place.store.create_account(place.platform.id, "B", timezone="../UTC"), "timezone: must be an IANA"),
    (lambda place: place.store.create_account(place.platform.id, "B", timezone="Europe"), "timezone: must be an IANA"),
    (lambda place: place.store.create_account(place.platform.id, "B", timezone=""), "timezone: must be an IANA"),
    (
        lambda place: place.store.create_account(place.platform.id, "B", extension_length=2),
        "extension_length: must be 3 to 6",
    ),
    (lambda place: place.store.create_phone_number(place.account.id, "5557654321"), "number: must be in E.164"),
    (lambda place: place.store.create_phone_number(place.account.id, "+1555765432\n"), "number: must be in E.164"),
    (lambda place: place.store.create_phone_number(place.account.id, "+٤٩٣٠١٢٣٤٥٦"), "number: must be in E.164"),
    (lambda place: place.store.create_extension(place.account.id, "101", place.user.id), "number: must be 4 digits"),
    (lambda place: place.store.create_extension(place.account.id, "١٠٠١", place.user.id), "number: must be 4 digits"),
]
ENDPOINTS = ["", "x" * 65, "d1/sip:evil@198.51.100.1", "d1@trunk", "d 1", "d1\n", "d1&d2", "dé"]


@pytest.mark.parametrize(("change", "said"), WRONG)
async def test_what_makes_no_sense_is_refused_by_name(place: Place, change: Change, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await change(place)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_an_endpoint_must_be_safe_in_a_dial_string(place: Place, endpoint: str) -> None:
    with pytest.raises(InvalidRequest, match="endpoint: must be 1 to 64 letters, digits, _ or -"):
        await place.store.create_device(place.account.id, place.user.id, endpoint)


@pytest.mark.parametrize(
    ("region", "number"), [("US", "911"), ("US", "933"), ("US", "112"), ("GB", "999"), ("DE", "110")]
)
async def test_an_extension_may_not_hide_an_emergency_number(place: Place, region: str, number: str) -> None:
    account = await place.store.create_account(place.platform.id, "Hotel", region=region, extension_length=3)
    user = await place.store.create_user(account.id, "Ben")
    with pytest.raises(InvalidRequest, match="number: is an emergency number"):
        await place.store.create_extension(account.id, number, user.id)
    await place.store.create_extension(account.id, "201", user.id)


LONDON = {"street": "1 Cornhill", "city": "London", "country": "GB"}


async def test_nor_one_of_where_its_locations_are_whichever_of_the_two_is_made_first(place: Place) -> None:
    store, account = place.store, await place.store.create_account(place.platform.id, "Hotel", extension_length=3)
    user = await store.create_user(account.id, "Ben")
    site = await store.create_location(account.id, "London", LONDON)
    with pytest.raises(InvalidRequest, match="number: is an emergency number"):
        await store.create_extension(account.id, "999", user.id)
    await store.delete_location(account.id, site.id)
    await store.create_extension(account.id, "999", user.id)
    refusal = "address.country: does not fit the extension 999, which is an emergency number there; delete that first"
    with pytest.raises(InvalidRequest, match=refusal):
        await store.create_location(account.id, "London", LONDON)
    paris = await store.create_location(account.id, "Paris", LONDON | {"city": "Paris", "country": "FR"})
    with pytest.raises(InvalidRequest, match=refusal):
        await store.update_location(account.id, paris.id, {"address": LONDON})
    await store.update_location(account.id, paris.id, {"name": "Lutetia"})


async def test_where_933_is_no_emergency_number_it_may_be_an_extension(place: Place) -> None:
    account = await place.store.create_account(place.platform.id, "Inn", region="GB", extension_length=3)
    user = await place.store.create_user(account.id, "Ben")
    assert (await place.store.create_extension(account.id, "933", user.id)).number == "933"


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+15550100", "is no possible telephone number"),
        ("+1202555014", "is no possible telephone number"),
        ("+12025550142000", "is no possible telephone number"),
        ("+999123456789", "has no country calling code"),
    ],
)
async def test_a_number_that_no_network_has_is_refused(place: Place, number: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=f"number: {why}"):
        await place.store.create_phone_number(place.account.id, number)


async def test_zones_and_regions_of_the_world_are_known(place: Place) -> None:
    account = await place.store.create_account(place.platform.id, "B", region="DE", timezone="Europe/Berlin")
    assert (account.region, account.timezone) == ("DE", "Europe/Berlin")


# --- phones that the service makes ---

HA1 = "0123456789abcdef" * 2


async def made(place: Place, endpoint: str = "c2c-abc") -> Device:
    return await place.store.create_device(place.account.id, place.user.id, endpoint, ha1=HA1)


async def removed(place: Place) -> set[str]:
    return set((await place.store.directory()).removed_endpoints)


async def test_what_is_kept_of_a_password_is_read_back_and_not_shown(place: Place) -> None:
    device = await made(place)

    (kept,) = (await place.store.directory()).devices

    assert (kept, kept.ha1, kept.provisioned) == (device, HA1, True)
    assert HA1 not in repr(kept)


async def test_another_password_is_a_change_of_the_directory(place: Place) -> None:
    device, before = await made(place), await place.store.directory_revision()

    changed = await place.store.reset_device(place.account.id, device.id, "f" * 32)

    assert (await place.store.directory()).devices == (changed,) == (replace(device, ha1="f" * 32),)
    assert await place.store.directory_revision() == before + 1


async def test_the_endpoint_of_a_deleted_phone_is_remembered_and_that_of_an_attached_device_is_not(
    place: Place,
) -> None:
    phone = await made(place)
    attached = await place.store.create_device(place.account.id, place.user.id, "desk")

    for device in (phone, attached):
        await place.store.delete_device(place.account.id, device.id)

    assert await removed(place) == {"c2c-abc"}
    await place.store.create_device(place.account.id, place.user.id, "desk")
    with pytest.raises(InvalidRequest, match="was deleted"):
        await place.store.create_device(place.account.id, place.user.id, "c2c-abc")


async def test_after_three_months_it_is_forgotten(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for endpoint in ("c2c-old", "c2c-new"):
        device = await made(place, endpoint)
        await place.store.delete_device(place.account.id, device.id)
        monkeypatch.setattr("c2c_stasis.store.removing.REMEMBERED", -1.0)  # seconds: what was before is too old

    assert await removed(place) == {"c2c-new"}
