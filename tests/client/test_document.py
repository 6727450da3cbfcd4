"""The records of the client are those of the OpenAPI document: no field is missing, none is made up."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from c2c_stasis.client import records

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
OWN = {"PlacedCall", "StreamEvent", "Reset", "Notice"}  # of the client alone, of the stream, or of webhooks
NAMES = {"Quality": "LegQuality", "Event": "EventRecord"}


# What the service keeps for published clients, and what stands there under two spellings.
def kept(record: str) -> set[str]:
    return {name for name, schema in SCHEMAS[record]["properties"].items() if "Kept as it is" in str(schema)}


LEFT_OUT = {
    "Account": kept("AccountRecord"),
    "PhoneNumber": kept("PhoneNumberRecord"),
    "Preflight": {"object", "did"},
    "User": {"extensions"},
}


def kinds() -> list[type[Struct]]:
    found = (kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, Struct))
    return [kind for kind in found if kind is not Struct and kind.__name__ not in OWN]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_record_has_every_field_of_the_document(kind: type[Struct]) -> None:
    name = kind.__name__
    schema = SCHEMAS.get(NAMES.get(name, f"{name}Record")) or SCHEMAS[name]
    told = set(schema["properties"]) - LEFT_OUT.get(name, set())
    twins = {
        short for short in told if f"{short}_id" in told and f"{short}" not in vars(kind).get("__annotations__", {})
    }
    mine = {field.name for field in fields(kind)}
    assert mine == told - twins
    required = {field.name for field in fields(kind) if field.required}
    assert required <= set(schema.get("required", []))


def test_there_are_records_to_compare() -> None:
    assert len(kinds()) > 20


CODE = Path(__file__).parents[2] / "src/c2c_stasis/client/asynchronous"
# How the code of the client asks: the method, and how many arguments stand before the parts of the path.
ASKING = {"_get": ("GET", 1), "_every": ("GET", 1), "address": ("GET", 0), "_post": ("POST", 1), "_posted": ("POST", 0)}
ASKING["_delete"] = ("DELETE", 0)
# What has no method, and why.
OTHERS = {
    "GET /v1/users/*/endpoints": "`devices.list` asks for those of a user",
    "GET /v1/openapi.json": "for programs that write clients",
    "GET /docs": "for people",
    "GET /livez": "for whatever watches the service",
    "GET /readyz": "the same",
    "GET /metrics": "the same",
    "GET /.well-known/jwks.json": "for libraries that verify tokens",
}


def asked() -> set[str]:
    """The operations that the code of the client names."""
    found = set[str]()
    for file in CODE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ASKING and not any(isinstance(one, ast.Starred) for one in node.args):
                method, before = ASKING[called]
                parts = [one.value if isinstance(one, ast.Constant) else "*" for one in node.args[before:]]
                found.add(f"{method} /v1/{'/'.join(map(str, parts))}")
    return found


def test_every_operation_has_a_method() -> None:
    paths: dict[str, dict[str, Any]] = DOCUMENT["paths"]
    wanted = {f"{method.upper()} {re.sub('{[^}]*}', '*', path)}" for path, item in paths.items() for method in item}
    assert OTHERS.keys() <= wanted
    assert sorted(asked() ^ (wanted - OTHERS.keys())) == []
