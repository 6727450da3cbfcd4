"""The OpenAPI document: it tells every route, and all that clients and tools need to know of one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from c2c_stasis.api.document.errors import ERRORS
from c2c_stasis.api.document.openapi import draw, encode, example_of, told
from c2c_stasis.api.document.operations import Operation, RouteNotTold
from c2c_stasis.api.fields import read
from c2c_stasis.api.paging import Listed
from c2c_stasis.api.routes import KEYS_FOR_ACCOUNT, Route
from c2c_stasis.api.schemas import read_place_call, read_user_id
from c2c_stasis.api.server import ROUTES, build_app
from tests.api.fakes import NO_STORE, FakeService
from tests.api.requests import Client

Json = dict[str, Any]

TABLE = build_app(FakeService(), NO_STORE)[ROUTES]
DOCUMENT = draw(TABLE)
OPERATIONS = {operation.name: operation for operation in told(TABLE)}


def parts_of(value: object) -> Iterator[Json]:
    """Every object in a JSON value."""
    match value:
        case dict():
            yield value
            for inside in value.values():
                yield from parts_of(inside)
        case list():
            for inside in value:
                yield from parts_of(inside)


def followed(reference: str) -> Json:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    assert isinstance(found, dict)
    return found


async def test_it_is_served_without_a_key_and_may_be_kept(client: Client) -> None:
    async with client.get("/v1/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert response.headers["Cache-Control"] == "public, max-age=300"
        assert await response.read() == encode(DOCUMENT)


def test_it_has_the_operations_of_the_route_table_and_no_others() -> None:
    drawn = {(verb.upper(), path) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert drawn == {(route.method, Operation(route).path) for route in TABLE}
    assert len(drawn) == len(TABLE)


def test_every_reference_leads_somewhere() -> None:
    references = [part["$ref"] for part in parts_of(DOCUMENT) if isinstance(part.get("$ref"), str)]
    assert len(references) > 300
    assert all(followed(reference) for reference in references)


def test_every_status_is_named_and_none_is_a_range() -> None:
    for operation in OPERATIONS.values():
        responses = DOCUMENT["paths"][operation.path][operation.route.method.lower()]["responses"]
        assert {int(status) for status in responses} == operation.statuses()


def test_every_field_is_explained() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if "description" not in told
    ]
    parameters = [part for part in parts_of(DOCUMENT["paths"]) if "in" in part and "schema" in part]
    silent += [part["name"] for part in parameters if not part["description"]]
    assert silent == [], "tell them in api/document/words.py"


def test_every_error_code_can_come_from_an_operation_but_those_of_no_operation() -> None:
    of_operations = {code for operation in OPERATIONS.values() for code in operation.codes}
    assert set(ERRORS) - of_operations == {"not_found", "method_not_allowed", "internal_error"}


def test_what_is_required_may_have_either_spelling() -> None:
    schema = DOCUMENT["components"]["schemas"]["CallBody"]
    assert schema["required"] == ["dial_string"]
    assert schema["allOf"] == [{"anyOf": [{"required": ["user_id"]}, {"required": ["user"]}]}]
    assert schema["properties"]["user"] == schema["properties"]["user_id"]
    assert schema["properties"]["user"]["type"] == "string"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CreateUser", ["name", "email"]),
        ("CreateAccount", ["name", "primary_contact_name", "email"]),
        ("CreateExtension", ["target", "user_id", "user"]),
    ],
)
def test_of_fields_that_may_stand_for_each_other_one_is_required(name: str, fields: list[str]) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["allOf"] == [{"anyOf": [{"required": [field]} for field in fields]}]
    assert set(fields) <= schema["properties"].keys()


# --- what generators of clients stumble over ---


def test_no_filter_is_empty_unless_it_is_left_out() -> None:
    filters = [part for part in parts_of(DOCUMENT["paths"]) if part.get("in") == "query"]
    assert len(filters) > 50
    assert [one["name"] for one in filters if one["schema"].get("default") == ""] == []
    assert "^$" not in encode(DOCUMENT).decode()


def test_every_refusal_has_the_one_schema_of_errors_and_names_its_codes_beside_it() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
        assert all(f"`{code}`" in response["description"] for code in response["x-codes"])


def test_no_word_of_openapi_describes_a_field_of_ours() -> None:
    for name in ("CreateAccountSession", "CreateUserSession"):
        components = DOCUMENT["components"]["schemas"][name]["properties"]["components"]
        assert components["description"] == "Accepted from published clients; every session is for calls."


def test_filters_may_have_either_spelling() -> None:
    listed = DOCUMENT["paths"]["/v1/extensions"]["get"]["parameters"]
    assert {"user", "user_id", "target", "limit", "page"} == {one["name"] for one in listed if "name" in one}


def test_what_was_made_leads_to_what_can_be_done_with_it() -> None:
    made = DOCUMENT["paths"]["/v1/users/{user_id}/endpoints"]["post"]["responses"]["201"]
    assert set(made["links"]) == {"device_show", "device_update", "device_delete", "device_reset_password"}
    parameters = {"user_id": "$request.path.user_id", "endpoint_id": "$response.body#/id"}
    assert made["links"]["device_show"]["parameters"] == parameters


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS.values() if one.route.takes is not None], ids=lambda one: one.name
)
def test_the_example_of_a_body_is_understood(operation: Operation) -> None:
    takes = operation.route.takes
    assert takes is not None
    example = example_of(DOCUMENT["components"]["schemas"][takes.__name__])
    if operation.name == "call_place":
        assert read_user_id(example)
        assert read_place_call(example, emergency=False).metadata == example["metadata"]
    else:
        assert isinstance(read(takes, example), takes)
    curl = DOCUMENT["paths"][operation.path]["post"]["x-codeSamples"][0]["source"]
    assert json.dumps(example, separators=(",", ":"), ensure_ascii=False) in curl


# --- routes that do not say enough ---


class UserRoutes:
    async def show(self, _request: web.Request) -> web.Response:
        """One user."""
        return web.Response()

    async def silent(self, _request: web.Request) -> web.Response:
        return web.Response()


ROUTE = Route("GET", "/v1/users/{user_id:[^/]+}", UserRoutes().show, KEYS_FOR_ACCOUNT)


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (replace(ROUTE, handler=UserRoutes().silent), "has no handler with a name and a docstring"),
        (replace(ROUTE, path="/v1/users/{colour}"), "colour is told nowhere; add it to PATH_PARTS"),
        (replace(ROUTE, errors=("too_late",)), "the error too_late is told nowhere; add it to ERRORS"),
        (replace(ROUTE, headers=("X-Colour",)), "the header X-Colour is told nowhere; add it to HEADERS"),
        (replace(ROUTE, gives=Listed), "gives a list, and does not say of what"),
    ],
)
def test_a_service_with_a_route_that_does_not_say_enough_does_not_start(
    route: Route, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told([ROUTE])
    monkeypatch.setattr("c2c_stasis.api.server.resource_routes", lambda *_: [route])
    with pytest.raises(RouteNotTold, match=f"^GET /v1/users/.*: {said}"):
        build_app(FakeService(), NO_STORE)
