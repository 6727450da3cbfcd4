"""A small ARI server for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.ari.server import AriServer, ari_server


@pytest.fixture
async def server() -> AsyncIterator[AriServer]:
    """An ARI server on a free port."""
    async with ari_server() as server:
        yield server
