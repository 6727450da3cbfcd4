"""The server on a real socket: what is no HTTP, and how it stops."""

import asyncio
import socket

import aiohttp.http_parser
import pytest
from aiohttp import ClientPayloadError, ClientSession, web

from c2c_stasis.api.metrics import METRICS
from c2c_stasis.api.server import HttpServer, build_app
from c2c_stasis.config import Address, Http
from c2c_stasis.metrics import Metrics
from tests.api.fakes import NO_STORE, FakeService
from tests.api.requests import GOOD, HEADERS


async def _exchange(address: Address, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(data)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS handshake
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_a_flat_400(address: Address, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    head, _, body = (await _exchange(address, data)).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"aiohttp" not in head
    assert b"Python" not in head
    assert b"X-Request-Id: req_" in head
    assert body == b'{"error":"Bad request","code":"bad_request"}'
    assert all(record.exc_info is None for record in caplog.records)


async def test_an_error_behind_all_our_handlers_is_flat_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("the reason")

    async def broken_late(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        raise RuntimeError("the reason")

    app = web.Application()
    app[METRICS] = Metrics()
    app.add_routes([web.get("/", broken), web.get("/late", broken_late)])
    server = HttpServer(app, Http(Address("127.0.0.1", 0)))
    address = await server.start()
    async with ClientSession(f"http://{address}") as session:
        response = await session.get("/")
        assert (response.status, await response.json()) == (
            500,
            {
                "error": "Internal server error",
                "code": "internal_error",
                "details": {"request_id": response.headers["X-Request-Id"]},
            },
        )
        response = await session.get("/late")
        with pytest.raises(ClientPayloadError):
            await response.read()
    await server.stop()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["request failed"] * 2
    assert caplog.text.count("RuntimeError: the reason") == 2


async def test_a_taken_port_is_told_and_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HttpServer(build_app(FakeService(), NO_STORE), Http(Address("127.0.0.1", taken.getsockname()[1])))
        with pytest.raises(OSError, match="address already in use"):
            await server.start()


async def test_stopping_waits_for_the_request_that_is_being_answered(
    server: HttpServer, address: Address, service: FakeService
) -> None:
    service.hold = asyncio.Event()
    async with ClientSession() as session:
        asking = asyncio.create_task(session.post(f"http://{address}/v1/calls", json=GOOD, headers=HEADERS))
        await asyncio.wait_for(service.holding.wait(), 5)
        stopping = asyncio.create_task(server.stop())
        asyncio.get_running_loop().call_later(0.05, service.hold.set)
        assert (await asking).status == 202
        await stopping


async def test_a_parser_in_python_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    build_app(FakeService(), NO_STORE)
    assert not caplog.records
    monkeypatch.setattr(aiohttp.http_parser, "HttpRequestParser", aiohttp.http_parser.HttpRequestParserPy)
    build_app(FakeService(), NO_STORE)
    assert "C parser" in caplog.text
