"""The API on a real socket, in front of a service that behaves."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from c2c_stasis.api.server import HttpServer, build_app
from c2c_stasis.config import Address, Http
from tests.api.fakes import NO_STORE, FakeService


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def server(service: FakeService) -> HttpServer:
    return HttpServer(build_app(service, NO_STORE), Http(Address("127.0.0.1", 0)))


@pytest.fixture
async def address(server: HttpServer) -> AsyncIterator[Address]:
    yield await server.start()
    await server.stop()


@pytest.fixture
async def client(address: Address) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"http://{address}") as client:
        yield client
