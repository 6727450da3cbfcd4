"""What published clients send and read, beyond what means something here."""

from typing import Any

import pytest

from tests.api.resources.office import Office

OF_AN_ACCOUNT: dict[str, Any] = {
    "address": {"street": "123 Main St", "city": "New York", "state": "NY", "postal_code": "10001", "country": "US"},
    "billing_address": {"street": "123 Main St"},
    "pricing": {"per_user_rate": 1999, "per_did_rate": 299, "per_voiceai_location_rate": 4999},
    "phone": "+12025550144",
    "hold_music_clip": "clip_1",
    "main_location": "loc_1",
    "default_button_template": None,
}
OF_A_NUMBER: dict[str, Any] = {
    "caller_id_prefix": "[Acme]",
    "caller_id_visibility": "PUBLIC",
    "directory_listing_name": "Acme",
    "directory_listing_type": "listed",
    "directory_listing_location": "loc_1",
    "location": "loc_1",
    "routing_target": "user_1",
    "inbound_routing": "default",
    "fax_enabled": False,
    "config": {"fax_notifications": {"recipients": []}},
}


async def test_an_account_as_they_create_it(office: Office) -> None:
    config = {"region": "US", "transcription_enabled": True, "transcript_retention_days": 90}
    who = {"email": "test@example.com", "primary_contact_name": "Jane Doe"}
    made = await office.make("/v1/accounts", **who, config=config, **OF_AN_ACCOUNT)
    assert {name: made[name] for name in OF_AN_ACCOUNT} == OF_AN_ACCOUNT
    assert made["name"] == "Jane Doe"
    assert made["config"] == config | {"extension_length": 4, "timezone": "UTC"}
    assert (made["hold_music_clip_id"], made["main_location_id"]) == ("clip_1", "loc_1")
    changed = await office.change(f"/v1/accounts/{made['id']}", hold_music_clip_id=None, phone="+12025550145")
    assert (changed["hold_music_clip"], changed["phone"], changed["pricing"]) == (None, "+12025550145", made["pricing"])


async def test_a_user_who_has_no_name_is_called_like_the_address(office: Office) -> None:
    assert (await office.make("/v1/users", email="bob@example.org"))["name"] == "bob@example.org"
    assert (await office.make("/v1/users", email="bob@example.org", name=None))["name"] == "bob@example.org"
    for nameless in ({}, {"name": ""}, {"do_not_disturb": True}):
        assert await office.refused("POST", "/v1/users", nameless) == (400, "missing_field", {"name": "is required"})


async def test_the_extensions_of_a_user_are_a_list_of_their_own(office: Office) -> None:
    for number in range(1000, 1101):
        await office.store.create_extension(office.account.id, f"{number}", office.user.id)
    shown = (await office.get(f"/v1/users/{office.user.id}?expand[]=extensions"))["extensions"]
    assert (shown["object"], shown["url"], len(shown["data"])) == ("list", "/v1/extensions", 100)
    rest = await office.get(shown["next_page_url"])
    assert {one["number"] for one in [*shown["data"], *rest["data"]]} == {f"{n}" for n in range(1000, 1101)}


@pytest.mark.parametrize("name", ["target", "user", "user_id"])
async def test_extensions_of_one_target(office: Office, name: str) -> None:
    bob = await office.make("/v1/users", name="Bob")
    mine = await office.make("/v1/extensions", number="1001", target=bob["id"])
    await office.make("/v1/extensions", number="1002", target=office.user.id)
    assert (await office.get(f"/v1/extensions?{name}={bob['id']}"))["data"] == [mine]


async def test_when_an_extension_was_changed(office: Office) -> None:
    made = await office.make("/v1/extensions", number="1001", target=office.user.id)
    assert made["updated_at"] == made["created_at"]
    bob = await office.make("/v1/users", name="Bob")
    changed = await office.change("/v1/extensions/1001", target=bob["id"])
    assert (changed["created_at"], changed["target"]) == (made["created_at"], bob["id"])
    assert changed["updated_at"] > made["updated_at"]


async def test_a_number_as_they_change_it(office: Office) -> None:
    made = await office.make("/v1/phone-numbers", phone_number="+12025550101")
    assert not set(OF_A_NUMBER) & set(made)
    path = f"/v1/phone-numbers/{made['id']}"
    changed = await office.change(path, outbound_enabled=False, **OF_A_NUMBER)
    assert {name: changed[name] for name in OF_A_NUMBER} == OF_A_NUMBER
    assert (changed["outbound_enabled"], changed["location_id"]) == (False, "loc_1")
    assert await office.get(path) == changed
    assert "config" not in await office.change(path, config=None)


async def test_no_number_is_ever_pending(office: Office) -> None:
    await office.make("/v1/phone-numbers", phone_number="+12025550101")
    assert (await office.get("/v1/phone-numbers?status=pending"))["data"] == []
    assert (await office.refused("GET", "/v1/phone-numbers?status=released"))[1] == "validation_error"


async def test_a_content_type_without_a_body_is_no_harm(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.key}", "DialStack-Account": office.account.id}
    for path in ("/v1/users", f"/v1/users/{office.user.id}", "/v1/accounts"):
        async with office._client.get(path, headers=headers | {"Content-Type": "application/json"}) as response:
            assert response.status == 200
