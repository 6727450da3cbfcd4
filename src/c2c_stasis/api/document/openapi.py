"""The document as a whole (OpenAPI 3.1)."""

import shlex
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from c2c_stasis.api.document.operations import (
    HEADERS,
    KEY,
    PATH_PARTS,
    SESSION,
    Operation,
    account_parameter,
    refusal,
    refusal_name,
)
from c2c_stasis.api.document.schemas import Json, components
from c2c_stasis.api.routes import OPEN, Route, Scope

_ABOUT = """\
Click-to-call on your own Asterisk: a user's devices ring, the first answer wins, the destination is dialled.

JSON over HTTP. Times are RFC 3339 in UTC. A field that names something else has two spellings, `user` and `user_id`; in a
request either will do, and the short one wins. A field or a filter that is not known is refused by name. Lists are pages,
newest first; their addresses are relative and keep the filters. Whatever is no HTTP is answered with 400, an unknown path with
404, another method with 405, and a fault of our own with 500, all of them with the schema `Error`."""


def draw(routes: Sequence[Route]) -> Json:
    """The document of these routes. Raises `RouteNotTold` when one does not say enough."""
    operations = told(routes)
    taken = {route.takes: None for route in routes if route.takes is not None}
    given = {route.gives: None for route in routes if route.gives is not None}
    paths: Json = {}
    schemas = components(list(taken), list(given))
    for operation in operations:
        drawn = operation.drawn()
        if links := _links(operation, operations):
            drawn["responses"][str(operation.success)]["links"] = links
        drawn["x-codeSamples"] = [{"lang": "bash", "label": "curl", "source": _curl(operation, schemas)}]
        paths.setdefault(operation.path, {})[operation.route.method.lower()] = drawn
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "c2c-stasis",
            "version": version("c2c-stasis"),
            "summary": "Self-hosted click-to-call on Asterisk",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": _refusals(operations),
            "parameters": {"Account": account_parameter(), "AccountOfKey": account_parameter(sessions=True)},
            "headers": {name: {"description": means, "schema": {"type": "string"}} for name, means in HEADERS.items()},
            "securitySchemes": {
                KEY: {"type": "http", "scheme": "bearer", "description": "A platform key, `sk_live_…` or `sk_test_…`."},
                SESSION: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `client_secret` of a session for an account, or for one user.",
                },
            },
        },
    }


def told(routes: Sequence[Route]) -> list[Operation]:
    """The operations of these routes, each of which says enough. Raises `RouteNotTold`."""
    operations = [Operation(route) for route in routes]
    for operation in operations:
        operation.require_told()
    names = [operation.name for operation in operations]
    assert len(set(names)) == len(names), "two handlers have one name"
    return operations


def encode(document: Json) -> bytes:
    """The document as it is served and kept."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _refusals(operations: Sequence[Operation]) -> Json:
    """Every answer that is not a success, once."""
    found = {
        refusal_name(status, codes): refusal(status, codes)
        for operation in operations
        for status, codes in operation.refusals.items()
    }
    return dict(sorted(found.items()))


def _links(made_by: Operation, operations: Sequence[Operation]) -> Json:
    """Where what was made can be found: of every operation below its address."""
    schema = made_by.route.gives
    if made_by.route.method != "POST" or made_by.success != 201 or schema is None:
        return {}
    key = "id" if "id" in schema.__struct_fields__ else "number"
    below = [
        one
        for one in operations
        if one.path.startswith(made_by.path + "/{") and len(one.parts) == len(made_by.parts) + 1
    ]
    return {one.name: {"operationId": one.name, "parameters": _parameters(one, made_by, key)} for one in below}


def _parameters(of: Operation, made_by: Operation, key: str) -> dict[str, str]:
    known = {part: f"$request.path.{part}" for part in made_by.parts}
    return known | {of.parts[-1]: f"$response.body#/{key}"}


def _curl(operation: Operation, schemas: Json) -> str:
    """The operation as a command line, with the examples of the document."""
    path = operation.path
    for part in operation.parts:
        path = path.replace(f"{{{part}}}", str(PATH_PARTS[part].word.example))
    method = "" if operation.route.method == "GET" else f"-X {operation.route.method} "
    unbuffered = "-N " if operation.route.media == "text/event-stream" else ""
    lines = [f'curl -sS {unbuffered}{method}"$C2C_BASE_URL{path}"']
    if operation.route.scopes != OPEN:
        lines.append('-H "Authorization: Bearer $C2C_API_KEY"')
    if Scope.ACCOUNT in operation.route.scopes:
        lines.append('-H "DialStack-Account: $C2C_ACCOUNT"')
    if operation.route.takes is not None:
        lines.append('-H "Content-Type: application/json"')
        body = example_of(schemas[operation.route.takes.__name__])
        lines.append("-d " + shlex.quote(msgspec.json.encode(body).decode()))
    return " \\\n    ".join(lines)


def example_of(schema: Json) -> dict[str, Any]:
    """A body as one would send it: of every field its example, and of two spellings the long one."""
    properties = schema["properties"]
    return {
        name: property_["examples"][0]
        for name, property_ in properties.items()
        if "examples" in property_ and f"{name}_id" not in properties
    }
