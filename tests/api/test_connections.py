"""Connections: how long they may take to say something, how many there may be, and what a full machine does."""

import asyncio
import errno
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Any

import aiohttp
import pytest

from c2c_stasis.api import listener, protocol
from c2c_stasis.api.admission import RESERVED
from c2c_stasis.api.server import HttpServer, build_app
from c2c_stasis.config import Address, Http, Networks
from tests.api.fakes import NO_STORE, FakeService
from tests.api.requests import GOOD, HEADERS
from tests.live.waiting import GENEROUS, eventually, until
from tests.surface.raw import exchange

REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
Serve = Callable[..., Awaitable[Address]]


@pytest.fixture
async def serve(service: FakeService) -> AsyncIterator[Serve]:
    """Starts a server with these limits."""
    servers: list[HttpServer] = []

    async def start(**limits: object) -> Address:
        http = Http(Address("127.0.0.1", 0), **limits)  # type: ignore[arg-type]  # any of them
        servers.append(HttpServer(build_app(service, NO_STORE), http))
        return await servers[-1].start()

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_TIMEOUT", 0.1)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("begun", [b"G", b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHost: x\r\nA:"])
async def test_a_header_that_does_not_end_is_408(serve: Serve, begun: bytes) -> None:
    address = await serve()
    found = await exchange(address.host, address.port, begun)
    assert [one.status for one in found.responses] == [408]
    assert found.responses[0].json() == {"error": "Request header not received in time", "code": "header_timeout"}
    assert found.closed


@pytest.mark.usefixtures("_soon")
async def test_a_header_that_is_there_before_anybody_waits_for_it_is_408_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop reads what has come already before the task that answers has begun."""
    genuine = protocol.Protocol.connection_made

    def made(one: protocol.Protocol, transport: asyncio.BaseTransport) -> None:
        genuine(one, transport)
        one.data_received(b"GET /l")

    monkeypatch.setattr(protocol.Protocol, "connection_made", made)
    address = await serve()
    assert [one.status for one in (await exchange(address.host, address.port, b"")).responses] == [408]


@pytest.mark.usefixtures("_soon")
async def test_every_byte_that_comes_does_not_begin_the_time_anew(serve: Serve) -> None:
    address = await serve()
    found = await exchange(address.host, address.port, REQUEST[:1], *[b"G"] * 30, pause=0.02)
    assert found.responses[0].status in (400, 408)
    assert found.closed


@pytest.mark.usefixtures("_soon")
async def test_who_says_nothing_is_hung_up_on_without_a_word(serve: Serve) -> None:
    address = await serve()
    found = await exchange(address.host, address.port, b"")
    assert (found.responses, found.closed) == ([], True)


@pytest.mark.usefixtures("_soon")
async def test_after_an_answer_the_connection_may_rest_for_longer(serve: Serve) -> None:
    address = await serve()
    found = await exchange(address.host, address.port, REQUEST, REQUEST, pause=0.3, only=2)
    assert [one.status for one in found.responses] == [200, 200]


@pytest.mark.usefixtures("_soon")
async def test_a_request_that_is_answered_slowly_is_not_one_that_comes_slowly(
    serve: Serve, service: FakeService
) -> None:
    address = await serve()
    service.hold = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.post(f"http://{address}/v1/calls", json=GOOD, headers=HEADERS))
        await asyncio.wait_for(service.holding.wait(), 5)
        asyncio.get_running_loop().call_later(0.3, service.hold.set)
        assert (await asking).status == 202


def mute(address: Address, kept: int = 4096) -> socket.socket:
    """A connection whose owner does not read; the kernel keeps about so many bytes for him."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kept)
    one.connect((address.host, address.port))
    return one


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for who does not read; and the kernel keeps little for him, so that a test need not send much."""
    monkeypatch.setattr(protocol, "TAKEN_WITHIN", 1.0)
    genuine = listener._listening

    def listening(*where: Any) -> socket.socket:
        one = genuine(*where)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return one

    monkeypatch.setattr(listener, "_listening", listening)


DOCUMENT = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n{}\r\n"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "asking",
    [
        DOCUMENT.format("") * 20,  # more than is kept for anybody
        DOCUMENT.format("Connection: close\r\n"),  # the last of it, which asyncio would keep for ever
        REQUEST.decode() * 200 + "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["many documents", "one and no more", "many probes"],
)
async def test_who_asks_and_never_reads_keeps_no_place(serve: Serve, asking: str) -> None:
    address = await serve(max_connections=10, max_connections_per_address=10, trusted_proxies=Networks())

    async def answered() -> list[int]:
        found = await exchange(address.host, address.port, asked("/v1/openapi.json"))
        return [one.status for one in found.responses]

    with ExitStack() as stack:
        for _ in range(10):
            holder = stack.enter_context(mute(address))
            holder.sendall(asking.encode())
        assert await answered() != [200]
        await eventually(answered, lambda statuses: statuses == [200], "a place")


@pytest.mark.usefixtures("_impatient")
async def test_who_takes_a_few_bytes_now_and_then_is_not_waited_for(serve: Serve) -> None:
    address = await serve()
    with mute(address) as one:
        one.setblocking(False)
        loop, read = asyncio.get_running_loop(), 0
        await loop.sock_sendall(one, DOCUMENT.format("").encode())
        async with asyncio.timeout(GENEROUS):
            with suppress(ConnectionError):
                while chunk := await loop.sock_recv(one, 200):
                    read += len(chunk)
                    await asyncio.sleep(0.1)
    assert read < 100_000


@pytest.mark.usefixtures("_impatient")
async def test_who_reads_slowly_gets_everything(serve: Serve) -> None:
    address = await serve()
    with mute(address, 32_768) as one:
        one.setblocking(False)
        loop, read = asyncio.get_running_loop(), bytearray()
        await loop.sock_sendall(one, DOCUMENT.format("Connection: close\r\n").encode())
        while chunk := await loop.sock_recv(one, 4096):
            read += chunk
            await asyncio.sleep(0.04)  # 100 kB a second: longer than one second for all of it
    head, _, body = bytes(read).partition(b"\r\n\r\n")
    assert json.loads(body)["openapi"].startswith("3.1")
    assert b" 200 " in head


def asked(path: str = "/v1/calls", **fields: str) -> bytes:
    """A request that places a call, or one without a body, as bytes."""
    if path != "/v1/calls":
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    body = json.dumps(GOOD | fields).encode()
    headers = HEADERS | {"Host": "x", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/calls HTTP/1.1\r\n{lines}\r\n".encode() + body


async def status(address: Address, data: bytes) -> int:
    """What is answered over a connection of its own, which the service ends."""
    found = await exchange(address.host, address.port, data)
    assert found.closed
    (only,) = found.responses
    return only.status


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_address"])
async def test_when_all_places_are_taken_emergency_calls_and_probes_are_answered_and_nothing_else(
    serve: Serve, service: FakeService, limit: str
) -> None:
    address = await serve(**{limit: 10}, trusted_proxies=Networks())
    holders = [await asyncio.open_connection(address.host, address.port) for _ in range(10)]
    assert await status(address, asked(dial_string="911")) == 202
    assert await status(address, asked(dial_string="9-1-1")) == 202
    assert await status(address, asked()) == 503
    assert await status(address, asked("/v1/calls/x")) == 503
    assert await status(address, asked("/livez")) == 200
    assert await status(address, b"GET\r\n\r\n") == 400
    assert sorted(call.dial_string for call in service.calls.values()) == ["9-1-1", "911"]

    # Those who hold the reserved places as well, and say nothing, make room one after the other.
    holders += [await asyncio.open_connection(address.host, address.port) for _ in range(RESERVED + 5)]
    assert await status(address, asked(dial_string="911")) == 202
    assert await holders[10][0].read() == b""

    for _, writer in holders:
        writer.close()

    async def answered() -> bool:
        found = await exchange(address.host, address.port, REQUEST, only=1)
        return bool(found.responses) and not found.closed

    async with asyncio.timeout(5):
        while not await answered():
            pass


async def test_whoever_has_no_credential_keeps_nobody_from_the_reserved_places(serve: Serve) -> None:
    address = await serve(max_connections=10, trusted_proxies=Networks())
    holders = [await asyncio.open_connection(address.host, address.port) for _ in range(10 + RESERVED)]
    head = asked(dial_string="911").partition(b"\r\n\r\n")[0]
    nobodys = b"\r\n".join(line for line in head.splitlines() if not line.startswith(b"Authorization"))
    for reader, writer in holders[10:]:
        writer.write(nobodys + b"\r\n\r\n")  # and its body never comes
        assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
    assert await status(address, asked(dial_string="911")) == 202
    for _, writer in holders:
        writer.close()


@pytest.mark.parametrize("limit", ["max_connections", "max_requests"])
async def test_whoever_has_a_credential_and_no_body_keeps_nobody_from_them_either(serve: Serve, limit: str) -> None:
    """One session of anybody is enough to begin as many requests as there are places, ordinary and reserved."""
    address = await serve(**{limit: 10}, trusted_proxies=Networks())
    head, _, body = asked(dial_string="911").partition(b"\r\n\r\n")
    async with AsyncExitStack() as stack:
        for _ in range(10 + RESERVED):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            stack.callback(writer.close)
            writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n" + body[:10])  # the rest never comes
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        for _ in range(5):
            found = await exchange(address.host, address.port, asked(dial_string="911"), only=1)
            assert [one.status for one in found.responses] == [202]


async def test_requests_over_the_limit_are_503_and_whether_we_live_is_told_all_the_same(
    serve: Serve, service: FakeService
) -> None:
    address = await serve(max_requests=1)
    service.hold = asyncio.Event()
    async with aiohttp.ClientSession(f"http://{address}") as session:
        asking = asyncio.create_task(session.post("/v1/calls", json=GOOD, headers=HEADERS))
        await asyncio.wait_for(service.holding.wait(), 5)
        async with session.post("/v1/calls", json=GOOD, headers=HEADERS) as refused:
            assert (refused.status, (await refused.json())["code"]) == (503, "overloaded")
            assert refused.headers["Retry-After"] == "1"
        assert (await session.get("/v1/calls/x", headers=HEADERS)).status == 503
        assert (await session.get("/livez")).status == 200
        assert (await session.get("/readyz")).status == 200
        service.hold.set()
        emergency = await session.post("/v1/calls", json=GOOD | {"dial_string": "911"}, headers=HEADERS)
        assert emergency.status == 202
        assert (await asking).status == 202
        service.hold = None
        assert (await session.post("/v1/calls", json=GOOD, headers=HEADERS)).status == 202


async def test_behind_a_proxy_the_log_names_the_client(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    address = await serve()
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7", "X-Forwarded-Proto": "https"}
    async with aiohttp.ClientSession(f"http://{address}") as session:
        await session.get("/livez", headers=headers)
    (line,) = [record for record in caplog.records if record.message == "request"]
    assert (line.__dict__["remote"], line.__dict__["scheme"]) == ("203.0.113.7", "https")


async def test_one_client_behind_a_proxy_cannot_have_all_requests(serve: Serve, service: FakeService) -> None:
    address = await serve(max_connections_per_address=1)
    service.hold = asyncio.Event()
    mine, other = ({**HEADERS, "X-Forwarded-For": client} for client in ("203.0.113.7", "203.0.113.8"))
    async with aiohttp.ClientSession(f"http://{address}") as session:
        asking = asyncio.create_task(session.post("/v1/calls", json=GOOD, headers=mine))
        await asyncio.wait_for(service.holding.wait(), 5)
        async with session.post("/v1/calls", json=GOOD, headers=mine) as refused:
            assert (refused.status, (await refused.json())["code"]) == (429, "too_many_requests")
        service.hold.set()
        assert (await session.post("/v1/calls", json=GOOD, headers=other)).status == 202
        await asking


async def test_a_machine_without_descriptors_is_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("c2c_stasis.api.listener._PAUSE", 0.01)
    genuine, failures = type(asyncio.get_running_loop()).sock_accept, [errno.EMFILE, errno.ECONNABORTED]

    async def accept(loop: asyncio.AbstractEventLoop, one: socket.socket) -> object:
        if failures:
            code = failures.pop(0)
            raise OSError(code, "no")
        return await genuine(loop, one)

    monkeypatch.setattr(type(asyncio.get_running_loop()), "sock_accept", accept)
    address = await serve()
    assert (await exchange(address.host, address.port, REQUEST, only=1)).responses[0].status == 200
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "no connection can be accepted"
    ]


async def test_nothing_is_left_of_connections_that_are_gone(service: FakeService) -> None:
    server = HttpServer(build_app(service, NO_STORE), Http(Address("127.0.0.1", 0)))
    address = await server.start()
    for _ in range(20):
        await exchange(address.host, address.port, REQUEST, only=1)
    await until(lambda: server.connections == 0, "no connection")
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)
