"""`/v1/openapi.json` and `/docs`: what the API is, told to programs and to people; without a credential."""

from functools import cached_property
from typing import Any

from aiohttp import hdrs, web
from msgspec import Struct

from c2c_stasis.api.document.openapi import draw, encode
from c2c_stasis.api.document.page import CONTENT_SECURITY_POLICY, page_of
from c2c_stasis.api.document.schemas import Json
from c2c_stasis.api.routes import OPEN, Route

_KEEP = "public, max-age=300"  # five minutes after an upgrade everybody has the new one


class OpenApi(Struct, frozen=True):
    """An OpenAPI document; the specification says the rest."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


class DocumentRoutes:
    """Draws the document of a route table, itself included, when it is asked for the first time."""

    def __init__(self, others: list[Route]) -> None:
        self._others = others

    def routes(self) -> list[Route]:
        """For the route table."""
        return [
            Route("GET", "/v1/openapi.json", self.openapi, OPEN, gives=OpenApi),
            Route("GET", "/docs", self.docs, OPEN, media="text/html"),
        ]

    async def openapi(self, _request: web.Request) -> web.Response:
        """This document."""
        return web.Response(body=self._encoded, content_type="application/json", headers={hdrs.CACHE_CONTROL: _KEEP})

    async def docs(self, _request: web.Request) -> web.Response:
        """This document as a page, which loads nothing from anywhere."""
        headers = {hdrs.CACHE_CONTROL: _KEEP, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return web.Response(text=self._page, content_type="text/html", headers=headers)

    @cached_property
    def document(self) -> Json:
        """The document."""
        return draw([*self._others, *self.routes()])

    @cached_property
    def _encoded(self) -> bytes:
        return encode(self.document)

    @cached_property
    def _page(self) -> str:
        return page_of(self.document)
