"""What an account may dial of its own, as the API takes and gives it; and the preflight that tells what it comes to."""

from typing import Any

import pytest

from c2c_stasis.config import Calls, RouteRule, Trunk, Words
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.store.samples import eventually

LONDON = "+442079460018"


async def preflight(office: Office, dial_string: str, **asked: object) -> dict[str, Any]:
    """What would become of a call of Ann."""
    body = {"user_id": office.user.id, "dial_string": dial_string} | asked
    status, told = await office.ask("POST", "/v1/calls/preflight", body)
    assert status == 200, told
    return dict(told)


async def set_policy(office: Office, policy: object) -> dict[str, Any]:
    """Set what Ann's account may."""
    return dict(await office.change(f"/v1/accounts/{office.account.id}", policy=policy))


# --- the policy of an account ---


async def test_a_policy_is_given_back_as_it_was_set_and_counts_for_the_next_request(office: Office) -> None:
    assert (await preflight(office, LONDON))["rule"] == "other_region"
    policy = {
        "allow_regions": ["GB"],
        "deny_prefixes": ["+44870"],
        "limits": {"calls_at_a_time": 3, "minutes_per_day": "unlimited"},
        "user_limits": {"starts_per_second": 0.5},
    }
    assert (await set_policy(office, policy))["policy"] == policy
    assert (await office.get(f"/v1/accounts/{office.account.id}"))["policy"] == policy
    assert (await preflight(office, LONDON))["rule"] == "allowed_region"
    record = await office.get(await office.call(office.user.id, LONDON))
    assert record["rule"] == "allowed_region"
    assert (await set_policy(office, None))["policy"] == {}
    assert (await preflight(office, LONDON))["rule"] == "other_region"


async def test_another_change_leaves_the_policy_alone_and_a_new_one_takes_the_place_of_the_whole(
    office: Office,
) -> None:
    await set_policy(office, {"allow_regions": ["GB"]})
    changed = await office.change(f"/v1/accounts/{office.account.id}", email="a@example.org")
    assert changed["policy"] == {"allow_regions": ["GB"]}
    assert (await set_policy(office, {"outbound_enabled": False}))["policy"] == {"outbound_enabled": False}


async def test_an_account_can_be_made_with_a_policy(office: Office) -> None:
    made = await office.make("/v1/accounts", name="New", policy={"strict_numbers": True})
    assert made["policy"] == {"strict_numbers": True}


@pytest.mark.parametrize(
    ("policy", "field", "reason"),
    [
        ({"outbound_enabled": 1}, "policy.outbound_enabled", "must be true or false"),
        ({"allow_regions": ["UK"]}, "policy", "allow_regions names 'UK', which is no country"),
        ({"allow_prefixes": ["0044"]}, "policy", "which is no beginning of a number"),
        ({"allow_types": ["cheap"]}, "policy.allow_types.[0]", "cheap"),
        ({"limits": {"calls": 3}}, "policy.limits.calls", "is not a known field"),
        ({"limits": {"calls_at_a_time": -1}}, "policy.limits.calls_at_a_time", "must be"),
        ({"limits": {"calls_at_a_time": "none"}}, "policy.limits.calls_at_a_time", ""),
        ({"user_limits": None}, "policy.user_limits", "must be an object"),
        ({"everything": True}, "policy.everything", "is not a known field"),
        ([], "policy", "must be an object or null"),
    ],
)
async def test_a_wrong_policy_is_refused_by_its_field_and_changes_nothing(
    office: Office, policy: object, field: str, reason: str
) -> None:
    status, told = await office.ask("POST", f"/v1/accounts/{office.account.id}", {"policy": policy})
    assert (status, told["code"]) == (400, "validation_error")
    assert field in told["details"]
    assert reason in told["details"][field]
    assert (await office.get(f"/v1/accounts/{office.account.id}"))["policy"] == {}


async def test_a_limit_of_an_account_is_a_429_that_names_its_rule_and_when_to_come_back(office: Office) -> None:
    await set_policy(office, {"limits": {"calls_at_a_time": 0}})
    status, told = await office.ask("POST", "/v1/calls", {"user_id": office.user.id, "dial_string": "+15551234567"})
    assert (status, told["code"], told["details"]) == (429, "limit_reached", {"rule": "account_calls"})


# --- the preflight ---


async def test_a_preflight_whole(office: Office) -> None:
    desk = await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk", name="Desk")
    away = await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="away")
    office.switch.registered["desk"] = [Contact("sip:desk@10.0.0.1"), Contact("sip:desk@10.0.0.2", False)]
    number = await office.make("/v1/phone-numbers", phone_number="+12025550101", caller_id_name="Bakery")
    told = await preflight(office, "(212) 555-0123", did=number["id"], max_duration=60)
    assert told == {
        "object": "preflight",
        "allowed": True,
        "rule": "home_region",
        "reason": "numbers of US are dialled",
        "status": None,
        "code": None,
        "retry_after": None,
        "user": office.user.id,
        "user_id": office.user.id,
        "dial_string": "(212) 555-0123",
        "kind": "external",
        "number": "+12125550123",
        "number_class": "fixed_line_or_mobile",
        "region": "US",
        "international": False,
        "devices": [
            {
                "endpoint": desk["id"],
                "endpoint_id": desk["id"],
                "device": "desk",
                "name": "Desk",
                "status": "online",
                "contacts": 2,
                "rings": True,
            },
            {
                "endpoint": away["id"],
                "endpoint_id": away["id"],
                "device": "away",
                "name": None,
                "status": "offline",
                "contacts": 0,
                "rings": False,
            },
        ],
        "callee": None,
        "destination_devices": [],
        "trunks": ["carrier"],
        "did": number["id"],
        "did_id": number["id"],
        "from_number": "+12025550101",
        "from_label": "Bakery",
        "anonymous": False,
        "ring_timeout": 30.0,
        "answer_timeout": 60.0,
        "max_duration": 60.0,
        "emergency": None,
        "asterisk": "ok",
        "warnings": [],
    }
    assert office.service.live == 0
    assert (await office.get("/v1/calls"))["data"] == []


@pytest.mark.parametrize(
    ("dial_string", "kind", "rule", "status", "code"),
    [
        (LONDON, "external", "other_region", 403, "destination_not_allowed"),
        ("1 900 234 5678", "external", "premium_rate", 403, "destination_not_allowed"),
        ("PJSIP/x@evil", None, "malformed_dial_string", 400, "validation_error"),
        ("12", None, "impossible_number", 400, "validation_error"),
        ("9999", "extension", "unknown_extension", 400, "validation_error"),
        ("911", "emergency", "emergency", None, None),
    ],
)
async def test_what_is_refused_is_no_error_of_the_preflight_and_the_call_is_refused_alike(
    office: Office, dial_string: str, kind: str, rule: str, status: int | None, code: str | None
) -> None:
    told = await preflight(office, dial_string)
    assert (told["kind"], told["rule"], told["status"], told["code"]) == (kind, rule, status, code)
    assert told["allowed"] is (status is None)
    if status is not None:
        body = {"user_id": office.user.id, "dial_string": dial_string}
        refused, named, details = await office.refused("POST", "/v1/calls", body)
        assert (refused, named, details["rule"]) == (status, code, rule)


async def test_a_number_that_is_refused_is_told_before_an_option_that_cannot_be(office: Office) -> None:
    asked = {"user_id": office.user.id, "dial_string": LONDON, "did": "did_01h455vb4pex5vsknk084sn02q"}
    status, refused = await office.ask("POST", "/v1/calls", asked)
    assert (status, refused["details"]["rule"]) == (403, "other_region")
    told = await preflight(office, LONDON, did=asked["did"])
    assert (told["allowed"], told["rule"]) == (False, "other_region")
    status, refused = await office.ask("POST", "/v1/calls/preflight", asked | {"dial_string": "+12125550123"})
    assert (status, sorted(refused["details"])) == (400, ["did"])


async def test_a_preflight_tells_of_a_used_up_limit_and_uses_up_none(office: Office) -> None:
    await set_policy(office, {"limits": {"same_destination": 1}})
    for _ in range(3):
        assert (await preflight(office, "+15551234567"))["allowed"] is True
    await office.call(office.user.id)
    told = await preflight(office, "+15551234567")
    assert (told["rule"], told["status"], told["code"]) == ("account_same_destination", 429, "limit_reached")
    assert 590 <= told["retry_after"] <= 610
    await eventually(lambda: office.service.live == 0)


async def test_a_preflight_tells_every_trunk_that_would_be_tried_and_who_would_not_be_shown_the_number(
    office: Office,
) -> None:
    trunks = [Trunk(name, "PJSIP/{number}@" + name) for name in ("carrier", "spare")]
    routes = [RouteRule(Words(("spare", "carrier")), numbers=Words(("national",)))]
    office.service.reconfigure(Calls(), trunks, routes, Settings())
    told = await preflight(office, "+12125550123", anonymous=True)
    assert (told["trunks"], told["anonymous"]) == (["spare", "carrier"], True)
    assert (await preflight(office, LONDON))["trunks"] == []
    await set_policy(office, {"allow_regions": ["GB"]})
    told = await preflight(office, LONDON)
    assert (told["trunks"], told["anonymous"]) == (["carrier", "spare"], False)


async def test_an_emergency_preflight_says_what_is_missing(office: Office) -> None:
    told = await preflight(office, "911", ring_timeout="soon")
    assert told["emergency"] == {
        "emergency_trunk": False,
        "test": False,
        "callback_number": None,
        "location": None,
        "location_id": None,
        "location_name": None,
        "address": None,
        "missing": ["emergency_trunk", "callback_number", "location"],
    }
    assert [warning.partition(":")[0] for warning in told["warnings"]] == [
        "no device of the user is online",
        "no trunk is marked for emergency calls",
        "no number is shown",
        "nobody knows where the user is",
    ]


async def test_where_somebody_is_counts_for_the_very_next_call(office: Office) -> None:
    assert (await preflight(office, "999"))["kind"] is None
    address = {"street": "Whitehall", "city": "London", "country": "GB"}
    place = await office.make("/v1/locations", name="London", address=address)
    await office.change(f"/v1/users/{office.user.id}", location=place["id"])
    told = await preflight(office, "9 999")
    assert (told["rule"], told["number"]) == ("emergency", "999")
    assert (told["emergency"]["location_name"], told["emergency"]["address"]) == ("London", address)
    assert told["emergency"]["missing"] == ["emergency_trunk", "callback_number"]


async def test_a_colleague_who_wants_no_calls_and_one_who_has_no_phone(office: Office) -> None:
    bob = await office.make("/v1/users", name="Bob")
    await office.make(f"/v1/users/{bob['id']}/endpoints", endpoint="bob")
    await office.make("/v1/extensions", number="1002", target=bob["id"])
    told = await preflight(office, "1002")
    assert (told["rule"], told["callee"], told["destination_devices"][0]["rings"]) == ("extension", "Bob", False)
    assert "no device of the extension's user is online" in told["warnings"][-1]
    office.switch.registered["bob"] = [Contact("sip:bob@10.0.0.1")]
    assert (await preflight(office, "1002"))["destination_devices"][0]["rings"] is True
    await office.change(f"/v1/users/{bob['id']}", do_not_disturb=True)
    told = await preflight(office, "1002")
    assert told["destination_devices"][0]["rings"] is False
    assert "wants no calls now" in told["warnings"][-1]


# --- where a user is ---

LONDON_OFFICE = {"street": "1 Cornhill", "city": "London", "country": "GB"}


async def test_who_is_elsewhere_dials_as_people_do_there_and_still_reaches_the_accounts_own_country(
    office: Office,
) -> None:
    location = await office.make("/v1/locations", name="London", address=LONDON_OFFICE)
    assert (await preflight(office, "020 7946 0018"))["rule"] == "impossible_number"
    await office.change(f"/v1/users/{office.user.id}", location=location["id"])
    told = await preflight(office, "020 7946 0018")
    assert (told["number"], told["rule"], told["international"]) == (LONDON, "home_region", False)
    told = await preflight(office, "+12125550123")
    assert (told["rule"], told["international"]) == ("allowed_region", True)
    assert (await preflight(office, "+33142685300"))["reason"] == "the number belongs to FR; only GB or US is dialled"
    record = await office.get(await office.call(office.user.id, "020 7946 0018"))
    assert (record["to_number"], record["rule"]) == (LONDON, "home_region")


@pytest.mark.parametrize("dial_string", ["999", "112", "911"])
async def test_the_emergency_numbers_of_the_place_count_and_those_of_the_account(
    office: Office, dial_string: str
) -> None:
    location = await office.make("/v1/locations", name="London", address=LONDON_OFFICE)
    await office.change(f"/v1/users/{office.user.id}", location=location["id"])
    await set_policy(office, {"outbound_enabled": False, "limits": {"calls_at_a_time": 0}})
    told = await preflight(office, dial_string)
    assert (told["kind"], told["allowed"], told["emergency"]["location"]) == ("emergency", True, location["id"])
    # A field that is wrong does not hold up an emergency request, so it is known as one before anything else is read.
    body = {"user_id": office.user.id, "dial_string": dial_string, "ring_timeout": "soon"}
    status, _ = await office.ask("POST", "/v1/calls", body)
    assert status == 202
    await eventually(lambda: office.service.live == 0)


async def test_a_location_that_moves_counts_for_the_next_request(office: Office) -> None:
    location = await office.make("/v1/locations", name="London", address=LONDON_OFFICE)
    await office.change(f"/v1/users/{office.user.id}", location=location["id"])
    assert (await preflight(office, "999"))["kind"] == "emergency"
    await office.change(f"/v1/locations/{location['id']}", address=LONDON_OFFICE | {"city": "Paris", "country": "FR"})
    assert (await preflight(office, "999"))["kind"] != "emergency"
    assert (await preflight(office, LONDON))["rule"] == "other_region"
