"""Schemas of what the API takes and gives: those that msgspec draws of the structs, with what the structs cannot say."""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any, get_origin

import msgspec
from msgspec import Struct

from c2c_stasis.api.document.words import ONE_OF_THESE, Word, word_for

Json = dict[str, Any]

REF = "#/components/schemas/"
_REFERENCE = re.compile(rf'"{REF}(\w+)"')
_LISTED = re.compile(r"Listed_(\w+?)(?:Record)?_\b")  # as msgspec names `Listed[UserRecord]`

ERROR: Json = {
    "title": "Error",
    "description": "Every answer that is not a success.",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "for people", "examples": ["User not found"]},
        "code": {"type": "string", "description": "for programs; stays the same", "examples": ["user_not_found"]},
        "details": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "what is wrong, by field; of a 5xx also `request_id`",
        },
    },
    "required": ["error", "code"],
}


def name_of(kind: type[Struct]) -> str:
    """The name of the schema of a struct: `UserRecord`, and `UserList` of a page of them."""
    if get_origin(kind) is None:
        return kind.__name__
    (reference,), _ = msgspec.json.schema_components([kind], ref_template="{name}")
    return _readable(str(reference["$ref"]))


def reference(kind: type[Struct]) -> Json:
    """Where the schema of a struct stands."""
    return {"$ref": REF + name_of(kind)}


def components(taken: Collection[type[Struct]], given: Iterable[type[Struct]]) -> Json:
    """The schemas of everything, by name: of bodies, of answers, and of what is in them."""
    _, drawn = msgspec.json.schema_components([*taken, *given], ref_template=REF + "{name}")
    schemas: Json = json.loads(_readable(json.dumps(drawn)))
    for name in _within(schemas, [name_of(kind) for kind in taken]):
        _as_body(schemas[name])
    for name, schema in schemas.items():
        schema.pop("title", None)
        _explain(name, schema)
        if name in ONE_OF_THESE:
            _require_one_of(schema, ONE_OF_THESE[name])
    return dict(sorted((schemas | {"Error": ERROR}).items()))


def _within(schemas: Json, names: list[str]) -> list[str]:
    """These schemas, and those that stand in their fields."""
    inside = [found for name in names for found in _REFERENCE.findall(json.dumps(schemas[name]))]
    return names + (_within(schemas, inside) if inside else [])


def filters_of(kind: type[Struct]) -> Json:
    """The fields of a query, by name. A field that names another resource may stand there without `_id` as well.

    That an empty one is none is not told: generators of clients would take the empty text for a date or an id.
    """
    _, drawn = msgspec.json.schema_components([kind])
    schema = drawn[kind.__name__]
    _with_aliases(schema)
    _explain(kind.__name__, schema)
    properties: Json = schema["properties"]
    for property_ in properties.values():
        if property_.get("default") == "":
            del property_["default"]
    return properties


def _as_body(schema: Json) -> None:
    """What holds for every body: a field that is not known is refused, and a text that is required is not empty."""
    schema["additionalProperties"] = False
    for name in schema.get("required", ()):
        if schema["properties"][name].get("type") == "string":
            schema["properties"][name]["minLength"] = 1
    _with_aliases(schema)


def _with_aliases(schema: Json) -> None:
    """Both spellings of a field that names another resource; where it is required, one of them is."""
    properties, required = schema["properties"], schema.get("required", [])
    for name in [name for name in properties if name.endswith("_id") and name.removesuffix("_id") not in properties]:
        short = name.removesuffix("_id")
        properties[short] = dict(properties[name])
        if name in required:
            required.remove(name)
            _require_one_of(schema, (name, short))


def _require_one_of(schema: Json, names: Iterable[str]) -> None:
    """At least one of these fields is there. Within `allOf`, generators of clients leave the schema an object."""
    schema.setdefault("allOf", []).append({"anyOf": [{"required": [name]} for name in names]})


def _explain(kind: str, schema: Json) -> None:
    """Add what the words of the API mean."""
    for name, property_ in schema.get("properties", {}).items():
        word = word_for(kind, name)
        if word is not None:
            _say(property_, word)


def _say(property_: Json, word: Word) -> None:
    """The form goes to the part that is a text or an object; null needs none."""
    parts = property_.get("anyOf", [property_])
    part = next((one for one in parts if one.get("type") != "null"), property_)
    form = dict(word.schema or {})
    whole = {name: form.pop(name) for name in ("enum",) if name in form and None in form["enum"]}
    part.update(form)
    property_.update(whole)
    property_["description"] = word.means[0].upper() + word.means[1:] + "."
    if word.example is not None:
        property_["examples"] = [word.example]


def _readable(text: str) -> str:
    return _LISTED.sub(r"\1List", text)
