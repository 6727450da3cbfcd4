"""Lists in pages: newest first, complete, with addresses that keep the filters."""

import base64
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from c2c_stasis.api.routes import KEYS, KEYS_FOR_ACCOUNT, Route
from tests.api.resources.office import TABLE, Json, Office

LISTS = [
    "/v1/accounts",
    "/v1/users",
    "/v1/endpoints",
    "/v1/extensions",
    "/v1/phone-numbers",
    "/v1/locations",
    "/v1/keys",
]


async def users(office: Office, count: int, prefix: str = "User") -> list[str]:
    """The ids of so many new users, newest first, before Ann."""
    made = [(await office.make("/v1/users", name=f"{prefix} {number}"))["id"] for number in range(count)]
    return made[::-1]


def ids(page: Json) -> list[str]:
    return [entry["id"] for entry in page["data"]]


async def test_a_short_list_is_one_page_newest_first(office: Office) -> None:
    made = await users(office, 2)
    page = await office.get("/v1/users")
    assert ids(page) == [*made, office.user.id]
    del page["data"]
    assert page == {"object": "list", "url": "/v1/users", "next_page_url": None, "previous_page_url": None}


async def test_the_pages_of_a_list_hold_all_of_it_once_in_both_directions(office: Office) -> None:
    every = [*await users(office, 6), office.user.id]
    url, pages = "/v1/users?limit=3", []
    while url:
        page = await office.get(url)
        pages.append(page)
        url = page["next_page_url"]
    assert [len(page["data"]) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in ids(page)] == every
    back = await office.get(pages[2]["previous_page_url"])
    assert ids(back) == ids(pages[1])
    first = await office.get(back["previous_page_url"])
    assert ids(first) == ids(pages[0])
    assert (first["previous_page_url"], first["next_page_url"]) == (None, pages[0]["next_page_url"])


async def test_a_page_begins_where_the_last_one_ended_whatever_came_and_went(office: Office) -> None:
    newest, second, third = await users(office, 3)
    page = await office.get("/v1/users?limit=2")
    await office.delete(f"/v1/users/{second}")
    late = (await office.make("/v1/users", name="Late"))["id"]
    following = await office.get(page["next_page_url"])
    assert ids(following) == [third, office.user.id]
    assert ids(await office.get(following["previous_page_url"])) == [late, newest]


async def test_page_addresses_are_relative_and_keep_the_filters(office: Office) -> None:
    await users(office, 3, prefix="Ü&b 100%")
    page = await office.get("/v1/users?search=%C3%9C%26b%20100%25&limit=1&expand[]=extensions")
    url = urlsplit(page["next_page_url"])
    assert (url.scheme, url.netloc, url.path) == ("", "", "/v1/users")
    assert parse_qsl(url.query)[:-1] == [("search", "Ü&b 100%"), ("limit", "1"), ("expand[]", "extensions")]
    following = await office.get(page["next_page_url"])
    assert [entry["name"] for entry in following["data"]] == ["Ü&b 100% 1"]
    assert following["data"][0]["extensions"]["data"] == []


async def test_ten_entries_unless_asked_for_up_to_a_hundred(office: Office) -> None:
    await users(office, 10)
    assert len((await office.get("/v1/users"))["data"]) == 10
    assert len((await office.get("/v1/users?limit=100"))["data"]) == 11


@pytest.mark.parametrize("path", LISTS)
async def test_a_limit_is_a_number_from_1_to_100(office: Office, path: str) -> None:
    for limit in ("0", "101", "-1", "ten", "1.5", "", "9" * 400):
        status, code, details = await office.refused("GET", f"{path}?limit={limit}")
        assert (status, code, list(details)) == (400, "validation_error", ["limit"]), limit


def packed(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "x",
    "????",
    "%00",
    packed(1),
    packed("1", "user_x", False),
    packed(1.0, "user_x", "no"),
    packed(1.0, 7, True),
    packed(1.0, "x" * 65, True),
    packed(1.0, "user\0", True),
    base64.urlsafe_b64encode(b'[1e999,"x",true]').decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "A" * 5_000,
]


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_that_is_none_of_ours_is_refused(office: Office, path: str) -> None:
    for cursor in BAD_CURSORS:
        assert (await office.refused("GET", f"{path}?page={cursor}"))[:2] == (400, "invalid_pagination"), cursor


@pytest.mark.parametrize("path", [*LISTS, "/v1/users/{user}/endpoints"])
async def test_a_filter_that_does_not_exist_is_refused_by_name(office: Office, path: str) -> None:
    refused = await office.refused("GET", f"{path.format(user=office.user.id)}?colour=red")
    assert refused == (400, "validation_error", {"colour": "is not a known filter"})


@pytest.mark.parametrize(
    "route",
    [route for route in TABLE if route.scopes in (KEYS, KEYS_FOR_ACCOUNT)],
    ids=lambda route: f"{route.method} {route.path}",
)
async def test_whatever_is_asked_for_has_no_filters_that_it_does_not_know(office: Office, route: Route) -> None:
    path = re.sub(r"\{[^}]*\}+", office.user.id, route.path)
    refused = await office.refused(route.method, f"{path}?colour=red")
    assert refused == (400, "validation_error", {"colour": "is not a known filter"})


@pytest.mark.parametrize("path", ["/v1/endpoints", "/v1/extensions"])
async def test_a_filter_that_is_no_id_is_refused(office: Office, path: str) -> None:
    assert (await office.get(f"{path}?user_id=user_01h2xcejqtf2nbrexx3vqjhp42"))["data"] == []
    for wrong in ("ann", office.account.id, f"{office.user.id}x"):
        status, code, details = await office.refused("GET", f"{path}?user={wrong}")
        assert (status, code, list(details)) == (400, "validation_error", ["user_id"])


async def test_a_filter_may_be_there_once(office: Office) -> None:
    refused = await office.refused("GET", "/v1/users?search=a&search=b")
    assert refused == (400, "validation_error", {"search": "is there more than once"})


async def test_a_search_finds_parts_of_names_and_addresses_and_no_pattern(office: Office) -> None:
    await office.make("/v1/users", name="Bea_1", email="bea@example.org")
    await office.make("/v1/users", name="Ben 100%")
    found = {
        text: [entry["name"] for entry in (await office.get(f"/v1/users?search={text}"))["data"]]
        for text in ("b", "BEA", "example", "_", "%25", "zoe")
    }
    assert found == {
        "b": ["Ben 100%", "Bea_1"],
        "BEA": ["Bea_1"],
        "example": ["Bea_1"],
        "_": ["Bea_1"],
        "%25": ["Ben 100%"],
        "zoe": [],
    }


async def test_extensions_are_listed_by_their_age_and_not_by_their_number(office: Office) -> None:
    for number in ("1005", "1001", "1009", "1003"):
        await office.make("/v1/extensions", number=number, target=office.user.id)
    page = await office.get("/v1/extensions?limit=2")
    assert [entry["number"] for entry in page["data"]] == ["1003", "1009"]
    page = await office.get(page["next_page_url"])
    assert [entry["number"] for entry in page["data"]] == ["1001", "1005"]


async def test_lists_can_be_narrowed(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="ann")
    await office.make(f"/v1/users/{bob}/endpoints", endpoint="bob")
    await office.make("/v1/extensions", number="1001", target=office.user.id)
    await office.make("/v1/extensions", number="1002", target=bob)
    await office.make("/v1/phone-numbers", phone_number="+12025550101")
    await office.make("/v1/phone-numbers", phone_number="+12025550102", status="inactive")

    async def one(path: str, name: str) -> object:
        (entry,) = (await office.get(path))["data"]
        return entry[name]

    for spelling in ("user", "user_id"):
        assert await one(f"/v1/endpoints?{spelling}={bob}", "endpoint") == "bob"
        assert await one(f"/v1/extensions?{spelling}={bob}", "number") == "1002"
    assert await one(f"/v1/users/{bob}/endpoints", "endpoint") == "bob"
    assert await one("/v1/phone-numbers?status=inactive", "phone_number") == "+12025550102"
    assert len((await office.get("/v1/endpoints"))["data"]) == 2
    refused = await office.refused("GET", "/v1/phone-numbers?status=asleep")
    assert (refused[1], list(refused[2])) == ("validation_error", ["status"])


async def test_a_list_holds_nothing_of_anybody_else(office: Office) -> None:
    store = office.store
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="ann")
    await office.make("/v1/extensions", number="1001", target=office.user.id)
    await office.make("/v1/phone-numbers", phone_number="+12025550101")
    address = {"street": "1 Main Street", "city": "Springfield", "country": "US"}
    await office.make("/v1/locations", name="Office", address=address)
    mine = {path: (await office.get(path))["data"] for path in LISTS}
    assert all(mine.values())
    platform = await store.create_platform("Stranger")
    await store.create_key(platform.id)
    neighbour = await store.create_account(office.platform.id, "Neighbour")
    stranger = await store.create_account(platform.id, "Stranger")
    for number, account in enumerate((neighbour, stranger)):
        eve = await store.create_user(account.id, "Eve")
        await store.create_device(account.id, eve.id, f"eve-{number}")
        await store.create_extension(account.id, "1009", eve.id)
        await store.create_location(account.id, "Office", address)
        await store.create_phone_number(account.id, f"+1202555019{number}")
    for path in LISTS:
        data = (await office.get(path))["data"]
        assert ([one for one in data if one.get("name") != "Neighbour"], len(data)) == (
            mine[path],
            len(mine[path]) + (path == "/v1/accounts"),
        )
    assert (await office.get(f"/v1/endpoints?user={eve.id}"))["data"] == []
