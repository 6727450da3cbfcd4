"""The page `/docs`: all of the document, nothing that is loaded or run."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from c2c_stasis.api.document.openapi import draw
from c2c_stasis.api.document.page import page_of
from c2c_stasis.api.server import ROUTES, build_app
from tests.api.fakes import NO_STORE, FakeService
from tests.api.requests import Client

TABLE = build_app(FakeService(), NO_STORE)[ROUTES]
DOCUMENT = draw(TABLE)
EMPTY = {"meta"}  # elements that have no end


class Read(HTMLParser):
    """What stands on a page: anchors, links, and whether every element is closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open += [] if tag in EMPTY else [tag]
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "style", "action"):
                self.loaded.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


READ = Read(page_of(DOCUMENT))


def test_every_operation_and_every_schema_has_a_place_that_can_be_linked() -> None:
    names = [one["operationId"] for verbs in DOCUMENT["paths"].values() for one in verbs.values()]
    schemas = [f"schema-{name}" for name in DOCUMENT["components"]["schemas"]]
    assert sorted(READ.ids) == sorted([*names, *schemas, "schemas"])


def test_every_link_leads_to_a_place_on_the_page_or_to_the_document() -> None:
    assert {link for link in READ.links if link.removeprefix("#") not in READ.ids} == {"/v1/openapi.json"}


def test_every_operation_is_shown_with_a_curl() -> None:
    page = page_of(DOCUMENT)
    assert page.count("curl -sS") == len(TABLE)
    assert "curl -sS -X POST &quot;$C2C_BASE_URL/v1/calls&quot;" in page


async def test_it_loads_nothing_and_runs_nothing(client: Client) -> None:
    async with client.get("/docs") as response:
        assert (response.status, response.content_type, response.charset) == (200, "text/html", "utf-8")
        policy, page = response.headers["Content-Security-Policy"], await response.text()
    read = Read(page)
    assert (read.loaded, read.tags & {"script", "img", "link", "iframe", "form"}) == ([], set())
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style


def test_whatever_stands_in_the_document_cannot_become_markup() -> None:
    document = draw(TABLE)
    document["info"]["description"] = "<script>alert('x')</script> `<b>`"
    page = page_of(document)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<code>&lt;b&gt;</code>" in page
