"""The document as a page for people: one HTML text, without scripts and without anything from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from c2c_stasis.api.document.schemas import REF, Json

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: light-dark(#0b57a4, #7db8f5); }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem; border-right: 1px solid var(--line); }
nav ul { list-style: none; margin: 0 0 .8rem; padding: 0; font-size: .9rem; }
nav strong { display: block; margin-top: .4rem; }
main { padding: 1rem 2rem 4rem; max-width: 62rem; }
a { color: var(--accent); text-decoration: none; } a:hover, a:focus { text-decoration: underline; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; scroll-margin-top: 1rem; }
h2 { margin-top: 2.5rem; } h3 { margin: .6rem 0 .2rem; } h4 { margin: 1rem 0 .3rem; }
code, pre { font: .875em/1.45 ui-monospace, monospace; } code { background: var(--soft); padding: .1em .25em;
 border-radius: 3px; }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: 6px; }
pre code { background: none; padding: 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
td ul { margin: 0; padding-left: 1.1rem; } .verb { font-weight: 700; display: inline-block; min-width: 4.2em; }
.must { color: light-dark(#a3260b, #ff9d86); font-size: .85em; }
@media (max-width: 50rem) { body { display: block; }
 nav { position: static; height: auto; border: 0; } main { padding: 1rem; } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_CODE = re.compile(r"`([^`]+)`")


def page_of(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    operations = [(path, verb, one) for path, verbs in document["paths"].items() for verb, one in verbs.items()]
    tags = [tag["name"] for tag in document["tags"]]
    body = [
        f"<nav aria-label='Operations'>{''.join(_menu(tag, operations) for tag in tags)}",
        "<strong><a href='#schemas'>Schemas</a></strong></nav>",
        f"<main><h1>{escape(title)}</h1>{_prose(info['description'])}",
        "<p>For programs: <a href='/v1/openapi.json'>openapi.json</a> (OpenAPI 3.1).</p>",
        *(_chapter(tag, operations, document) for tag in tags),
        "<h2 id='schemas'>Schemas</h2>",
        *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
        "</main>",
    ]
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    )
    return head + "\n".join(body) + "</body></html>\n"


def _menu(tag: str, operations: list[tuple[str, str, Json]]) -> str:
    lines = [
        f"<li><a href='#{one['operationId']}'>{escape(one['summary'])}</a></li>"
        for _, _, one in operations
        if tag in one["tags"]
    ]
    return f"<strong>{_heading(tag)}</strong><ul>{''.join(lines)}</ul>"


def _chapter(tag: str, operations: list[tuple[str, str, Json]], document: Json) -> str:
    sections = [_operation(path, verb, one, document) for path, verb, one in operations if tag in one["tags"]]
    return f"<h2>{_heading(tag)}</h2>" + "".join(sections)


def _operation(path: str, verb: str, one: Json, document: Json) -> str:
    parts = [
        f"<section id='{one['operationId']}'><h3>{escape(one['summary'])}</h3>",
        f"<p><span class='verb'>{verb.upper()}</span> <code>{escape(path)}</code> "
        f"<a href='#{one['operationId']}' aria-label='address of this operation'>#</a></p>",
        _prose(one.get("description", "")),
        "" if one["security"] else "<p>Needs no credential.</p>",
        _parameters(one.get("parameters", []), document),
        _body(one.get("requestBody"), document),
        "<h4>Answers</h4>",
        _table(("status", "", ""), (_answer(status, answer, document) for status, answer in one["responses"].items())),
        *(f"<h4>Example</h4><pre><code>{escape(sample['source'])}</code></pre>" for sample in one["x-codeSamples"]),
        "</section>",
    ]
    return "".join(parts)


def _parameters(parameters: list[Json], document: Json) -> str:
    if not parameters:
        return ""
    rows = []
    for given in parameters:
        one = _followed(given, document)
        name = f"<code>{escape(one['name'])}</code>{_must(one.get('required', False))}"
        rows.append((name, one["in"], _form(one["schema"]), _prose(one["description"], plain=True)))
    return "<h4>Parameters</h4>" + _table(("name", "in", "form", ""), rows)


def _body(body: Json | None, document: Json) -> str:
    if body is None:
        return ""
    name = body["content"]["application/json"]["schema"]["$ref"].removeprefix(REF)
    return f"<h4>Body</h4><p>{_link(name)}</p>" + _fields(document["components"]["schemas"][name])


def _answer(status: str, given: Json, document: Json) -> tuple[str, str, str]:
    answer = _followed(given, document)
    schemas = [content["schema"] for content in answer.get("content", {}).values()]
    shown = "".join(_form(schema) for schema in schemas)
    headers = ", ".join(f"<code>{name}</code>" for name in answer["headers"] if name != "X-Request-Id")
    return f"<code>{status}</code>", _prose(answer["description"], plain=True), f"{shown} {headers}"


def _schema(name: str, schema: Json) -> str:
    told = _prose(schema.get("description", ""))
    return f"<section id='schema-{name}'><h3>{escape(name)}</h3>{told}{_fields(schema)}</section>"


def _fields(schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"<code>{escape(name)}</code>{_must(name in required)}",
            _form(one),
            _prose(one.get("description", ""), plain=True),
        )
        for name, one in schema.get("properties", {}).items()
    ]
    return _table(("field", "form", ""), rows) if rows else ""


def _form(schema: Json) -> str:
    """What a value looks like, in a few words."""
    if "$ref" in schema:
        return _link(schema["$ref"].removeprefix(REF))
    if "allOf" in schema:
        return " ".join(_form(one) for one in schema["allOf"] if "$ref" in one)
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(_word(value)))}</code>" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_form(one) for one in schema["anyOf"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_form(schema['items'])}"
    limits = [f"{name} {schema[name]}" for name in ("format", "minimum", "maximum", "maxLength") if name in schema]
    limits += [f"<code>{escape(schema['pattern'])}</code>"] if "pattern" in schema else []
    return escape(kind) + (f" ({', '.join(limits)})" if limits else "")


def _word(value: Any) -> Any:
    return "null" if value is None else value


def _link(name: str) -> str:
    return f"<a href='#schema-{name}'>{escape(name)}</a>"


def _followed(given: Json, document: Json) -> Json:
    """What a reference stands for, such as `#/components/parameters/Account`."""
    if "$ref" not in given:
        return given
    _, components, kind, name = given["$ref"].split("/")
    found: Json = document[components][kind][name]
    return found


def _must(required: bool) -> str:
    return " <span class='must'>required</span>" if required else ""


def _heading(tag: str) -> str:
    return escape(tag.replace("_", " ").capitalize())


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def row(cells: Iterable[str], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in cells) + "</tr>"

    return f"<div class='wide'><table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table></div>"


def _prose(text: str, *, plain: bool = False) -> str:
    """Paragraphs, lists and `code`; all the Markdown there is in the document. `plain` is without the paragraph around it."""
    blocks = []
    for paragraph in filter(None, text.split("\n\n")):
        lines = paragraph.split("\n")
        told = escape(" ".join(line for line in lines if not line.startswith("- ")))
        items = "".join(f"<li>{escape(line[2:])}</li>" for line in lines if line.startswith("- "))
        blocks.append((told if plain else f"<p>{told}</p>") + (f"<ul>{items}</ul>" if items else ""))
    return _CODE.sub(r"<code>\1</code>", "".join(blocks))
