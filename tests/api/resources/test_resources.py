"""What can be made, changed and deleted over HTTP, and how it looks."""

import re
import time
from datetime import datetime
from pathlib import Path

import pytest

from c2c_stasis.config import Calls, Emergency, Words
from c2c_stasis.ids import DEVICE, KEY, NUMBER, USER, new_id
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import Contact
from tests.api.resources.office import Json, Office
from tests.store.samples import rows

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def timeless(record: Json) -> Json:
    """The record without its id and without the times, which must be times."""
    times = [name for name in record if name.endswith("_at") and record[name] is not None]
    assert all(MOMENT.fullmatch(record[name]) for name in times)
    return {name: value for name, value in record.items() if name not in ("id", *times)}


# --- how each looks ---


async def test_an_account(office: Office) -> None:
    made = await office.make("/v1/accounts", name="Bakery", email="b@example.org", config={"region": "DE"})
    assert timeless(made) == {
        "name": "Bakery",
        "email": "b@example.org",
        "primary_contact_name": None,
        "config": {"region": "DE", "extension_length": 4, "timezone": "UTC"},
        "policy": {},
        "cors_origins": None,
        "caller_number": None,
        "caller_number_id": None,
        "address": None,
        "billing_address": None,
        "pricing": None,
        "phone": None,
        "hold_music_clip": None,
        "hold_music_clip_id": None,
        "main_location": None,
        "main_location_id": None,
        "default_button_template": None,
    }
    assert made["updated_at"] == made["created_at"]
    assert await office.get(f"/v1/accounts/{made['id']}") == made
    assert (await office.get("/v1/accounts"))["data"][0] == made


async def test_a_user(office: Office) -> None:
    number = await office.make("/v1/phone-numbers", phone_number="+12025550101")
    made = await office.make(
        "/v1/users", name="Bob", email="bob@example.org", do_not_disturb=True, caller_number=number["id"]
    )
    assert timeless(made) == {
        "name": "Bob",
        "email": "bob@example.org",
        "do_not_disturb": True,
        "caller_number": number["id"],
        "caller_number_id": number["id"],
        "location": None,
        "location_id": None,
        "config": {},
    }
    assert await office.get(f"/v1/users/{made['id']}") == made
    expanded = await office.get(f"/v1/users/{made['id']}?expand[]=extensions")
    url = {"object": "list", "url": "/v1/extensions", "next_page_url": None, "previous_page_url": None}
    assert expanded == made | {"extensions": url | {"data": []}}


async def test_a_device_and_where_it_is_registered(office: Office) -> None:
    office.switch.registered["desk"] = [Contact("sip:a@192.0.2.1", user_agent="Phone/1"), Contact("sip:b@h", False)]
    path = f"/v1/users/{office.user.id}/endpoints"
    made = await office.make(path, endpoint="desk", name="Desk phone")
    assert timeless(made) == {
        "user": office.user.id,
        "user_id": office.user.id,
        "name": "Desk phone",
        "type": "sip",
        "endpoint": "desk",
        "status": "online",
        "contacts": [
            {"uri": "sip:a@192.0.2.1", "user_agent": "Phone/1", "reachable": True},
            {"uri": "sip:b@h", "user_agent": None, "reachable": False},
        ],
        "location": None,
        "location_id": None,
        "provisioning": "attached",
        "sip": {
            "username": "desk",
            "domain": "pbx.example.com",
            "port": None,
            "transport": "udp",
            "uri": "sip:desk@pbx.example.com",
            "websocket_url": None,
        },
    }
    assert await office.get(f"{path}/{made['id']}") == made
    assert (await office.get(path))["data"] == (await office.get("/v1/endpoints"))["data"] == [made]


@pytest.mark.parametrize("contacts", [[], [Contact("sip:a@h", reachable=False)]])
async def test_a_device_that_cannot_be_reached_is_offline(office: Office, contacts: list[Contact]) -> None:
    office.switch.registered["desk"] = contacts
    made = await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    assert (made["status"], len(made["contacts"])) == ("offline", len(contacts))


async def test_without_asterisk_every_device_is_offline(office: Office) -> None:
    office.switch.registered["desk"] = [Contact("sip:a@h")]
    office.switch.connected = False
    made = await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    assert (made["status"], made["contacts"]) == ("offline", [])


async def test_an_extension(office: Office) -> None:
    made = await office.make("/v1/extensions", number="1001", target=office.user.id)
    user = office.user.id
    assert timeless(made) == {"number": "1001", "target": user, "user": user, "user_id": user, "status": "active"}
    assert await office.get("/v1/extensions/1001") == made
    expanded = await office.get(f"/v1/users/{user}?expand[]=extensions")
    assert expanded["extensions"]["data"] == [made]


async def test_a_phone_number(office: Office) -> None:
    made = await office.make("/v1/phone-numbers", phone_number="+12025550101", caller_id_name="Bakery")
    assert timeless(made) == {
        "phone_number": "+12025550101",
        "status": "active",
        "outbound_enabled": True,
        "caller_id_name": "Bakery",
    }
    assert await office.get(f"/v1/phone-numbers/{made['id']}") == made


async def test_a_key_is_shown_once(office: Office) -> None:
    made = await office.make("/v1/keys")
    secret = made.pop("secret")
    assert secret.startswith("sk_live_")
    assert timeless(made) == {
        "hint": secret[:16],
        "livemode": True,
        "status": "active",
        "revoked_at": None,
        "expires_at": None,
        "last_used_at": None,
        "networks": [],
    }
    assert await office.get(f"/v1/keys/{made['id']}") == made
    assert secret not in str(await office.get("/v1/keys"))


# --- changes ---


async def test_each_is_changed_by_what_is_named_and_nothing_else(office: Office) -> None:
    user, number = office.user.id, await office.make("/v1/phone-numbers", phone_number="+12025550101")
    device = await office.make(f"/v1/users/{user}/endpoints", endpoint="desk", name="Desk")
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    await office.make("/v1/extensions", number="1001", target=user)
    for path, changes in (
        (f"/v1/accounts/{office.account.id}", {"primary_contact_name": "Ann", "email": "ann@example.org"}),
        (f"/v1/accounts/{office.account.id}", {"caller_number": number["id"], "caller_number_id": number["id"]}),
        (f"/v1/users/{user}", {"do_not_disturb": True, "email": "ann@example.org", "config": {"theme": "dark"}}),
        (f"/v1/users/{user}", {"name": "Anna"}),
        (f"/v1/users/{user}/endpoints/{device['id']}", {"name": "Mobile", "endpoint": "mobile"}),
        ("/v1/extensions/1001", {"target": bob, "user": bob, "user_id": bob}),
        (f"/v1/phone-numbers/{number['id']}", {"status": "inactive", "outbound_enabled": False}),
        (f"/v1/phone-numbers/{number['id']}", {"caller_id_name": "Bakery"}),
    ):
        before = await office.get(path)
        changed = await office.change(path, **changes)
        if "endpoint" in changes:  # by which the phone knows itself
            before["sip"] |= {"username": "mobile", "uri": "sip:mobile@pbx.example.com"}
        assert changed | {"updated_at": ""} == before | changes | {"updated_at": ""}
        assert await office.get(path) == changed


async def test_null_empties_a_field_and_absence_does_not(office: Office) -> None:
    number = (await office.make("/v1/phone-numbers", phone_number="+12025550101"))["id"]
    path = f"/v1/users/{office.user.id}"
    await office.change(path, email="ann@example.org", caller_number_id=number, config={"a": 1})
    assert (await office.change(path))["email"] == "ann@example.org"
    emptied = await office.change(path, email=None, caller_number_id=None, config=None)
    assert (emptied["email"], emptied["caller_number"], emptied["config"]) == (None, None, {})


async def test_what_clients_send_beyond_what_we_use_is_kept_and_given_back(office: Office) -> None:
    theirs = {
        "email": "b@example.org",
        "primary_contact_name": "Bea",
        "address": {"city": "Berlin", "lines": ["A", "B"]},
        "billing_address": {"city": "Köln"},
        "pricing": {"plan": 7},
    }
    made = await office.make("/v1/accounts", **theirs, config={"timezone": "Europe/Berlin", "theme": {"dark": True}})
    assert made["name"] == "Bea"
    assert {name: made[name] for name in theirs} == theirs
    config = {"region": "US", "extension_length": 4, "timezone": "Europe/Berlin", "theme": {"dark": True}}
    assert made["config"] == config
    path = f"/v1/accounts/{made['id']}"
    changed = await office.change(path, address={"city": "Bonn"}, config={"region": "DE"}, pricing=None)
    assert (changed["address"], changed["pricing"], changed["billing_address"]) == (
        {"city": "Bonn"},
        None,
        {"city": "Köln"},
    )
    assert changed["config"] == config | {"region": "DE"}


async def test_what_is_kept_has_an_end(office: Office) -> None:
    path = f"/v1/accounts/{office.account.id}"
    await office.change(path, address="a" * 9_000)
    refused = await office.refused("POST", path, {"billing_address": "b" * 9_000})
    assert (refused[0], list(refused[2])) == (400, ["billing_address"])
    assert (await office.get(path))["billing_address"] is None


# --- refusals ---


BAD_FIELDS: list[tuple[str, Json, str, str]] = [
    ("/v1/accounts", {}, "name", "is required"),
    ("/v1/accounts", {"name": ""}, "name", "is required"),
    ("/v1/accounts", {"name": 7}, "name", "must be a text or null"),
    ("/v1/accounts", {"name": "A", "colour": 1}, "colour", "is not a known field"),
    ("/v1/accounts", {"name": "A", "config": []}, "config", "must be an object or null"),
    ("/v1/accounts", {"name": "A", "config": {"region": "XX"}}, "config.region", "must be an ISO 3166-1"),
    ("/v1/accounts", {"name": "A", "config": {"region": 7}}, "config.region", "must be a text"),
    ("/v1/accounts", {"name": "A", "config": {"extension_length": 9}}, "config.extension_length", "must be 3 to 6"),
    ("/v1/accounts", {"name": "A", "config": {"timezone": "Mars"}}, "config.timezone", "must be an IANA"),
    ("/v1/users", {}, "name", "is required"),
    ("/v1/users", {"name": None}, "name", "is required"),
    ("/v1/users", {"name": "  "}, "name", "is required"),
    ("/v1/users", {"name": "B", "email": "nobody"}, "email", "is not an e-mail address"),
    ("/v1/users", {"name": "B", "do_not_disturb": "yes"}, "do_not_disturb", "must be true or false"),
    ("/v1/users", {"name": "B", "do_not_disturb": None}, "do_not_disturb", "must be true or false"),
    ("/v1/users", {"name": "B", "caller_number": "did_x"}, "caller_number_id", "is no number of this account"),
    ("/v1/users", {"name": "B", "id": "user_x"}, "id", "is not a known field"),
    ("/v1/users/{user}", {"name": None}, "name", "must be a text"),
    ("/v1/users/{user}", {"name": ""}, "name", "is required"),
    ("/v1/users/{user}/endpoints", {"endpoint": ""}, "endpoint", "must be 1 to 64 letters"),
    ("/v1/users/{user}/endpoints", {"password": "mine"}, "password", "is not a known field"),
    ("/v1/users/{user}/endpoints", {"endpoint": "a/sip:evil"}, "endpoint", "must be 1 to 64 letters"),
    ("/v1/users/{user}/endpoints", {"endpoint": "d", "user": "x"}, "user", "is not a known field"),
    ("/v1/extensions", {"target": "{user}"}, "number", "is required"),
    ("/v1/extensions", {"number": "1001"}, "target", "is required"),
    ("/v1/extensions", {"number": 1001, "target": "{user}"}, "number", "must be a text"),
    ("/v1/extensions", {"number": "10", "target": "{user}"}, "number", "must be 4 digits"),
    ("/v1/extensions", {"number": "1001", "target": "user_x"}, "target", "is no user of this account"),
    ("/v1/phone-numbers", {"phone_number": "5551234567"}, "phone_number", "must be in E.164 form"),
    (
        "/v1/phone-numbers",
        {"phone_number": "+12025550101", "status": "on"},
        "status",
        "must be one of active, inactive",
    ),
    ("/v1/phone-numbers", {"number": "+12025550101"}, "number", "is not a known field"),
    ("/v1/keys", {"livemode": 1}, "livemode", "must be true or false"),
    ("/v1/keys", {"secret": "mine"}, "secret", "is not a known field"),
]


@pytest.mark.parametrize(("path", "body", "field", "reason"), BAD_FIELDS)
async def test_a_wrong_field_is_named(office: Office, path: str, body: Json, field: str, reason: str) -> None:
    user = office.user.id
    body = {name: value.replace("{user}", user) if isinstance(value, str) else value for name, value in body.items()}
    before = await office.store.directory()
    status, _, details = await office.refused("POST", path.replace("{user}", user), body)
    assert (status, list(details)) == (400, [field])
    assert details[field].startswith(reason)
    assert await office.store.directory() == before


async def test_both_spellings_are_understood_and_the_one_without_id_wins(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    number = (await office.make("/v1/phone-numbers", phone_number="+12025550101"))["id"]
    made = await office.make("/v1/extensions", number="1001", user=bob, user_id=office.user.id)
    assert made["user_id"] == bob
    made = await office.make("/v1/extensions", number="1002", user="", user_id=bob)
    assert made["user_id"] == bob
    changed = await office.change(f"/v1/users/{bob}", caller_number=number, caller_number_id=None)
    assert changed["caller_number_id"] == number


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/extensions", {"number": "1001", "target": "{user}"}, "number"),
        ("/v1/phone-numbers", {"phone_number": "+12025550101"}, "phone_number"),
        ("/v1/users/{user}/endpoints", {"endpoint": "desk"}, "endpoint"),
    ],
)
async def test_what_is_taken_is_a_409(office: Office, path: str, body: Json, field: str) -> None:
    path = path.replace("{user}", office.user.id)
    body = {name: value.replace("{user}", office.user.id) for name, value in body.items()}
    await office.make(path, **body)
    assert await office.refused("POST", path, body) == (409, "already_in_use", {field: "is already in use"})


async def test_a_device_cannot_move_to_an_endpoint_that_is_taken_but_may_keep_its_own(office: Office) -> None:
    path = f"/v1/users/{office.user.id}/endpoints"
    desk, _ = await office.make(path, endpoint="desk"), await office.make(path, endpoint="mobile")
    await office.change(f"{path}/{desk['id']}", endpoint="desk")
    assert (await office.refused("POST", f"{path}/{desk['id']}", {"endpoint": "mobile"}))[:2] == (409, "already_in_use")


async def test_the_extensions_of_an_account_must_fit_what_it_becomes(office: Office) -> None:
    await office.make("/v1/extensions", number="1001", target=office.user.id)
    path = f"/v1/accounts/{office.account.id}"
    refused = await office.refused("POST", path, {"config": {"extension_length": 3}})
    assert (refused[0], list(refused[2])) == (400, ["config.extension_length"])
    assert (await office.get(path))["config"]["extension_length"] == 4
    await office.delete("/v1/extensions/1001")
    await office.change(path, config={"extension_length": 3})
    await office.make("/v1/extensions", number="110", target=office.user.id)
    refused = await office.refused("POST", path, {"config": {"region": "DE"}})
    assert (refused[0], list(refused[2])) == (400, ["config.region"])


# --- what is not there ---

UNKNOWN: list[tuple[str, str]] = [
    ("/v1/accounts/{account}", "account_not_found"),
    ("/v1/users/{user}", "user_not_found"),
    ("/v1/users/{user}/endpoints", "user_not_found"),
    ("/v1/users/{ann}/endpoints/{device}", "endpoint_not_found"),
    ("/v1/users/{user}/endpoints/{device}", "user_not_found"),
    ("/v1/extensions/{extension}", "extension_not_found"),
    ("/v1/phone-numbers/{number}", "phone_number_not_found"),
    ("/v1/keys/{key}", "key_not_found"),
]


@pytest.mark.parametrize(("path", "code"), UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_foreign_id_is_answered_exactly_like_one_that_does_not_exist(
    office: Office, method: str, path: str, code: str
) -> None:
    if (method, path) in (("POST", "/v1/keys/{key}"), ("DELETE", "/v1/users/{user}/endpoints")):
        assert (await office.refused(method, path))[0] == 405
        return
    store, ann = office.store, office.user.id
    stranger = await store.create_platform("Stranger")
    account = await store.create_account(stranger.id, "Theirs")
    user = await store.create_user(account.id, "Eve")
    device = await store.create_device(account.id, user.id, "eve")
    number = await store.create_phone_number(account.id, "+12025550109")
    _, key = await store.create_key(stranger.id)
    await store.create_extension(account.id, "1009", user.id)
    await office.service.directory_changed()
    before = await store.directory()
    foreign = path.format(
        account=account.id, ann=ann, user=user.id, device=device.id, number=number.id, key=key.id, extension="1009"
    )
    unknown = path.format(
        account="acct_01h2xcejqtf2nbrexx3vqjhp41",
        ann=ann,
        user=new_id(USER),
        device=new_id(DEVICE),
        number=new_id(NUMBER),
        key=new_id(KEY),
        extension="1008",
    )
    nonsense = path.format(account="x", ann=ann, user="me", device="'", number="%00", key="key_", extension="%2B1")
    body: Json | None = {} if method == "POST" else None
    if path == "/v1/extensions/{extension}" and body is not None:
        body = {"target": ann}
    elif path == "/v1/users/{user}/endpoints" and body is not None:
        body = {"endpoint": "new"}
    answers = [await office.refused(method, one, body) for one in (foreign, unknown, nonsense)]
    assert answers == [(404, code, {})] * 3
    assert await store.directory() == before


async def test_nothing_foreign_can_be_named(office: Office) -> None:
    account = await office.store.create_account(office.platform.id, "Neighbour")
    eve = await office.store.create_user(account.id, "Eve")
    number = await office.store.create_phone_number(account.id, "+12025550109")
    ann = f"/v1/users/{office.user.id}"
    for path, body, field in (
        ("/v1/extensions", {"number": "1001", "target": eve.id}, "target"),
        (ann, {"caller_number": number.id}, "caller_number_id"),
        (f"/v1/accounts/{office.account.id}", {"caller_number": number.id}, "caller_number_id"),
    ):
        assert list((await office.refused("POST", path, body))[2]) == [field]


async def test_a_device_is_found_through_its_own_user_only(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    desk = await office.make(f"/v1/users/{bob}/endpoints", endpoint="desk")
    assert (await office.refused("GET", f"/v1/users/{office.user.id}/endpoints/{desk['id']}"))[0] == 404


# --- deletion ---


async def test_what_is_deleted_is_gone_and_its_name_is_free(office: Office) -> None:
    user = office.user.id
    number = await office.make("/v1/phone-numbers", phone_number="+12025550101")
    device = await office.make(f"/v1/users/{user}/endpoints", endpoint="desk")
    await office.make("/v1/extensions", number="1001", target=user)
    for path in (
        f"/v1/phone-numbers/{number['id']}",
        f"/v1/users/{user}/endpoints/{device['id']}",
        "/v1/extensions/1001",
    ):
        await office.delete(path)
        assert (await office.refused("GET", path))[0] == 404
        assert (await office.refused("DELETE", path))[0] == 404
        assert (await office.get(path.rpartition("/")[0]))["data"] == []
    await office.make("/v1/phone-numbers", phone_number="+12025550101")
    await office.make(f"/v1/users/{user}/endpoints", endpoint="desk")
    await office.make("/v1/extensions", number="1001", target=user)


async def test_with_a_user_go_devices_and_extensions_and_all_that_is_personal(office: Office, tmp_path: Path) -> None:
    user = (await office.make("/v1/users", name="Zacharias", email="z@example.org", config={"pet": "Rex"}))["id"]
    await office.make(f"/v1/users/{user}/endpoints", endpoint="zac")
    await office.make("/v1/extensions", number="1009", target=user)
    await office.delete(f"/v1/users/{user}")
    assert (await office.refused("GET", f"/v1/users/{user}"))[:2] == (404, "user_not_found")
    assert (await office.get("/v1/extensions"))["data"] == (await office.get("/v1/endpoints"))["data"] == []
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="zac")
    (row,) = rows(tmp_path / "c2c.db", "SELECT name, email, kept FROM users WHERE id = ?", user)
    assert row == ("", "", "{}")


async def test_an_account_with_users_stays(office: Office) -> None:
    account = await office.store.create_account(office.platform.id, "Neighbour")
    user = await office.store.create_user(account.id, "Eve")
    await office.store.create_phone_number(account.id, "+12025550109")
    await office.service.directory_changed()
    path = f"/v1/accounts/{account.id}"
    assert (await office.refused("DELETE", path))[:2] == (409, "in_use")
    assert (await office.ask("DELETE", f"/v1/users/{user.id}", account=account.id))[0] == 204
    await office.delete(path)
    assert (await office.refused("GET", path))[0] == 404
    assert (await office.refused("GET", "/v1/users", account=account.id))[0] == 403
    await office.make("/v1/phone-numbers", phone_number="+12025550109")


async def test_a_number_that_somebody_shows_stays(office: Office) -> None:
    number = (await office.make("/v1/phone-numbers", phone_number="+12025550101"))["id"]
    for path in (f"/v1/users/{office.user.id}", f"/v1/accounts/{office.account.id}"):
        await office.change(path, caller_number=number)
        assert (await office.refused("DELETE", f"/v1/phone-numbers/{number}"))[:2] == (409, "in_use")
        await office.change(path, caller_number=None)
    await office.delete(f"/v1/phone-numbers/{number}")


# --- keys ---


async def test_a_revoked_key_stays_in_the_list_and_opens_nothing(office: Office) -> None:
    made = await office.make("/v1/keys")
    assert (await office.ask("GET", "/v1/users", key=made["secret"]))[0] == 200
    for _ in range(2):
        await office.delete(f"/v1/keys/{made['id']}")
    assert (await office.ask("GET", "/v1/users", key=made["secret"]))[0] == 401
    found = await office.get(f"/v1/keys/{made['id']}")
    assert (found["status"], found["revoked_at"] is not None) == ("revoked", True)


async def test_a_key_cannot_revoke_itself(office: Office) -> None:
    (own,) = (await office.get("/v1/keys"))["data"]
    assert (await office.refused("DELETE", f"/v1/keys/{own['id']}"))[:2] == (409, "in_use")


async def test_a_test_key_makes_and_revokes_test_keys_only(office: Office) -> None:
    (live,) = (await office.get("/v1/keys"))["data"]
    test = await office.make("/v1/keys", livemode=False)
    assert test["secret"].startswith("sk_test_")
    key = test["secret"]
    assert (await office.refused("POST", "/v1/keys", {"livemode": True}, key=key))[:2] == (403, "not_allowed")
    assert (await office.refused("DELETE", f"/v1/keys/{live['id']}", key=key))[:2] == (403, "not_allowed")
    status, made = await office.ask("POST", "/v1/keys", {}, key=key)
    assert (status, made["livemode"]) == (201, False)
    assert (await office.ask("DELETE", f"/v1/keys/{made['id']}", key=key))[0] == 204


async def test_a_rotated_key_and_the_new_one_both_open_until_the_overlap_is_over(office: Office) -> None:
    old = await office.make("/v1/keys", livemode=False)
    before = time.time()
    new = await office.make(f"/v1/keys/{old['id']}/rotate", overlap_seconds=3600)
    assert (new["livemode"], new["expires_at"], new["status"]) == (False, None, "active")
    for key in (old["secret"], new["secret"]):
        assert (await office.ask("GET", "/v1/users", key=key))[0] == 200
    shown = await office.get(f"/v1/keys/{old['id']}")
    assert shown["status"] == "active"
    assert datetime.fromisoformat(shown["expires_at"]).timestamp() == pytest.approx(before + 3600, abs=5)
    await office.make(
        f"/v1/keys/{old['id']}/rotate", overlap_seconds=0
    )  # what was said later cannot lengthen, but shorten
    assert (await office.ask("GET", "/v1/users", key=old["secret"]))[0] == 401
    assert (await office.ask("GET", "/v1/users", key=new["secret"]))[0] == 200
    assert (await office.get(f"/v1/keys/{old['id']}"))["status"] == "expired"
    assert (await office.refused("POST", f"/v1/keys/{old['id']}/rotate"))[:2] == (403, "not_allowed")


async def test_a_key_rotates_itself_and_the_overlap_is_a_day_unless_it_is_said(office: Office) -> None:
    (own,) = (await office.get("/v1/keys"))["data"]
    status, new = await office.ask("POST", f"/v1/keys/{own['id']}/rotate")
    assert (status, new["livemode"]) == (201, True)
    expires_at = datetime.fromisoformat((await office.get(f"/v1/keys/{own['id']}"))["expires_at"]).timestamp()
    assert expires_at == pytest.approx(time.time() + 86_400, abs=5)
    await office.make(f"/v1/keys/{own['id']}/rotate", overlap_seconds=2_592_000)
    shown = await office.get(f"/v1/keys/{own['id']}")
    assert datetime.fromisoformat(shown["expires_at"]).timestamp() == expires_at


@pytest.mark.parametrize("overlap", [-1, 2_592_001, "60", None])
async def test_an_overlap_has_its_limits(office: Office, overlap: object) -> None:
    (own,) = (await office.get("/v1/keys"))["data"]
    refused = await office.refused("POST", f"/v1/keys/{own['id']}/rotate", {"overlap_seconds": overlap})
    assert (refused[:2], list(refused[2])) == ((400, "validation_error"), ["overlap_seconds"])
    assert (await office.get(f"/v1/keys/{own['id']}"))["expires_at"] is None


async def test_a_test_key_rotates_no_live_one(office: Office) -> None:
    (live,) = (await office.get("/v1/keys"))["data"]
    test = await office.make("/v1/keys", livemode=False)
    assert (await office.refused("POST", f"/v1/keys/{live['id']}/rotate", key=test["secret"]))[:2] == (
        403,
        "not_allowed",
    )
    assert (await office.refused("POST", f"/v1/keys/{new_id(KEY)}/rotate"))[:2] == (404, "key_not_found")


async def test_when_a_key_was_used_is_told_once_a_minute(office: Office) -> None:
    (own,) = (await office.get("/v1/keys"))["data"]
    assert own["last_used_at"] is None
    revision = await office.store.directory_revision()
    uses = office.service.key_uses()
    assert uses == {own["id"]: pytest.approx(time.time(), abs=5)}
    await office.store.keys_used(uses)
    told = (await office.get(f"/v1/keys/{own['id']}"))["last_used_at"]
    assert datetime.fromisoformat(told).timestamp() == pytest.approx(time.time(), abs=5)
    assert office.service.key_uses() == {}
    assert await office.store.directory_revision() == revision  # nobody has to read the directory again for it


async def test_an_extension_may_not_be_what_is_dialled_for_an_outside_line_and_an_emergency_number(
    office: Office,
) -> None:
    body = {"number": "9911", "target": office.user.id}
    status, code, details = await office.refused("POST", "/v1/extensions", body)
    assert (status, code) == (400, "validation_error")
    assert details["number"].startswith("is dialled by who wants an outside line and 911, an emergency number")
    london = {"street": "Whitehall", "city": "London", "country": "GB"}
    assert (await office.make("/v1/extensions", number="9999", target=office.user.id))["number"] == "9999"
    await office.delete("/v1/extensions/9999")
    await office.make("/v1/locations", name="London", address=london)
    _, _, details = await office.refused("POST", "/v1/extensions", body | {"number": "9999"})
    assert details["number"].startswith("is dialled by who wants an outside line and 999, an emergency number")
    office.service.reconfigure(Calls(), (), (), Settings(), Emergency(outside_line=Words()))
    assert (await office.make("/v1/extensions", **body))["number"] == "9911"
