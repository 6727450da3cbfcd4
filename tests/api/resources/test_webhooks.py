"""Webhook endpoints over HTTP: made, shown without their secret, changed, rotated, tested, and what was sent to them."""

import logging
from typing import Any

import pytest

from tests.api.resources.office import Office

URL = "https://hooks.example.com/c2c"
PATH = "/v1/webhook_endpoints"


async def made(office: Office, **fields: object) -> Any:
    return await office.make(PATH, url=URL, **fields)


async def test_the_secret_is_shown_once_and_nowhere_else(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = await made(office, description="CRM")
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert endpoint == {
        "id": endpoint["id"],
        "url": URL,
        "enabled_events": ["*"],
        "status": "enabled",
        "description": "CRM",
        "livemode": True,
        "created_at": endpoint["created_at"],
        "failing_since": None,
        "disabled_reason": None,
        "previous_secret_until": None,
    }
    assert await office.get(f"{PATH}/{endpoint['id']}") == endpoint
    assert (await office.get(PATH))["data"] == [endpoint]
    changed = await office.change(f"{PATH}/{endpoint['id']}", description="")
    assert "secret" not in changed
    assert changed["description"] is None
    assert secret not in caplog.text


async def test_a_rotation_gives_another_secret_and_says_until_when_the_old_one_counts(office: Office) -> None:
    endpoint = await made(office)
    path = f"{PATH}/{endpoint['id']}"
    rotated = await office.change(f"{path}/rotate", overlap_seconds=60)
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["previous_secret_until"] > rotated["created_at"]
    at_once = await office.change(f"{path}/rotate", overlap_seconds=0)
    assert at_once["previous_secret_until"] is None
    assert len({endpoint["secret"], rotated["secret"], at_once["secret"]}) == 3
    assert (await office.refused("POST", f"{path}/rotate", {"overlap_seconds": 604_801}))[:2] == (
        400,
        "validation_error",
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": 7}, "url"),
        ({"url": URL, "enabled_events": []}, "enabled_events"),
        ({"url": URL, "enabled_events": ["call.ended"]}, "enabled_events"),
        ({"url": URL, "enabled_events": "*"}, "enabled_events"),
        ({"url": URL, "description": "a\nb"}, "description"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named(office: Office, fields: dict[str, object], field: str) -> None:
    status, code, details = await office.refused("POST", PATH, fields)
    assert (status, code, list(details)) == (400, "validation_error", [field])
    assert (await office.get(PATH))["data"] == []


async def test_a_change_is_held_against_the_same_rules(office: Office) -> None:
    path = f"{PATH}/{(await made(office))['id']}"
    for fields, field in (
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"enabled_events": ["*", "nothing"]}, "enabled_events"),
        ({"status": "gone"}, "status"),
    ):
        assert (await office.refused("POST", path, fields))[2].keys() == {field}
    changed = await office.change(
        path, url="https://hooks.example.com:8443/", enabled_events=["call.end", "leg.*", "leg.*"]
    )
    assert changed["url"] == "https://hooks.example.com:8443/"
    assert changed["enabled_events"] == ["call.end", "leg.*"]


async def test_an_account_has_at_most_sixteen(office: Office) -> None:
    for _ in range(16):
        last = await made(office)
    assert (await office.refused("POST", PATH, {"url": URL}))[:2] == (409, "too_many")
    await office.delete(f"{PATH}/{last['id']}")
    await made(office)


async def test_a_test_and_an_event_are_owed_and_listed_and_can_be_sent_again(office: Office) -> None:
    path = f"{PATH}/{(await made(office))['id']}"
    tested = await office.make(f"{path}/test")
    assert (tested["type"], tested["status"], tested["attempts"]) == ("webhook_endpoint.test", "pending", [])
    location = await office.call(office.user.id)
    await office.delete(location)
    call_id = location.rpartition("/")[2]

    listed = (await office.get(f"{path}/deliveries?limit=100"))["data"]
    of_call = [one for one in listed if one["call_id"] == call_id]
    assert all(not one["type"].startswith("leg.") for one in of_call)
    assert [one["next_attempt_at"] is None for one in reversed(of_call)] == [False] + [True] * (len(of_call) - 1)

    again = await office.make(f"{path}/deliveries/{tested['id']}/redeliver")
    assert again["id"] != tested["id"]
    assert again["event_id"] == tested["event_id"]
    assert {one["id"] for one in (await office.get(f"{path}/deliveries?status=pending&limit=100"))["data"]} >= {
        tested["id"],
        again["id"],
    }
    assert (await office.get(f"{path}/deliveries?status=failed"))["data"] == []
    assert (await office.refused("GET", f"{path}/deliveries?status=lost"))[:2] == (400, "validation_error")


async def test_what_waits_for_a_disabled_endpoint_is_given_up_and_it_can_be_enabled_again(office: Office) -> None:
    path = f"{PATH}/{(await made(office))['id']}"
    tested = await office.make(f"{path}/test")
    disabled = await office.change(path, status="disabled")
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "disabled by request")
    assert (await office.get(f"{path}/deliveries"))["data"][0]["status"] == "failed"
    for request in (f"{path}/test", f"{path}/deliveries/{tested['id']}/redeliver"):
        assert (await office.refused("POST", request))[:2] == (409, "webhook_endpoint_disabled")
    await office.call(office.user.id)
    assert len((await office.get(f"{path}/deliveries"))["data"]) == 1
    enabled = await office.change(path, status="enabled")
    assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)
    assert (await office.make(f"{path}/deliveries/{tested['id']}/redeliver"))["status"] == "pending"


async def test_a_test_keys_endpoint_is_told_of_test_calls_and_known_to_test_keys_only(office: Office) -> None:
    key, _ = await office.store.create_key(office.platform.id, livemode=False)
    await office.service.directory_changed()
    status, endpoint = await office.ask("POST", PATH, {"url": URL}, key=key)
    assert (status, endpoint["livemode"]) == (201, False)
    path = f"{PATH}/{endpoint['id']}"
    assert (await office.refused("GET", path))[:2] == (404, "webhook_endpoint_not_found")
    assert (await office.get(PATH))["data"] == []
    await office.call(office.user.id)  # a live one
    assert (await office.ask("GET", f"{path}/deliveries", key=key))[1]["data"] == []


async def test_a_deleted_endpoint_and_a_deleted_account_owe_nothing(office: Office) -> None:
    path = f"{PATH}/{(await made(office))['id']}"
    await office.make(f"{path}/test")
    await office.delete(path)
    assert (await office.refused("DELETE", path))[:2] == (404, "webhook_endpoint_not_found")
    assert await office.store.pending_deliveries() == 0

    other = await office.store.create_account(office.platform.id, "Leaving")
    await office.service.directory_changed()
    await office.ask("POST", PATH, {"url": URL}, account=other.id)
    await office.delete(f"/v1/accounts/{other.id}")
    assert await office.store.enabled_webhook_endpoints() == ()
