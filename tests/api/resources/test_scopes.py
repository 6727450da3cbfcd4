"""Whom a route serves: what the table says is what happens."""

import re

import pytest
from aiohttp import ClientSession, web

from c2c_stasis.api.routes import KEYS, KEYS_FOR_ACCOUNT, OPEN, Route, Scope, Scopes
from c2c_stasis.api.server import ROUTES, build_app
from c2c_stasis.directory.keys import new_key
from c2c_stasis.ids import ACCOUNT, new_id
from tests.api.fakes import NO_STORE, FakeService
from tests.api.resources.office import Office

TABLE = build_app(FakeService(), NO_STORE)[ROUTES]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route) -> str:
    parts = ["x" if part.startswith("{") else part for part in route.path.replace("[^/]+", "").split("/")]
    return "/".join(parts)


PROTECTED = [route for route in TABLE if route.scopes != OPEN]
ACCOUNTS_OWN = [route for route in TABLE if Scope.ACCOUNT in route.scopes]
OF_PLATFORM = [route for route in TABLE if route.scopes == KEYS]


async def status_of(office: Office, route: Route, headers: dict[str, str]) -> int:
    session: ClientSession = office._client
    async with session.request(route.method, path_of(route), headers=headers) as response:
        return response.status


def test_only_probes_public_keys_and_the_document_are_open() -> None:
    open_to_all = [route.path for route in TABLE if route.scopes == OPEN]
    assert open_to_all == ["/.well-known/jwks.json", "/livez", "/readyz", "/v1/openapi.json", "/docs"]
    assert {route.path.removeprefix("/v1").split("/")[1] for route in OF_PLATFORM} == {
        *("accounts", "keys", "account_sessions"),
        "metrics",
    }


def test_sessions_are_for_calls_and_for_the_page_that_is_a_phone() -> None:
    assert all(
        route.path.startswith(("/v1/calls", "/v1/events")) or route.path.endswith("/browser_phone")
        for route in TABLE
        if route.scopes & {Scope.ACCOUNT_SESSION, Scope.USER_SESSION}
    )


@pytest.mark.parametrize(
    "scopes", [frozenset(), OPEN | KEYS, KEYS | KEYS_FOR_ACCOUNT, frozenset({Scope.USER_SESSION}), "platform"]
)
def test_a_route_that_does_not_say_whom_it_serves_cannot_be_made(scopes: Scopes) -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise AssertionError

    with pytest.raises(ValueError, match="GET /v1/secrets serves "):
        Route("GET", "/v1/secrets", handler, scopes)


def test_nothing_is_served_beside_the_table() -> None:
    app = build_app(FakeService(), NO_STORE)
    served = {(one.method, one.resource.canonical) for one in app.router.routes() if one.resource is not None}
    told = {(route.method, re.sub(r":[^}]*", "", route.path)) for route in TABLE}
    assert {(method, path) for method, path in served if method != "HEAD"} == told


@pytest.mark.parametrize("route", PROTECTED, ids=name)
async def test_nothing_without_a_key(office: Office, route: Route) -> None:
    assert await status_of(office, route, {"DialStack-Account": office.account.id}) == 401
    wrong = {"Authorization": f"Bearer {new_key(livemode=True)}", "DialStack-Account": office.account.id}
    assert await status_of(office, route, wrong) == 401


@pytest.mark.parametrize("route", ACCOUNTS_OWN, ids=name)
async def test_nothing_of_an_account_without_naming_it_or_with_a_foreign_one(office: Office, route: Route) -> None:
    key = {"Authorization": f"Bearer {office.key}"}
    assert await status_of(office, route, key) == 400
    stranger = await office.store.create_platform("Stranger")
    theirs = await office.store.create_account(stranger.id, "Theirs")
    await office.service.directory_changed()
    for account in (theirs.id, new_id(ACCOUNT), "acct"):
        assert await status_of(office, route, key | {"DialStack-Account": account}) == 403


@pytest.mark.parametrize("route", OF_PLATFORM, ids=name)
async def test_what_belongs_to_the_platform_needs_no_account(office: Office, route: Route) -> None:
    assert await status_of(office, route, {"Authorization": f"Bearer {office.key}"}) in (200, 400, 404)
    with_account = {"Authorization": f"Bearer {office.key}", "DialStack-Account": "acct_of_nobody"}
    assert await status_of(office, route, with_account) in (200, 400, 404)
