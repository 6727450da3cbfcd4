"""Locations: where users and devices are, as exact as somebody must be found by it."""

import pytest

from c2c_stasis.ids import LOCATION, new_id
from tests.api.resources.office import Json, Office

ADDRESS = {"street": "1200 Main Street", "city": "Springfield", "country": "US"}
WHOLE = ADDRESS | {"address_number": "1200", "unit": "5", "building": "North", "floor": "2", "room": "7"}
WHOLE |= {"state": "IL", "postal_code": "62701"}
NOBODYS_NUMBER = "did_01h2xcejqtf2nbrexx3vqjhp41"
NOT_SAID = dict.fromkeys(WHOLE)


async def located(office: Office, name: str = "Head office") -> Json:
    return await office.make("/v1/locations", name=name, address=ADDRESS)


async def test_a_location(office: Office) -> None:
    number = await office.make("/v1/phone-numbers", phone_number="+12025550101")
    config = {"e911_notification": {"emails": ["a@example.org"]}}
    made = await office.make("/v1/locations", name="Head", address=WHOLE, primary_did=number["id"], config=config)
    assert {name: value for name, value in made.items() if not name.endswith("_at") and name != "id"} == {
        "name": "Head",
        "address": WHOLE,
        "primary_did": number["id"],
        "primary_did_id": number["id"],
        "status": "active",
        "e911_status": "none",
        "config": config,
    }
    path = f"/v1/locations/{made['id']}"
    assert await office.get(path) == made
    assert (await office.get("/v1/locations?search=hea"))["data"] == [made]
    assert (await office.get("/v1/locations?search=tail"))["data"] == []
    await office.delete(path)
    assert await office.refused("GET", path) == (404, "location_not_found", {})


async def test_what_was_not_said_of_an_address_is_null(office: Office) -> None:
    made = await office.make("/v1/locations", name="Head", address=ADDRESS | {"floor": None, "unit": ""})
    assert made["address"] == NOT_SAID | ADDRESS


async def test_an_address_takes_the_place_of_the_whole_old_one(office: Office) -> None:
    made = await office.make("/v1/locations", name="Head", address=WHOLE)
    path = f"/v1/locations/{made['id']}"
    assert (await office.change(path, name="Tail"))["address"] == WHOLE
    moved = ADDRESS | {"city": "Shelbyville"}
    changed = await office.change(path, address=moved)
    assert (changed["name"], changed["address"]) == ("Tail", NOT_SAID | moved)
    assert changed["updated_at"] >= made["updated_at"]


async def test_its_number_may_be_changed_and_taken_away_under_either_name(office: Office) -> None:
    first, second = [await office.make("/v1/phone-numbers", phone_number=f"+1202555010{n}") for n in (1, 2)]
    path = f"/v1/locations/{(await located(office))['id']}"
    assert (await office.change(path, primary_did_id=first["id"]))["primary_did"] == first["id"]
    assert (await office.change(path, primary_did=second["id"]))["primary_did_id"] == second["id"]
    status, code, _ = await office.refused("DELETE", f"/v1/phone-numbers/{second['id']}")
    assert (status, code) == (409, "in_use")
    assert (await office.change(path, primary_did=None))["primary_did_id"] is None
    await office.delete(f"/v1/phone-numbers/{second['id']}")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": None}, "name"),
        ({"address": None}, "address"),
        ({"address": "Main Street"}, "address"),
        ({"address": {}}, "address.street"),
        ({"address": ADDRESS | {"street": " "}}, "address.street"),
        ({"address": ADDRESS | {"city": None}}, "address.city"),
        ({"address": ADDRESS | {"country": "us"}}, "address.country"),
        ({"address": ADDRESS | {"country": "XX"}}, "address.country"),
        ({"address": ADDRESS | {"floor": 5}}, "address.floor"),
        ({"address": ADDRESS | {"unit": "x" * 129}}, "address.unit"),
        ({"address": ADDRESS | {"colour": "red"}}, "address.colour"),
        ({"primary_did": NOBODYS_NUMBER}, "primary_did_id"),
        ({"primary_did": 7}, "primary_did_id"),
        ({"config": 7}, "config"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_a_location_is_named(office: Office, wrong: Json, field: str) -> None:
    status, _, details = await office.refused("POST", "/v1/locations", {"name": "Head", "address": ADDRESS} | wrong)
    assert (status, list(details)) == (400, [field])
    path = f"/v1/locations/{(await located(office))['id']}"
    status, _, details = await office.refused("POST", path, wrong)
    assert (status, list(details)) == (400, [field])


def refusal(who: str) -> dict[str, str]:
    return {"error": f"Still in use: {who}; give another location first", "code": "in_use"}


async def test_a_location_where_somebody_is_cannot_be_deleted(office: Office) -> None:
    location = (await located(office))["id"]
    device = await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk", location=location)
    assert (device["location"], device["location_id"]) == (location, location)
    user = await office.change(f"/v1/users/{office.user.id}", location_id=location)
    assert (user["location"], user["location_id"]) == (location, location)
    path = f"/v1/locations/{location}"
    both, one = f"{office.user.id}, {device['id']} are there", f"{device['id']} is there"
    assert await office.ask("DELETE", path) == (409, refusal(both))
    await office.change(f"/v1/users/{office.user.id}", location=None)
    assert await office.ask("DELETE", path) == (409, refusal(one))
    await office.change(f"/v1/users/{office.user.id}/endpoints/{device['id']}", location=None)
    await office.delete(path)


async def test_a_deleted_user_is_nowhere(office: Office) -> None:
    location = (await located(office))["id"]
    bob = await office.make("/v1/users", name="Bob", location=location)
    assert bob["location"] == location
    await office.delete(f"/v1/users/{bob['id']}")
    await office.delete(f"/v1/locations/{location}")


async def test_nobody_is_at_a_location_of_another_account(office: Office) -> None:
    other = await office.make("/v1/accounts", name="Other")
    _, theirs = await office.ask("POST", "/v1/locations", {"name": "Theirs", "address": ADDRESS}, account=other["id"])
    for location in (theirs["id"], new_id(LOCATION), "loc", ""):
        for path in ("/v1/users", f"/v1/users/{office.user.id}/endpoints"):
            body = {"name": "Bob", "location": location} | ({"endpoint": "desk"} if "endpoints" in path else {})
            expected = (400, "validation_error", {"location_id": "is no location of this account"})
            assert await office.refused("POST", path, body) == expected
    assert (await office.refused("GET", f"/v1/locations/{theirs['id']}"))[:2] == (404, "location_not_found")
    assert (await office.refused("DELETE", f"/v1/locations/{theirs['id']}"))[:2] == (404, "location_not_found")


async def test_with_an_account_go_its_locations(office: Office) -> None:
    other = await office.make("/v1/accounts", name="Other")
    number = {"phone_number": "+12025550109"}
    _, did = await office.ask("POST", "/v1/phone-numbers", number, account=other["id"])
    body = {"name": "Theirs", "address": ADDRESS, "primary_did": did["id"]}
    status, _ = await office.ask("POST", "/v1/locations", body, account=other["id"])
    assert status == 201
    await office.delete(f"/v1/accounts/{other['id']}")
    assert (await office.get("/v1/locations"))["data"] == []
    _, again = await office.ask("POST", "/v1/phone-numbers", number)
    assert again["phone_number"] == number["phone_number"]
