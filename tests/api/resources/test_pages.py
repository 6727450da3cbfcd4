"""Which web pages may act for which account: its own list, else that of the service; emergency calls are placed from any."""

from collections.abc import Mapping

import pytest

from c2c_stasis.api.cors import CORS
from c2c_stasis.config import Origins
from c2c_stasis.ids import CALL, new_id
from tests.api.resources.office import Json, Office
from tests.api.resources.test_sessions import user_session

APP, CRM, EVIL = "https://app.example.com", "http://localhost:3000", "https://evil.example"
CALLED = "+15551234567"


async def of_page(
    office: Office, origin: str, token: str, dial_string: str = CALLED, **headers: str
) -> tuple[int, str, str | None]:
    """Status, code, and what the page may read, of a call that a page places."""
    sent = {"Authorization": f"Bearer {token}", "Origin": origin} | headers
    body = {"user_id": office.user.id, "dial_string": dial_string}
    async with office._client.post("/v1/calls", json=body, headers=sent) as response:
        answer = await response.json() if response.status != 202 else {}
        return response.status, answer.get("code", ""), response.headers.get("Access-Control-Allow-Origin")


async def may_ask(office: Office, origin: str) -> bool:
    """Whether a browser that asks before the request is let go on."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with office._client.options("/v1/calls", headers=headers) as response:
        assert response.status in (204, 405)
        assert (response.headers.get("Access-Control-Allow-Origin") == origin) is (response.status == 204)
        return response.status == 204


async def name(office: Office, origins: list[str] | None) -> Json:
    return await office.change(f"/v1/accounts/{office.account.id}", cors_origins=origins)


async def test_without_a_list_of_its_own_the_pages_of_the_service_may_act_for_an_account(office: Office) -> None:
    office.app[CORS].use(Origins((APP,)))
    token = await user_session(office)
    assert await of_page(office, APP, token) == (202, "", APP)
    assert await of_page(office, CRM, token) == (403, "origin_not_allowed", None)
    assert (await office.get(f"/v1/accounts/{office.account.id}"))["cors_origins"] is None


async def test_with_a_list_of_its_own_those_alone_may(office: Office) -> None:
    office.app[CORS].use(Origins((APP,)))
    token = await user_session(office)
    assert (await name(office, [CRM]))["cors_origins"] == [CRM]
    assert await of_page(office, APP, token) == (403, "origin_not_allowed", APP)  # which the page may read
    assert await of_page(office, CRM, token) == (202, "", CRM)
    assert await of_page(office, EVIL, token) == (403, "origin_not_allowed", None)
    assert await of_page(office, "null", token) == (403, "origin_not_allowed", None)


async def test_an_empty_list_lets_no_page_in_and_null_those_of_the_service(office: Office) -> None:
    office.app[CORS].use(Origins((APP,)))
    token = await user_session(office)
    assert (await name(office, []))["cors_origins"] == []
    assert (await of_page(office, APP, token))[0] == 403
    assert (await name(office, None))["cors_origins"] is None
    assert (await of_page(office, APP, token))[0] == 202


async def test_the_question_before_is_answered_for_the_pages_of_all_accounts(office: Office) -> None:
    assert not await may_ask(office, CRM)
    other = await office.make("/v1/accounts", name="Other", cors_origins=[CRM])
    await name(office, [APP])
    assert [await may_ask(office, origin) for origin in (APP, CRM, EVIL)] == [True, True, False]
    token = await user_session(office)
    assert await of_page(office, CRM, token) == (403, "origin_not_allowed", CRM)  # another account's page
    await office.delete(f"/v1/accounts/{other['id']}")
    assert not await may_ask(office, CRM)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/calls"), ("GET", "/v1/events"), ("DELETE", "/v1/calls/{}")])
async def test_every_route_for_sessions_looks_at_the_page(office: Office, method: str, path: str) -> None:
    token = await user_session(office)
    headers = {"Authorization": f"Bearer {token}", "Origin": EVIL}
    async with office._client.request(method, path.format(new_id(CALL)), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (403, "origin_not_allowed")


async def test_a_page_of_the_service_itself_and_whoever_is_no_page_may(office: Office) -> None:
    token = await user_session(office)
    assert (await of_page(office, office.url, token))[0] == 202
    assert (await of_page(office, "https://evil.example:80", token, Host="evil.example"))[0] == 403
    headers = {"Authorization": f"Bearer {token}"}
    async with office._client.get(f"/v1/calls/{new_id(CALL)}", headers=headers) as response:
        assert response.status == 404


async def test_an_emergency_call_is_placed_from_whatever_page(office: Office) -> None:
    await name(office, [APP])
    token = await user_session(office)
    assert await of_page(office, EVIL, token, "911") == (202, "", None)
    assert (await of_page(office, EVIL, token, "9116"))[0] == 403


async def test_two_origins_are_no_page(office: Office) -> None:
    await name(office, [APP])
    headers = [("Authorization", f"Bearer {await user_session(office)}"), ("Origin", APP), ("Origin", APP)]
    async with office._client.get(f"/v1/calls/{new_id(CALL)}", headers=headers) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("origins", "reason"),
    [
        (["*"], "must be origins"),
        (["https://app.example.com/path"], "must be origins"),
        (["null"], "must be origins"),
        (["https://*.example.com"], "must be origins"),
        (["app.example.com"], "must be origins"),
        ([f"{APP}, {CRM}"], "must be one origin each"),
        ([""], "must be one origin each"),
        ([f"https://a{number}.example.com" for number in range(65)], "are more than 64"),
    ],
    ids=str,
)
async def test_what_is_no_origin_is_refused(office: Office, origins: list[str], reason: str) -> None:
    body: Mapping[str, object] = {"cors_origins": origins}
    status, code, details = await office.refused("POST", f"/v1/accounts/{office.account.id}", body)
    assert (status, code) == (400, "validation_error")
    assert details["cors_origins"].startswith(reason)


async def test_they_are_kept_as_browsers_write_them(office: Office) -> None:
    kept = await name(office, ["HTTPS://App.Example.com:443", CRM, CRM])
    assert kept["cors_origins"] == [APP, CRM]
