"""The header `Idempotency-Key`, with which a client makes sure that a request is carried out once."""

import hashlib
import json
import re
from collections.abc import Mapping

from aiohttp import web

from c2c_stasis.api import problems
from c2c_stasis.api.strict_json import Json

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")  # printable ASCII; HTTP takes blanks at the ends away


def idempotency_key(request: web.Request) -> str:
    """The key of a request that has one. Raises `Problem`."""
    headers = request.headers.getall(HEADER)
    if len(headers) > 1:
        raise problems.invalid(HEADER, "is there more than once")
    if _KEY.fullmatch(headers[0]) is None:
        raise problems.invalid(HEADER, "must be 1 to 255 printable ASCII characters")
    return headers[0]


def fingerprint(body: Mapping[str, Json]) -> str:
    """A digest of what a body says, however it is written."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
