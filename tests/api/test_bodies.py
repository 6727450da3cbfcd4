"""Bodies as they come over the wire: none of them is answered with a 5xx, and none of them places a call."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from c2c_stasis.api import bodies
from c2c_stasis.config import Address
from tests.api.fakes import USER, FakeService
from tests.api.requests import GOOD, HEADERS, JSON, Client, send
from tests.api.test_strict_json import BAD_BODIES, OF_ONE_FIELD

BODY = json.dumps(GOOD).encode()


@pytest.mark.parametrize(("name", "body"), BAD_BODIES.items(), ids=BAD_BODIES.keys())
async def test_a_bad_body_is_a_400(client: Client, service: FakeService, name: str, body: bytes) -> None:
    response = await send(client, body)
    answer = await response.json()
    if len(body) > 16_384:
        assert (response.status, answer["code"]) == (413, "body_too_large")
    elif name in OF_ONE_FIELD:
        reason = "holds control characters or lone surrogates"
        expected = {"error": f"Invalid a: {reason}", "code": "validation_error", "details": {"a": reason}}
        assert (response.status, answer) == (400, expected)
    else:
        assert (response.status, answer["error"], answer["code"]) == (400, "Invalid JSON body", "invalid_json")
        assert answer["details"]["body"]
    assert not service.calls


@pytest.mark.parametrize("name", [name for name in BAD_BODIES if name not in ("empty", "blank")])
async def test_a_bad_part_in_a_good_body_is_refused_as_well(client: Client, service: FakeService, name: str) -> None:
    body = b'{"user_id":"%s","dial_string":"911","metadata":%s}' % (USER.encode(), BAD_BODIES[name])
    response = await send(client, body)
    assert response.status in (202, 400, 413)
    if response.status == 202:  # it was JSON, no good metadata, and an emergency: the field is let pass
        json.loads(body, parse_int=len)
        (call,) = service.calls.values()
        assert call.metadata == {}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf8",
        "application/json; x=y",
    ],
)
async def test_json_by_any_of_its_names(client: Client, content_type: str) -> None:
    assert (await send(client, BODY, **{"Content-Type": content_type})).status == 202


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json, application/json",
        ";",
        "",
        "application/json\u00e9",
    ],
)
async def test_anything_else_is_a_415(client: Client, service: FakeService, content_type: str) -> None:
    response = await send(client, BODY, **{"Content-Type": content_type})
    assert (response.status, await response.json()) == (
        415,
        {
            "error": "Unsupported media type",
            "code": "unsupported_media_type",
            "details": {"Content-Type": "must be application/json"},
        },
    )
    assert not service.calls


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x", "identity, gzip"])
async def test_a_compressed_body_is_a_415(client: Client, encoding: str) -> None:
    response = await send(client, gzip.compress(BODY), **{"Content-Encoding": encoding})
    assert (response.status, list((await response.json())["details"])) == (415, ["Content-Encoding"])


async def test_no_body_and_no_content_type_is_an_empty_body(client: Client) -> None:
    response = await client.post("/v1/calls", headers=HEADERS, skip_auto_headers=["Content-Type"])
    assert (response.status, (await response.json())["details"]) == (400, {"body": "is empty"})


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_body_in_chunks_is_read_and_measured(client: Client) -> None:
    response = await client.post("/v1/calls", data=_chunks(BODY[:9], BODY[9:]), headers=HEADERS | JSON)
    assert response.status == 202
    response = await client.post("/v1/calls", data=_chunks(*[b" " * 4096] * 5), headers=HEADERS | JSON)
    assert (response.status, (await response.json())["code"]) == (413, "body_too_large")


async def test_the_longest_body(client: Client) -> None:
    assert (await send(client, BODY.ljust(16_384))).status == 202
    assert (await send(client, BODY.ljust(16_385))).status == 413


async def test_a_body_that_never_comes_is_a_408(
    address: Address, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in (HEADERS | JSON).items())
    writer.write(f"POST /v1/calls HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 500\r\n\r\n{{".encode())
    status = await reader.readline()
    rest = await reader.read(2000)
    assert status.split()[1] == b"408"
    assert b'{"error":"Request body not received in time","code":"body_timeout"}' in rest
    writer.close()
    assert not service.calls


@pytest.mark.parametrize(
    "tail", [b"Content-Length: 500\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"]
)
async def test_a_body_that_breaks_off_places_nothing(address: Address, service: FakeService, tail: bytes) -> None:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in (HEADERS | JSON).items())
    writer.write(f"POST /v1/calls HTTP/1.1\r\nHost: x\r\n{head}".encode() + tail)
    writer.write_eof()
    answer = await reader.read()
    assert answer == b"" or answer.split()[1] == b"400"
    writer.close()
    assert not service.calls
