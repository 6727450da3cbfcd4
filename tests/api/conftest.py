"""The API in front of a service that behaves."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from c2c_stasis.api.server import build_app
from tests.api.fakes import FakeService
from tests.api.requests import Client


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(service))) as client:
        yield client
