"""The records of the client are those of the OpenAPI document: no field is missing, none is made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from c2c_stasis.client import records

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
OWN = {"PlacedCall", "StreamEvent", "Reset"}  # of the client alone, or of the stream
NAMES = {"Quality": "LegQuality", "Event": "EventRecord"}
# What the service keeps for published clients, and what stands there under two spellings.
KEPT = {name for name, schema in SCHEMAS["PhoneNumberRecord"]["properties"].items() if "Kept as it is" in str(schema)}
LEFT_OUT = {"PhoneNumber": KEPT, "Preflight": {"object", "did"}, "User": {"extensions"}}


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
