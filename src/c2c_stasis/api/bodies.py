"""Receive the body of a request: the right kind, not too long, not too slowly, and strict JSON."""

import asyncio

from aiohttp import hdrs, web

from c2c_stasis.api import problems
from c2c_stasis.api.strict_json import MAX_BYTES, InvalidJson, Json, read_object

BODY_TIMEOUT = 10.0  # seconds; aiohttp itself waits for ever


async def read_json(request: web.Request) -> dict[str, Json]:
    """The JSON object in the body of a request. Raises `Problem`."""
    body = await read_body(request)
    try:
        return read_object(body)
    except InvalidJson as exc:
        raise (problems.invalid(exc.field, str(exc)) if exc.field else problems.not_json(str(exc))) from exc


async def read_body(request: web.Request) -> bytes:
    """The body of a request that says that it is JSON; asked again, the same. Raises `Problem`."""
    if request.body_exists:
        _check_headers(request)
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError as exc:
        raise problems.too_slow() from exc
    except (web.RequestPayloadError, ConnectionError) as exc:
        raise problems.not_json("did not arrive complete") from exc


def _check_headers(request: web.Request) -> None:
    """Refuse by its headers what is not worth receiving."""
    encodings = request.headers.getall(hdrs.CONTENT_ENCODING, [])
    if any(encoding.strip().lower() != "identity" for encoding in encodings):
        raise problems.unsupported_media_type("Content-Encoding", "must be absent: bodies are not compressed")
    if not _is_json(request.headers.get(hdrs.CONTENT_TYPE, "")):
        raise problems.unsupported_media_type("Content-Type", "must be application/json")
    if (request.content_length or 0) > MAX_BYTES:
        raise problems.too_large(MAX_BYTES)


def _is_json(content_type: str) -> bool:
    """`application/json`, in UTF-8 if it says so at all (RFC 8259 §8.1, §11)."""
    media, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")]
    return media == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)
