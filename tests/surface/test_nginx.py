"""The recipe for nginx, in a running nginx of Debian's, in front of the running service."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from c2c_stasis.app import App
from c2c_stasis.config import Config
from tests.live.waiting import until
from tests.surface import nginx
from tests.surface.corpus import Site
from tests.surface.test_tls import certify

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]  # the first run on a machine fetches nginx

AWAY = "127.0.0.2"  # a client that is no trusted proxy
SLOW = 10.0  # seconds, of the recipe


@dataclass(frozen=True)
class Fronted:
    """The service behind nginx."""

    app: App
    url: str
    port: int
    site: Site
    tls: ssl.SSLContext

    def client(self) -> aiohttp.ClientSession:
        """A client with one connection, from an address of its own."""
        connector = aiohttp.TCPConnector(ssl=self.tls, limit=1, local_addr=(AWAY, 0))
        headers = {"Authorization": f"Bearer {self.site.key}", "DialStack-Account": self.site.account}
        return aiohttp.ClientSession(self.url, connector=connector, headers=headers)


@pytest.fixture
async def fronted(prepared: tuple[Config, Site], tmp_path: Path) -> AsyncIterator[Fronted]:
    """Both run."""
    config, site = prepared
    certificate, key = certify(tmp_path)
    async with App(config) as app:
        await until(lambda: app.service._switch.connected, "a connection to Asterisk")
        async with nginx.before(int(app.url.rpartition(":")[2]), tmp_path / "nginx", certificate, key) as port:
            tls = ssl.create_default_context(cafile=str(certificate))
            yield Fronted(app, f"https://localhost:{port}", port, site, tls)


async def test_a_call_passes_with_an_empty_202_and_the_log_names_who_asked(
    fronted: Fronted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "c2c_stasis")
    body = {"user_id": fronted.site.user, "dial_string": "+15551234567"}
    async with fronted.client() as client:
        async with client.post("/v1/calls", json=body, headers={"X-Forwarded-For": "6.6.6.6"}) as answer:
            assert (answer.status, await answer.read()) == (202, b"")
            location, request_id = answer.headers["Location"], answer.headers["X-Request-Id"]
            assert answer.headers["Strict-Transport-Security"]
        async with client.get(location) as answer:
            assert (await answer.json())["to_number"] == "+15551234567"
        for path in ("/livez", "/readyz", "/"):
            async with client.get(path) as answer:
                assert answer.status == 404
    (line,) = [record.__dict__ for record in caplog.records if record.__dict__.get("method") == "POST"]
    assert (line["remote"], line["scheme"], line["request_id"]) == (AWAY, "https", request_id)


async def test_connections_are_kept_on_both_sides(fronted: Fronted) -> None:
    async with fronted.client() as client:
        for _ in range(30):
            async with client.get("/v1/users") as answer:
                assert answer.status == 200
    assert fronted.app._server.connections <= 2


@pytest.mark.parametrize("size", [20_000, 500_000])  # the first is refused by the service, the second by nginx
async def test_a_big_body_is_refused_with_a_body_that_clients_understand(fronted: Fronted, size: int) -> None:
    async with fronted.client() as client:
        headers = {"Content-Type": "application/json"}
        async with client.post("/v1/calls", data=b" " * size, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "whole", ["POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", "GET /v1/us"]
)
async def test_who_is_slow_is_not_waited_for_and_the_service_never_hears_of_it(
    fronted: Fronted, caplog: pytest.LogCaptureFixture, whole: str
) -> None:
    caplog.set_level(logging.INFO, "c2c_stasis")
    before = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", fronted.port, ssl=fronted.tls, server_hostname="localhost"
    )
    writer.write(whole.encode())
    async with asyncio.timeout(SLOW + 10):
        said = await reader.read()
    writer.close()
    assert SLOW - 1 < asyncio.get_running_loop().time() - before < SLOW + 8
    assert said.startswith(b"HTTP/1.1 408") or said == b""
    assert not [record for record in caplog.records if record.message == "request"]


async def test_an_event_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    certificate, key = certify(tmp_path)
    send = asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: connected\ndata: {}\n\n")
        await send.wait()
        await response.write(b"event: call.end\ndata: {}\n\n")
        return response

    app = web.Application()
    app.router.add_get("/v1/events", events)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with nginx.before(runner.addresses[0][1], tmp_path / "nginx", certificate, key) as port:
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(certificate)))
        async with (
            aiohttp.ClientSession(connector=connector) as client,
            client.get(f"https://localhost:{port}/v1/events", headers={"Accept-Encoding": "gzip"}) as answer,
        ):
            async with asyncio.timeout(5):
                assert await answer.content.readuntil(b"\n\n") == b"event: connected\ndata: {}\n\n"
            send.set()
            async with asyncio.timeout(5):
                assert await answer.content.readuntil(b"\n\n") == b"event: call.end\ndata: {}\n\n"
        await runner.cleanup()
        async with (
            aiohttp.ClientSession() as client,
            client.get(
                f"https://localhost:{port}/v1/users", ssl=ssl.create_default_context(cafile=str(certificate))
            ) as answer,
        ):
            assert (answer.status, (await answer.json())["code"]) == (502, "unavailable")
