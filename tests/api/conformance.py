"""Every answer that a test sees is one that the OpenAPI document tells: its status, its code, its headers, its body."""

import re
from collections.abc import Sequence

import msgspec
from aiohttp import ClientResponse

from c2c_stasis.api.document.errors import ERRORS
from c2c_stasis.api.document.openapi import told
from c2c_stasis.api.document.operations import Operation
from c2c_stasis.api.routes import Route


def require_told(routes: Sequence[Route], response: ClientResponse, body: bytes) -> None:
    """Raises `AssertionError` for an answer that is not in the document of these routes."""
    operation = _operation(routes, response.method, response.url.path)
    if operation is None:
        assert response.status in (404, 405)  # no operation: of that the document tells in its introduction
        return
    what = f"{operation.name} answered {response.status} {body[:200]!r}, which its route does not tell"
    if response.status < 400:
        assert response.status == operation.success, what
        assert set(operation.route.headers) <= set(response.headers), what
        if operation.route.gives is None:
            assert operation.route.media != "application/json" or body == b"", what
        else:
            assert response.content_type == operation.route.media, what
            msgspec.json.decode(body, type=operation.route.gives)
        return
    code = msgspec.json.decode(body)["code"]
    assert code in operation.codes, what
    assert ERRORS[code].status == response.status, what


def _operation(routes: Sequence[Route], method: str, path: str) -> Operation | None:
    for operation in told(routes):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
        if operation.route.method == method and re.fullmatch(pattern, path):
            return operation
    return None
